"""Recipes: TOML files that say what differs from "install the locked wheels".

``SCHEMA`` holds every key of the contract, those of compiled recipes too, so that one recipe file serves every
engine. Reading a recipe collects all its problems before it gives up.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from packaging.utils import canonicalize_name

from layerforge import globs, guarded, resources
from layerforge.errors import RecipeError
from layerforge.model import (
    Budget,
    Bytecode,
    BytecodeMode,
    Check,
    Docstrings,
    Library,
    Prune,
    Recipe,
    Settings,
    Source,
    SourcePackage,
)

FILE = "recipe.toml"
LOCK = "requirements.lock"
BUILD_LOCK = "build.lock"

_PART = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9._+-]{0,98}[a-zA-Z0-9+])?")
"""What a library or package may be called: its name is a folder's, in the container and out of it."""
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_VARIABLE = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHOWN = 80
"""Characters of a wrong value that an error repeats."""
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,100}")
_SYSTEM_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]{0,99}")
"""What packages of dnf, yum and apt are called; nothing that a shell or an option would take otherwise."""
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,15})?)\s*(bytes|kB|MB|GB|KiB|MiB|GiB)?")
_UNITS = {"bytes": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}

Rule = Callable[[Any], str]
"""Looks at a value and says what is wrong with it; empty where nothing is."""


def _text(value: object) -> str:
    return "" if isinstance(value, str) and value else "must be a text"


def _texts(value: object) -> str:
    fits = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return "" if fits else "must be a list of texts"


def _each(rule: Rule) -> Rule:
    """A list of texts that each follow ``rule``."""

    def check(value: Any) -> str:
        if problem := _texts(value):
            return problem
        return "; ".join(f"holds {_shown(one)}, which {wrong}" for one in value if (wrong := rule(one)))

    return check


def _named(fits: re.Pattern[str], what: str) -> Rule:
    return lambda value: "" if isinstance(value, str) and fits.fullmatch(value) else f"must be {what}"


def _inside(value: object) -> str:
    """What is wrong with a path or glob that has to stay below a folder."""
    if not isinstance(value, str) or not value or not value.isprintable():
        return "must be a path"
    parts = value.split("/")
    if PurePosixPath(value).is_absolute() or ".." in parts or "\\" in value or ":" in parts[0]:
        return "must stay below its folder"
    return "must have no empty part" if "" in parts[:-1] or "." in parts else ""


def _glob(value: object) -> str:
    """What is wrong with a glob: ``**`` is a whole part of a path, and no path climbs."""
    if wrong := _inside(value):
        return wrong
    assert isinstance(value, str)
    if any("**" in part and part != "**" for part in value.split("/")):
        return "must have ** as a whole part, as in a/**/b"
    return "" if len(value) <= globs.LONGEST else f"must have at most {globs.LONGEST} characters"


def _keys(fits: re.Pattern[str]) -> Rule:
    """A table of texts whose keys look like ``fits``."""

    def check(value: Any) -> str:
        wrong = _flags(value) or next((one for one in value if not fits.fullmatch(one)), "")
        return wrong if wrong == _flags(value) else f"must not have the key {_shown(wrong)}"

    return check


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _requirements(value: object) -> str:
    if problem := _texts(value) or ("" if value else "must not be empty"):
        return problem
    assert isinstance(value, list)
    for item in value:
        try:
            guarded.requirement(item)
        except guarded.Unreadable as error:
            return f"{_shown(item)} is no requirement: {error}"
    return ""


def _system_packages(value: object) -> str:
    if problem := _texts(value):
        return problem
    assert isinstance(value, list)
    wrong = [item for item in value if not _SYSTEM_PACKAGE.fullmatch(item)]
    return f"has {wrong[0]!r}, which no package is called" if wrong else ""


def _layer_name(value: object) -> str:
    fits = isinstance(value, str) and _NAME.fullmatch(value)
    return "" if fits else "must be 1 to 100 letters, digits, - or _, as Lambda takes them"


def _size(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return ""
    fits = isinstance(value, str) and _SIZE.fullmatch(value)
    return "" if fits else 'must be a size such as "110 MiB"'


def _schema_number(value: object) -> str:
    return "" if value == 1 and value is not True else "must be 1"


def _level(value: object) -> str:
    return "" if value in (0, 1, 2) and not isinstance(value, bool) else "must be 0, 1 or 2"


def _one_of(*words: str) -> Rule:
    known = " or ".join(repr(str(word)) for word in words)
    return lambda value: "" if value in words else f"must be {known}"


def _flags(value: object) -> str:
    fits = isinstance(value, dict) and all(isinstance(item, str) for item in value.values())
    return "" if fits else "must be a table of texts"


def _config(value: object) -> str:
    fits = isinstance(value, dict) and all(isinstance(item, str) or not _texts(item) for item in value.values())
    return "" if fits else "must be a table of texts or lists of texts"


_part = _named(_PART, "a name of letters, digits and . _ + - between them")
_parts = _each(_part)
_globs = _each(_glob)
_LIBRARY = {"env": _keys(_VARIABLE), "flags": _keys(_VARIABLE)}
_PACKAGE = {**_LIBRARY, "config": _config}
_SYSTEM = {"system": _parts}

SCHEMA: Mapping[str, Any] = {
    "schema": _schema_number,
    "layer": {"name": _layer_name, "requires": _requirements, "budget": {"unzipped": _size, "zipped": _size}},
    "library": [
        {
            "name": _part,
            "version": _text,
            "source": {"url": _text, "sha256": _named(_SHA256, "64 hexadecimal digits")},
            "needs": _parts,
            "script": _text,
            "ship": _globs,
            **_LIBRARY,
            "arch": {"x86_64": _LIBRARY, "arm64": _LIBRARY},
        }
    ],
    "package": [
        {
            "name": _part,
            "build": _one_of("source"),
            "needs": _parts,
            **_PACKAGE,
            "arch": {"x86_64": _PACKAGE, "arm64": _PACKAGE},
        }
    ],
    "build": {
        "requires": _requirements,
        "packages": _system_packages,
        **_SYSTEM,
        "arch": {"x86_64": _SYSTEM, "arm64": _SYSTEM},
    },
    "bytecode": {
        "mode": _one_of(*BytecodeMode),
        "docstrings": _one_of(*Docstrings),
        "keep_docstrings": _globs,
        "optimize": _level,
    },
    "prune": {"remove": _globs, "keep": _globs},
    "check": {
        "imports": _each(_named(_MODULE, "a module's name")),
        "script": _inside,
        "single": _globs,
        "excused": _flags,
    },
}
"""A callable checks a value, a mapping is a table with these keys, a list an array of such tables."""

REQUIRED = ("schema", "layer.name", "layer.requires")
REQUIRED_IN_ROWS = {
    "library": ("name", "version", "source.url", "source.sha256", "script"),
    "package": ("name", "build"),
}


def load(folder: Path) -> Recipe:
    """Reads the recipe in ``folder``. Raises ``RecipeError`` that lists everything wrong with it."""
    file = folder / FILE
    if not file.exists():
        raise RecipeError(f"{folder} holds no {FILE}", hint="name a recipe's folder")
    try:
        data = guarded.toml(_read(file))
    except guarded.Unreadable as error:
        raise RecipeError(f"{file} is not TOML", hint="mend the line that is named", details=(str(error),)) from error
    problems = [*_problems(data, SCHEMA, ""), *_missing(data), *_script_problem(data, folder)]
    if problems:
        count = "a mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
        raise RecipeError(f"{file} has {count}", hint="docs/recipes.md explains every key", details=tuple(problems))
    return _recipe(data, folder)


def _read(file: Path) -> str:
    try:
        return guarded.text(file)
    except guarded.Unreadable as error:
        raise RecipeError(f"{file} cannot be read: {error}", hint="a recipe's files are texts") from error


def _problems(data: Mapping[str, Any], schema: Mapping[str, Any], where: str) -> Iterable[str]:
    for key, value in data.items():
        if key not in schema:
            near = difflib.get_close_matches(key[:_SHOWN], list(schema), 1)
            yield f"{where}{key[:_SHOWN]} is unknown" + (f"; perhaps you meant {where}{near[0]}" if near else "")
        else:
            yield from _problem(value, schema[key], f"{where}{key}")


def _problem(value: Any, rule: Any, where: str) -> Iterable[str]:
    match rule:
        case dict():
            if isinstance(value, dict):
                yield from _problems(value, rule, f"{where}.")
            else:
                yield f"{where} must be a table"
        case [row]:
            if isinstance(value, list) and all(isinstance(item, dict) for item in value):
                for number, item in enumerate(value):
                    yield from _problems(item, row, f"{where}[{number}].")
            else:
                yield f"{where} must be an array of tables, [[{where}]]"
        case _:
            if wrong := rule(value):
                yield f"{where} {wrong}, not {_shown(value)}"


def _missing(data: Mapping[str, Any]) -> Iterable[str]:
    yield from (f"{dotted} is missing" for dotted in REQUIRED if _value(data, dotted) is None)
    for table, keys in REQUIRED_IN_ROWS.items():
        rows = data.get(table, [])
        for number, row in enumerate(rows if isinstance(rows, list) else []):
            yield from (f"{table}[{number}].{dotted} is missing" for dotted in keys if _value(row, dotted) is None)


def _value(data: Any, dotted: str) -> Any:
    for part in dotted.split("."):
        data = data.get(part) if isinstance(data, dict) else None
    return data


def _script_problem(data: Mapping[str, Any], folder: Path) -> Iterable[str]:
    check = data.get("check")
    name = check.get("script") if isinstance(check, dict) else None
    if isinstance(name, str) and not (folder / name).is_file():
        yield f"check.script names {name}, which is not there"


def size(value: int | str) -> int:
    """Bytes of ``"110 MiB"``, ``"30 MB"`` or a plain number."""
    if isinstance(value, int):
        return value
    match = _SIZE.fullmatch(value)
    if match is None:
        raise ValueError(f"{value!r} is no size")
    return int(float(match[1]) * _UNITS[match[2] or "bytes"])


def _recipe(data: Mapping[str, Any], folder: Path) -> Recipe:
    layer, bytecode = data["layer"], data.get("bytecode", {})
    prune, check, build = data.get("prune", {}), data.get("check", {}), data.get("build", {})
    return Recipe(
        name=layer["name"],
        requires=tuple(layer["requires"]),
        folder=folder,
        budget=Budget(**{key: size(value) for key, value in layer.get("budget", {}).items()}),
        bytecode=Bytecode(
            mode=BytecodeMode(bytecode.get("mode", BytecodeMode.BESIDE)),
            docstrings=Docstrings(bytecode.get("docstrings", Docstrings.KEEP)),
            keep_docstrings=tuple(bytecode.get("keep_docstrings", ())),
            optimize=bytecode.get("optimize", 0),
        ),
        prune=Prune(remove=tuple(prune.get("remove", ())), keep=tuple(prune.get("keep", ()))),
        check=Check(
            imports=tuple(check.get("imports", ())),
            script=_read(folder / check["script"]) if "script" in check else "",
            single=tuple(check.get("single", ())),
            excused=check.get("excused", {}),
        ),
        libraries=tuple(_library(row) for row in data.get("library", ())),
        packages=tuple(_package(row) for row in data.get("package", ())),
        build_requires=tuple(build.get("requires", ())),
        build_packages=tuple(sorted(set(build.get("packages", ())))),
        system=tuple(build.get("system", ())),
        arch_system={arch: tuple(table.get("system", ())) for arch, table in build.get("arch", {}).items()},
    )


def _library(row: Mapping[str, Any]) -> Library:
    return Library(
        name=row["name"],
        version=row["version"],
        source=Source(**row["source"]),
        script=row["script"],
        needs=tuple(row.get("needs", ())),
        settings=_settings(row),
        arch_settings=_arch_settings(row),
        ship=tuple(row.get("ship", ())),
    )


def _package(row: Mapping[str, Any]) -> SourcePackage:
    return SourcePackage(
        name=canonicalize_name(row["name"]),
        needs=tuple(row.get("needs", ())),
        settings=_settings(row),
        arch_settings=_arch_settings(row),
    )


def _settings(row: Mapping[str, Any]) -> Settings:
    config = row.get("config", {})
    return Settings(
        env=row.get("env", {}),
        flags=row.get("flags", {}),
        config={key: (value,) if isinstance(value, str) else tuple(value) for key, value in config.items()},
    )


def _arch_settings(row: Mapping[str, Any]) -> dict[str, Settings]:
    return {arch: _settings(table) for arch, table in row.get("arch", {}).items()}


def bundled_folder() -> Path:
    """Where layerforge's own recipes lie: inside the installed package, or in the checkout it runs from."""
    return resources.carried("recipes", "recipes")


def bundled() -> dict[str, Path]:
    """Folder of each of layerforge's own recipes, by name."""
    return {file.parent.name: file.parent for file in sorted(bundled_folder().glob(f"*/{FILE}"))}


def nearest(name: str) -> str:
    """The bundled recipe whose name is most like ``name``; empty where none is near."""
    near = difflib.get_close_matches(name.lower(), list(bundled()), 1, cutoff=0.75)
    return near[0] if near else ""
