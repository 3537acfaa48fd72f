"""What a ``pyproject.toml`` requires."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from layerforge.core import guarded
from layerforge.core.errors import UsageError
from layerforge.resolve import uv_sources
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.listed import Listed, sorted_out, unreadable

PROJECT = "pyproject.toml"


def project(path: Path) -> dict[str, Any]:
    """What a ``pyproject.toml`` holds. Raises ``RecipeError``."""
    try:
        return guarded.toml(guarded.text(path))
    except guarded.Unreadable as error:
        raise unreadable(path, error) from error


def of_project(path: Path, data: dict[str, Any]) -> Listed:
    """What the tables of a project file require."""
    table = data.get("project", {})
    if not isinstance(table, dict):
        raise RecipeError(f"{path}: project must be a table", hint="mend it, or name a requirements file")
    if "dependencies" in _list(table.get("dynamic")):
        raise _dynamic(path, data)
    if not table:
        raise _no_project(path)
    found = table.get("dependencies", [])
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise RecipeError(f"{path}: project.dependencies must be a list of texts", hint='such as ["pandas>=3"]')
    listed = sorted_out([(f"{path.name}: {one}", one) for one in found])
    names = {canonicalize_name(guarded.requirement(one).name) for one in listed.requires}
    more, wrong = uv_sources.sources(path, data, names)
    # uv reads the file itself, so what stands there is replaced and not added.
    return replace(listed, text="", local=(), instead=(*listed.local, *more), refused=(*listed.refused, *wrong))


def _no_project(path: Path) -> UsageError:
    message = f"{path} has no [project] that lists dependencies"
    beside = path.parent / "requirements.txt"
    if path.name == PROJECT and beside.is_file():
        return UsageError(message, hint=f"`{shlex.join(['layerforge', 'build', str(beside)])}`")
    return UsageError(message, hint="name a requirements file")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dynamic(path: Path, data: dict[str, Any]) -> UsageError:
    value: Any = data
    for key in ("tool", "setuptools", "dynamic", "dependencies", "file"):
        value = value.get(key) if isinstance(value, dict) else None
    files = [value] if isinstance(value, str) else _list(value)
    hint = f"`{shlex.join(['uv', 'build', '--wheel', str(path.parent)])}`, then name the wheel in its dist/"
    if files and all(isinstance(one, str) for one in files):
        command = shlex.join(["layerforge", "build", *(str(path.parent / one) for one in files)])
        hint = f"name the file that they come from: `{command}`"
    return UsageError(f"{path}: its dependencies are dynamic, so only a build of the project knows them", hint=hint)
