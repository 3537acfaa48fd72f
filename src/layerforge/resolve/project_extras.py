"""The extras and dependency groups of a ``pyproject.toml``: those that there are, and what they require."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from layerforge.core import guarded
from layerforge.resolve import poetry_project
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.wanted import Wanted, wanted

_DEV = "dev"


def offered(data: Mapping[str, Any]) -> Wanted:
    """The extras and groups that a project has."""
    return wanted(_extras(data), [*_groups(data), *_others(data)])


def by_uv(data: Mapping[str, Any], asked: Wanted) -> Wanted:
    """Those that uv finds in the file itself."""
    return asked.within(wanted(_table(data, "project", "optional-dependencies"), _groups(data)))


def required(path: Path, data: Mapping[str, Any], asked: Wanted) -> list[tuple[str, str]]:
    """What extras and groups that a project has require, each with where it stands. Raises ``RecipeError``."""
    found = [(f"{path.name}: {text}", text) for name in asked.extras for text in _of_extra(path, data, name, ())]
    for name in asked.groups:
        lines = _others(data).get(name) if name not in _named(_groups(data)) else _of_group(path, data, name, ())
        found += [(f"{path.name}: {text}", text) for text in lines or ()]
    return list(dict.fromkeys(found))


def _table(data: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    value: Any = data
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _named(table: Mapping[str, Any]) -> dict[str, Any]:
    """A table by normalised names."""
    return {canonicalize_name(name): value for name, value in table.items()}


def _groups(data: Mapping[str, Any]) -> Mapping[str, Any]:
    return _table(data, "dependency-groups")


def _extras(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Extras, of the project's own table or of Poetry's."""
    return _table(data, "project", "optional-dependencies") or poetry_project.extras(data)


def _others(data: Mapping[str, Any]) -> dict[str, list[str]]:
    """Groups as tools had them before there was a standard."""
    found = poetry_project.groups(data)
    uvs = _table(data, "tool", "uv").get("dev-dependencies")
    if isinstance(uvs, list):
        found.setdefault(_DEV, []).extend(one for one in uvs if isinstance(one, str))
    return found


def _of_extra(path: Path, data: Mapping[str, Any], name: str, above: tuple[str, ...]) -> Iterator[str]:
    """What an extra requires, with that of the project's other extras that it names."""
    lines = _texts(_named(_extras(data)).get(name, []), f"{path}: project.optional-dependencies.{name}")
    own = canonicalize_name(str(_table(data, "project").get("name", "")))
    for text in lines:
        others = _own_extras(text, own)
        if others is None:
            yield text
        for other in sorted(others or ()):
            if other not in (*above, name):
                yield from _of_extra(path, data, other, (*above, name))


def _own_extras(text: str, own: str) -> frozenset[str] | None:
    """The extras that a requirement of the project itself names; ``None`` for another package's."""
    try:
        requirement = guarded.requirement(text)
    except guarded.Unreadable:
        return None  # it is told where all requirements are
    if canonicalize_name(requirement.name) != own:
        return None
    return frozenset(canonicalize_name(one) for one in requirement.extras)


def _of_group(path: Path, data: Mapping[str, Any], name: str, above: tuple[str, ...]) -> Iterator[str]:
    """What a group requires, with the groups that it includes (PEP 735)."""
    where, groups = f"{path}: dependency-groups.{name}", _named(_groups(data))
    if name in above:
        raise RecipeError(f"{where} includes itself", hint="take one include-group out")
    if name not in groups:
        raise RecipeError(f"{path}: dependency-groups.{above[-1]} includes {name}, which is no group", hint="mend it")
    rows = groups[name]
    for row in rows if isinstance(rows, list) else [rows]:
        if isinstance(row, dict) and isinstance(other := row.get("include-group"), str):
            yield from _of_group(path, data, canonicalize_name(other), (*above, name))
        else:
            yield from _texts([row], where)


def _texts(rows: Any, where: str) -> Iterable[str]:
    if not isinstance(rows, list) or not all(isinstance(one, str) for one in rows):
        raise RecipeError(f"{where} must be a list of texts", hint='such as ["pandas>=3"]')
    return rows
