"""Recipes: TOML files that say what is known of one package or one library.

``recipe_schema`` holds every key. Reading a recipe collects all its problems before it gives up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from layerforge.core import guarded
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.recipe import (
    EVERY_FILE,
    Budget,
    Check,
    CheckScript,
    CodeRules,
    Columns,
    Data,
    Docstrings,
    Library,
    Linked,
    Need,
    Patch,
    Prune,
    Recipe,
    Settings,
    Source,
    SourcePackage,
    TargetLayer,
    WarmUp,
)
from layerforge.resolve.recipe_problems import PATCHES, problems_of, visible
from layerforge.resolve.recipe_values import SHOWN, bytes_of, file_name
from layerforge.resolve.variant import Variant, Without

FILE = "recipe.toml"


LOCK = "requirements.lock"


BUILD_LOCK = "build.lock"


MOST_TOLD = 20
"""Parts of a recipe of schema 1 that an error names."""


def load(folder: Path) -> Recipe:
    """Reads the recipe in ``folder``. Raises ``RecipeError`` that lists everything wrong with it."""
    file = folder / FILE
    if not file.exists():
        raise RecipeError(f"{folder} holds no {FILE}", hint="name a recipe's folder")
    try:
        data = guarded.toml(_read(file))
    except guarded.Unreadable as error:
        raise RecipeError(f"{file} is not TOML", hint="mend the line that is named", details=(str(error),)) from error
    if data.get("schema") == 1 and type(data["schema"]) is int:
        raise _first_schema(file, data)
    problems = problems_of(data, folder)
    if problems:
        count = "a mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
        raise RecipeError(f"{file} has {count}", hint="docs/recipes.md explains every key", details=tuple(problems))
    return _recipe(data, folder)


def _read(file: Path) -> str:
    try:
        return guarded.text(file)
    except guarded.Unreadable as error:
        raise RecipeError(f"{file} cannot be read: {error}", hint="a recipe's files are texts") from error


def _first_schema(file: Path, data: Mapping[str, Any]) -> RecipeError:
    """What to say of a recipe that speaks of a whole layer, as they did at first: the recipes that it becomes."""
    rows = [(kind, name) for kind in ("library", "package") for name in _names(data.get(kind))]
    parts = [f"[[{kind}]] {name} becomes {name}/{FILE} with [{kind}]" for kind, name in rows[:MOST_TOLD]]
    return RecipeError(
        f"{file} is of schema 1: a recipe of schema 2 says what is known of one package or one library",
        hint="docs/recipes.md, From schema 1, says where each key goes",
        details=(*parts, "[prune], [bytecode] and [check] go to the package whose files they are about"),
    )


def _names(rows: object) -> list[str]:
    """The names that an array of tables gives, as a message shows them."""
    tables = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return [name[:SHOWN] for row in tables if isinstance(name := row.get("name"), str)]


def _recipe(data: Mapping[str, Any], folder: Path) -> Recipe:
    row = data.get("package") or data.get("library") or data["variant"]
    name = canonicalize_name(row["name"])
    needs = tuple(_need(text) for text in row.get("needs", ()))
    build, prune = data.get("build", {}), data.get("prune", {})
    return Recipe(
        name=name,
        folder=folder,
        versions=row.get("versions", ""),
        part=_part(data, name, needs, folder),
        needs=needs,
        build_packages=tuple(sorted(set(build.get("packages", ())))),
        system=tuple(row.get("system", ())),
        arch_system={arch: tuple(table.get("system", ())) for arch, table in row.get("arch", {}).items()},
        prune=Prune(remove=tuple(prune.get("remove", ())), keep=tuple(prune.get("keep", ()))),
        bytecode=_code_rules(data.get("bytecode", {}), data.get("defer", {})),
        check=_check(data.get("check", {}), name, folder),
        env=data.get("env", {}),
        data=tuple(_data(one, name) for one in data.get("data", ())),
        patches=tuple(_patches(folder, name)),
        linked=tuple(Linked(package=name, **one) for one in data.get("linked", ())),
        prime=WarmUp(package=name, text=_read(folder / data["prime"]["script"])) if "prime" in data else None,
        layer=_layer(data["layer"]) if "layer" in data else None,
        variant=_variant(data["variant"]) if "variant" in data else None,
    )


def _need(text: str) -> Need:
    requirement = Requirement(text)
    return Need(name=canonicalize_name(requirement.name), versions=str(requirement.specifier))


def _part(data: Mapping[str, Any], name: str, needs: tuple[Need, ...], folder: Path) -> Library | SourcePackage | None:
    names = tuple(one.name for one in needs)
    if "library" in data:
        row = data["library"]
        return Library(
            name=name,
            version=row["version"],
            source=Source(**row["source"]),
            script=row["script"],
            needs=names,
            settings=_settings(row),
            arch_settings=_arch_settings(row),
            ship=tuple(row.get("ship", ())),
            minutes=float(row.get("minutes", 0)),
        )
    row = data.get("package", {})
    if "build" not in row:
        return None
    build_lock = folder / BUILD_LOCK
    return SourcePackage(
        name=name,
        needs=names,
        settings=_settings(row),
        arch_settings=_arch_settings(row),
        build_requires=tuple(data.get("build", {}).get("requires", ())),
        build_lock=build_lock if build_lock.is_file() else None,
        minutes=float(row.get("minutes", 0)),
    )


def _settings(row: Mapping[str, Any]) -> Settings:
    config = row.get("config", {})
    return Settings(
        env=row.get("env", {}),
        flags=row.get("flags", {}),
        config={key: (value,) if isinstance(value, str) else tuple(value) for key, value in config.items()},
        module_flags=row.get("module-flags", {}),
    )


def _arch_settings(row: Mapping[str, Any]) -> dict[str, Settings]:
    return {arch: _settings(table) for arch, table in row.get("arch", {}).items()}


def _code_rules(table: Mapping[str, Any], defer: Mapping[str, Any]) -> CodeRules:
    return CodeRules(
        docstrings=Docstrings(table.get("docstrings", Docstrings.KEEP)),
        keep_docstrings=tuple(table.get("keep_docstrings", ())),
        columns=Columns(table.get("columns", Columns.KEEP)),
        optimize=table.get("optimize", 0),
        defer={file: tuple(sorted(set(modules))) for file, modules in sorted(defer.items())},
        lazy=(EVERY_FILE,) if table.get("lazy") == "all" else tuple(table.get("lazy", ())),
    )


def _check(table: Mapping[str, Any], name: str, folder: Path) -> Check:
    imports = tuple(table.get("imports", ()))
    script = CheckScript(package=name, text=_read(folder / table["script"])) if "script" in table else None
    return Check(
        imports=imports,
        covered=(name,) if imports else (),
        scripts=(script,) if script else (),
        single=tuple(table.get("single", ())),
        excused=table.get("excused", {}),
    )


def _data(row: Mapping[str, Any], name: str) -> Data:
    source = Source(url=row["url"], sha256=row["sha256"])
    return Data(
        package=name,
        name=file_name(row["url"]),
        source=source,
        into=row["into"].rstrip("/"),
        unpack=row.get("unpack", False),
        files=tuple(row.get("files", ())),
    )


def _patches(folder: Path, name: str) -> Iterator[Patch]:
    for file in visible(folder / PATCHES):
        yield Patch(package=name, name=file.name, text=_read(file))


def _variant(table: Mapping[str, Any]) -> Variant:
    return Variant(
        name=canonicalize_name(table["name"]),
        of=canonicalize_name(table["of"]),
        says=table["says"],
        proves=tuple(canonicalize_name(name) for name in table.get("proves", ())),
        without=tuple(
            Without(
                package=canonicalize_name(row["package"]),
                what=row["what"],
                modules=tuple(row.get("modules", ())),
                names=tuple(row.get("names", ())),
                files=tuple(row.get("files", ())),
            )
            for row in table["without"]
        ),
    )


def _layer(table: Mapping[str, Any]) -> TargetLayer:
    budget = Budget(**{key: bytes_of(value) for key, value in table.get("budget", {}).items()})
    left = tuple(canonicalize_name(name) for name in table.get("leave-out", ()))
    return TargetLayer(requires=tuple(table["requires"]), leave_out=left, budget=budget)
