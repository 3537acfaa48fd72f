"""What is wrong with a ``recipe.toml`` as a whole: keys that are unknown, missing, or do not go together."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from layerforge.core import guarded
from layerforge.resolve import patch_file, toml_schema
from layerforge.resolve.recipe_schema import OF_COMPILED, OF_PACKAGES, REQUIRED, REQUIRED_IN_ROWS, SCHEMA
from layerforge.resolve.recipe_values import SHOWN
from layerforge.resolve.variant_problems import variant_problems

PATCHES = "patches"

KINDS = ("package", "library", "variant")
"""Tables of which a recipe has one: what it is about."""


def problems_of(data: Mapping[str, Any], folder: Path) -> list[str]:
    """Everything that is wrong with a recipe in ``folder``, a line each."""
    found = [*toml_schema.problems(data, SCHEMA), *_missing(data), *_misplaced(data), *variant_problems(data)]
    return [*found, *_script_problems(data, folder), *_patch_problems(data, folder)]


def _missing(data: Mapping[str, Any]) -> Iterable[str]:
    for table, keys in REQUIRED.items():
        if not table or isinstance(data.get(table), dict):
            dotted = [f"{table}.{key}" if table else key for key in keys]
            yield from (f"{one} is missing" for one in dotted if _value(data, one) is None)
    for table, keys in REQUIRED_IN_ROWS.items():
        rows = _value(data, table) or []
        for number, row in enumerate(rows if isinstance(rows, list) else []):
            yield from (f"{table}[{number}].{dotted} is missing" for dotted in keys if _value(row, dotted) is None)


def _misplaced(data: Mapping[str, Any]) -> Iterator[str]:
    """What does not go together."""
    kinds = [kind for kind in KINDS if kind in data]
    if len(kinds) != 1:
        told = ", not both" if len(kinds) == 2 else ", not all" if kinds else ""
        yield f"a recipe has one of the tables [package], [library] and [variant]{told}"
    if kinds == ["library"]:
        yield from (f"{one} goes with [package] alone" for one in OF_PACKAGES if _value(data, one) is not None)
    rows = data.get("data")
    for number, row in enumerate(rows if isinstance(rows, list) else []):
        if isinstance(row, dict) and "files" in row and row.get("unpack") is not True:
            yield f"data[{number}].files goes with unpack = true alone: they are an archive's"
    package = data.get("package")
    if isinstance(package, dict) and "build" not in package:
        keys = [f"package.{key}" for key in (*OF_COMPILED, "arch") if key in package and _counts(key, package)]
        keys += ["linked"] if "linked" in data else []
        keys += ["build.requires"] if _value(data, "build.requires") is not None else []
        yield from (f'{key} means something only with build = "source"' for key in keys)


def _counts(key: str, package: Mapping[str, Any]) -> bool:
    """Whether a key of ``[package]`` is about compiling; a processor's table may be about libraries alone."""
    tables = package[key] if key == "arch" else {}
    rows = tables.values() if isinstance(tables, dict) else ()
    return key != "arch" or any(isinstance(row, dict) and set(row) & set(OF_COMPILED) for row in rows)


def _value(data: Any, dotted: str) -> Any:
    for part in dotted.split("."):
        data = data.get(part) if isinstance(data, dict) else None
    return data


SCRIPTS = ("check.script", "prime.script")
"""Keys that name a file of the recipe."""


def _script_problems(data: Mapping[str, Any], folder: Path) -> Iterator[str]:
    if _value(data, "bytecode.lazy") and _value(data, "check.script") is None:
        yield "bytecode.lazy takes a check.script: an import proves nothing of what is loaded when it is used"
    for key in SCRIPTS:
        name = _value(data, key)
        if isinstance(name, str) and not os.path.isfile(folder / name):  # noqa: PTH113 - a name that is too long is none
            yield f"{key} names {name[:SHOWN]}, which is not there"
        elif isinstance(name, str) and _leads_out(folder / name, folder):
            yield f"{key} names {name[:SHOWN]}, a link that leads out of the folder of recipes"


def _leads_out(file: Path, folder: Path) -> bool:
    """Whether a file of a recipe is one of somewhere else, whose text nobody meant to have in a manifest."""
    return not file.resolve().is_relative_to(folder.resolve().parent)


def _patch_problems(data: Mapping[str, Any], folder: Path) -> Iterator[str]:
    """What is wrong with the files in ``patches/``, of which none is passed over."""
    if os.path.lexists(folder / PATCHES) and not (folder / PATCHES).is_dir():
        yield f"{PATCHES} is no folder"
    for file in visible(folder / PATCHES):
        name = f"{PATCHES}/{file.name}"
        if "variant" in data:
            yield f"{name}: patches go with [package] alone; a variant changes nothing, and leaves parts out"
        elif "library" in data:
            yield f"{name}: patches go with [package] alone; the script of a library can change its sources"
        elif file.suffix != ".patch":
            yield f"{name} is not called *.patch"
        elif _leads_out(file, folder):
            yield f"{name} is a link that leads out of the folder of recipes"
        else:
            yield from _unsound(file, name)


def _unsound(file: Path, name: str) -> Iterator[str]:
    try:
        patch_file.read(guarded.text(file))
    except guarded.Unreadable as error:
        yield f"{name}: {error}"


def visible(folder: Path) -> list[Path]:
    """The files of a folder that do not hide, by name."""
    return sorted(file for file in folder.glob("*") if not file.name.startswith("."))
