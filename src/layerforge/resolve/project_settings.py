"""What a project says of its layers and functions: ``layerforge.toml``, or ``[tool.layerforge]`` of its
``pyproject.toml``. Every key is a field here; reading the file collects all its problems before it gives up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from layerforge.core import guarded
from layerforge.core.text import visible
from layerforge.resolve import fit, uv
from layerforge.resolve import project_keys as keys
from layerforge.resolve import recipe_values as values
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.project_file import PROJECT
from layerforge.resolve.project_keys import key
from layerforge.resolve.recipe import BytecodeMode, Compression, Docstrings
from layerforge.resolve.toml_schema import problems

FILE = "layerforge.toml"

TABLE = "[tool.layerforge]"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How layers are made: what may stand at the top for all of them, and in the table of each.

    ``None`` is what is not said. Each key is called as the option of ``layerforge build`` that it stands for.
    """

    python: tuple[str, ...] | None = key(keys.several(keys.python), keys.pythons)
    arch: tuple[str, ...] | None = key(keys.several(keys.arch), keys.arches)
    compression: str | None = key(values.one_of("auto", *Compression))
    bytecode: str | None = key(values.one_of(*BytecodeMode))
    docstrings: str | None = key(values.one_of(*Docstrings))
    fit: str | None = key(fit.wrong, keys.fit)
    leave_out: tuple[str, ...] | None = key(keys.list_of(values.text), keys.texts)
    from_source: tuple[str, ...] | None = key(keys.list_of(values.text), keys.texts)
    wheels: bool | None = key(values.yes_or_no)
    compile: bool | None = key(values.yes_or_no)
    no_verify: bool | None = key(values.yes_or_no)
    prerelease: str | None = key(values.one_of(*uv.PRERELEASES))
    no_project: bool | None = key(values.yes_or_no)


@dataclass(frozen=True, kw_only=True)
class Asks:
    """What a layer or a function requires. All that is named counts together; paths begin at the project file."""

    requires: tuple[str, ...] = key(keys.several(keys.word), keys.words, default=())
    """Requirements, and paths of wheels."""
    file: tuple[Path, ...] = key(keys.several(keys.file), keys.paths, default=())
    """Requirements files."""
    project: Path | None = key(keys.file, keys.path)
    """The folder of a project, or its ``pyproject.toml``."""
    group: tuple[str, ...] = key(keys.several(values.text), keys.texts, default=())
    """Dependency groups of the project."""
    extra: tuple[str, ...] = key(keys.several(values.text), keys.texts, default=())
    """Extras of the project."""
    lock: Path | None = key(keys.file, keys.path)
    """What versions and hashes are taken from."""


@dataclass(frozen=True, kw_only=True)
class LayerWish:
    """A layer that the project wants: ``[layer.NAME]``."""

    name: str
    asks: Asks
    settings: Settings = Settings()
    """What its table says; the project's ``defaults`` count where it says nothing."""


@dataclass(frozen=True, kw_only=True)
class FunctionWish:
    """A function that shared layers are planned for: ``[function.NAME]``."""

    name: str
    asks: Asks
    code: int = key(keys.code_size, keys.size, default=0)
    """Bytes of its own code, unzipped."""
    layers: int = key(keys.own_layers, default=0)
    """How many layers it needs for itself."""
    python: tuple[str, ...] | None = key(keys.several(keys.python), keys.pythons)
    arch: tuple[str, ...] | None = key(keys.several(keys.arch), keys.arches)
    leave_out: tuple[str, ...] | None = key(keys.list_of(values.text), keys.texts)


@dataclass(frozen=True, kw_only=True)
class ProjectSettings:
    """The settings of a project. Every one may be missing."""

    file: Path | None = None
    """Where they stand; ``None`` where nothing does."""
    engine: str | None = key(values.one_of("auto", "docker", "host"))
    image: str | None = key(values.text)
    recipes: tuple[Path, ...] | None = key(keys.several(keys.file), keys.paths)
    output: Path | None = key(keys.file, keys.path)
    jobs: int | None = key(keys.count)
    sources: Path | None = key(keys.file, keys.path)
    cluster: str | None = key(values.text)
    tls_dir: Path | None = key(keys.file, keys.path)
    store: str = key(values.text, keys.place, default="")
    """Where its team shares what was made."""
    trusted_keys: tuple[str, ...] = key(keys.list_of(values.text), keys.texts, default=())
    """Public keys whose records of the store count, each ``team:BASE64``."""
    defaults: Settings = field(default_factory=Settings)
    """What counts for every layer that does not say otherwise."""
    layers: tuple[LayerWish, ...] = ()
    functions: tuple[FunctionWish, ...] = ()


NOTHING = ProjectSettings()

_OTHER_SPELLINGS = {"groups": "group", "extras": "extra"}
"""What people may write instead of a key."""

_SOURCES = ("requires", "file", "project", "group", "extra", "lock")
"""Keys that say what is asked for."""

_NAME = values.named(re.compile(r"[a-zA-Z0-9_-]{1,100}"), "of letters, digits, - and _, 100 at most")


def project_settings(folder: Path) -> ProjectSettings:
    """The settings of the project in ``folder``. Raises ``RecipeError`` for a file that cannot be understood."""
    own, project = folder / FILE, folder / PROJECT
    tool = _toml(project).get("tool") if project.is_file() else None
    table = tool.get("layerforge") if isinstance(tool, dict) else None
    if own.is_file() and table is not None:
        raise RecipeError(
            f"{own} and {TABLE} of {project} both speak for this project", hint="put all of it into one of the two"
        )
    if own.is_file():
        return settings_of(_toml(own), own)
    return settings_of(table, project) if table is not None else NOTHING


def _toml(path: Path) -> dict[str, Any]:
    try:
        return guarded.toml(guarded.text(path))
    except guarded.Unreadable as error:
        if path.name == PROJECT:  # it may be anybody's; whoever is to read it for a layer says what is wrong
            return {}
        raise RecipeError(f"{path} is not TOML", hint="mend the line that is named", details=(str(error),)) from error


def settings_of(table: Any, file: Path) -> ProjectSettings:
    """What a table says that stands in ``file``. Raises ``RecipeError`` that lists everything wrong with it."""
    where = f"{file} {TABLE}" if file.name == PROJECT else str(file)
    if not isinstance(table, dict):
        raise RecipeError(f"{where} must be a table", hint="docs/project.md explains every key")
    table = {one: _spelled_alike(rows) if one in _TABLES else rows for one, rows in table.items()}
    if found := list(_problems(table)):
        raise RecipeError(
            f"{where} has {'a mistake' if len(found) == 1 else f'{len(found)} mistakes'}",
            hint="docs/project.md explains every key",
            details=tuple(map(visible, found)),
        )
    folder = file.parent
    return ProjectSettings(
        file=file,
        **keys.read(ProjectSettings, table, folder),
        defaults=Settings(**keys.read(Settings, table, folder)),
        layers=tuple(_layer(name, row, folder) for name, row in table.get("layer", {}).items()),
        functions=tuple(_function(name, row, folder) for name, row in table.get("function", {}).items()),
    )


def _layer(name: str, row: Mapping[str, Any], folder: Path) -> LayerWish:
    settings = Settings(**keys.read(Settings, row, folder))
    return LayerWish(name=name, asks=_asks(row, folder), settings=settings)


def _function(name: str, row: Mapping[str, Any], folder: Path) -> FunctionWish:
    return FunctionWish(name=name, asks=_asks(row, folder), **keys.read(FunctionWish, row, folder))


def _asks(row: Mapping[str, Any], folder: Path) -> Asks:
    """What a table asks for. Extras and groups are those of the project beside the file where none is named."""
    found = Asks(**keys.read(Asks, row, folder))
    own = found.project is None and (found.group or found.extra)
    return Asks(**{**keys.read(Asks, row, folder), "project": folder}) if own else found


# --- what is wrong

_PERSONAL = ("build-here", "signing-key")
"""Options that nobody who clones a project has said: one lets others' code run here, one names a secret."""

_ANYTHING = dict.fromkeys(_PERSONAL, lambda _value: "")

_TABLES = {
    "layer": keys.schema(Asks) | keys.schema(Settings) | _ANYTHING,
    "function": keys.schema(Asks) | keys.schema(FunctionWish) | _ANYTHING,
}
"""Tables with a name each, by what they are of."""


_TOP = keys.schema(ProjectSettings) | keys.schema(Settings)


def _problems(table: Mapping[str, Any]) -> Iterator[str]:
    yield from problems(table, _TOP | _ANYTHING | dict.fromkeys(_TABLES, values.table))
    yield from _refused(table, "")
    for kind, schema in _TABLES.items():
        rows = table.get(kind)
        for name, row in rows.items() if isinstance(rows, dict) else ():
            yield from _of_named(f"{kind}.{name}", name, row, schema)
    yield from _same_names(table)


def _of_named(where: str, name: str, row: Any, schema: Mapping[str, Any]) -> Iterator[str]:
    if wrong := _NAME(name):
        yield f"{where[: values.SHOWN]}: its name {wrong}"
    if not isinstance(row, dict):
        yield f"{where} must be a table"
        return
    upper = [key for key in row if key in _TOP and key not in schema]
    yield from problems({key: row[key] for key in row if key not in upper}, schema, f"{where}.")
    yield from (f"{where}.{key} stands at the top of the file alone" for key in upper)
    yield from _refused(row, f"{where}.")
    if not any(one in row for one in _SOURCES) and row.keys() <= schema.keys():  # a misspelt key may be one of them
        yield f"{where} asks for nothing: it takes {', '.join(_SOURCES[:3])} or another of {', '.join(_SOURCES[3:])}"


def _refused(table: Mapping[str, Any], where: str) -> Iterator[str]:
    """What a file may not say, or not together: that packages come from wheels and are compiled."""
    yield from (f"{where}{key} is said by a person alone, as --{key}" for key in _PERSONAL if key in table)
    others = [key for key in ("compile", "from-source") if table.get(key)]
    if table.get("wheels") is True and others:
        yield f"{where}wheels and {where}{others[0]} contradict each other"


def _same_names(table: Mapping[str, Any]) -> Iterable[str]:
    """Layers are files that are called by their names, which some file systems do not tell apart by case."""
    seen: dict[str, str] = {}
    for kind in _TABLES:
        rows = table.get(kind)
        for name in rows if isinstance(rows, dict) else ():
            if (other := seen.setdefault(name.casefold(), f"{kind}.{name}")) != f"{kind}.{name}":
                yield f"{kind}.{name} and {other} have one name"


def _spelled_alike(rows: Any) -> Any:
    """Tables in which a key has one spelling; what stands there in both stays, and is unknown."""
    if not isinstance(rows, dict):
        return rows
    return {name: _one_spelling(row) if isinstance(row, dict) else row for name, row in rows.items()}


def _one_spelling(row: Mapping[str, Any]) -> dict[str, Any]:
    def plain(key: str) -> str:
        other = _OTHER_SPELLINGS.get(key, key)
        return key if other in row else other

    return {plain(key): value for key, value in row.items()}
