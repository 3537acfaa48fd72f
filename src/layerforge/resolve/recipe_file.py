"""Recipes: TOML files that say what differs from "install the locked wheels".

``recipe_schema`` holds every key of the contract, those of compiled recipes too, so that one recipe file serves every
engine. Reading a recipe collects all its problems before it gives up.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from layerforge.core import guarded, resources
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.recipe import (
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
from layerforge.resolve.recipe_schema import REQUIRED, REQUIRED_IN_ROWS, SCHEMA, SHOWN, shown, size

FILE = "recipe.toml"
LOCK = "requirements.lock"
BUILD_LOCK = "build.lock"


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
            near = difflib.get_close_matches(key[:SHOWN], list(schema), 1)
            yield f"{where}{key[:SHOWN]} is unknown" + (f"; perhaps you meant {where}{near[0]}" if near else "")
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
                yield f"{where} {wrong}, not {shown(value)}"


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
