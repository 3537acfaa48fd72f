"""What a project says for every run: ``layerforge.toml``, or ``[tool.layerforge]`` of its ``pyproject.toml``."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import msgspec

from layerforge.core import guarded
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.project_file import PROJECT

FILE = "layerforge.toml"


@dataclass(frozen=True, kw_only=True)
class ProjectSettings:
    """The settings of a project. Every one may be missing."""

    store: str = ""
    """Where its team shares what was made."""
    trusted_keys: tuple[str, ...] = ()
    """Public keys whose records of the store count, each ``team:BASE64``."""


NOTHING = ProjectSettings()
_KEYS = tuple(one.name.replace("_", "-") for one in fields(ProjectSettings))


def project_settings(folder: Path) -> ProjectSettings:
    """The settings of the project in ``folder``. Raises ``RecipeError`` for a file that cannot be understood."""
    own = folder / FILE
    if own.is_file():
        return _of_table(_toml(own), str(own))
    project = folder / PROJECT
    tool = _toml(project).get("tool") if project.is_file() else None
    table = tool.get("layerforge") if isinstance(tool, dict) else None
    return _of_table(table, f"{project} [tool.layerforge]") if table is not None else NOTHING


def _toml(path: Path) -> dict[str, Any]:
    try:
        return guarded.toml(guarded.text(path))
    except guarded.Unreadable as error:
        if path.name == PROJECT:  # it may be anybody's; whoever is to read it for a layer says what is wrong
            return {}
        raise RecipeError(f"{path} is not TOML", hint="mend the line that is named", details=(str(error),)) from error


def _of_table(table: Any, where: str) -> ProjectSettings:
    if not isinstance(table, dict):
        raise RecipeError(f"{where} must be a table", hint=f"it may have {', '.join(_KEYS)}")
    problems = [*map(_unknown, sorted(table.keys() - {*_KEYS})), *_ill_typed(table)]
    if problems:
        raise RecipeError(f"{where} cannot be understood", hint="mend what is named", details=tuple(problems))
    return ProjectSettings(store=table.get("store", ""), trusted_keys=tuple(table.get("trusted-keys", ())))


def _unknown(key: str) -> str:
    near = difflib.get_close_matches(key, _KEYS, 1)
    return f"{key} is no key of it" + (
        f"; perhaps you meant {near[0]}" if near else f": it may have {', '.join(_KEYS)}"
    )


def _ill_typed(table: dict[str, Any]) -> list[str]:
    found = []
    for key, kind, what in (("store", str, "a text"), ("trusted-keys", list[str], "a list of texts")):
        try:
            msgspec.convert(table.get(key, kind() if kind is str else []), kind, strict=True)
        except msgspec.ValidationError:
            found.append(f"{key} must be {what}")
    return found
