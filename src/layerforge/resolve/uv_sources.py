"""Where a project of uv's has its dependencies from, as far as no index gives them: ``[tool.uv.sources]``."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from layerforge.core import guarded
from layerforge.resolve.wheel_source import Form, NoSource, WheelSource, read

_PROJECT = "pyproject.toml"
_MOST_MEMBERS = 1000
"""Folders of a workspace that are looked at."""


def sources(path: Path, data: dict[str, Any], names: Collection[str]) -> tuple[list[str], list[str]]:
    """What wheels are made of for those dependencies of a project at ``path`` that have one of ``names``, normalised.

    As texts that ``wheel_source.read`` reads; and what is wrong with others, a line each.
    """
    found: list[str] = []
    wrong: list[str] = []
    for name, rows in _table(data, "tool", "uv", "sources").items():
        normal = canonicalize_name(str(name))
        for row in rows if isinstance(rows, list) else [rows]:
            if normal not in names or not isinstance(row, dict):
                continue
            try:
                source = _source(path, normal, row)
            except NoSource as error:
                wrong.append(f"{path.name}: tool.uv.sources of {normal}: {error}")
                continue
            if source is not None:
                found.append(source.text)
    return found, wrong


def _source(path: Path, name: str, row: dict[str, Any]) -> WheelSource | None:
    """What a row of the table points to; ``None`` for an index, or a wheel, which uv takes itself."""
    marker = f" ; {row['marker']}" if isinstance(row.get("marker"), str) else ""
    below = row.get("subdirectory")
    fragment = f"#subdirectory={below}" if isinstance(below, str) else ""
    if isinstance(place := row.get("path"), str):
        return read(f"{name} @ {place}{marker}", (path.parent,))
    if isinstance(place := row.get("git"), str):
        ref = next((row[key] for key in ("rev", "tag", "branch") if isinstance(row.get(key), str)), "")
        address = f"git+{place.removeprefix('git+')}{f'@{ref}' if ref else ''}{fragment}"
        return read(f"{name} @ {address}{marker}")
    if isinstance(place := row.get("url"), str):
        return read(f"{name} @ {place}{fragment}{marker}")
    if row.get("workspace") is True:
        folder = _member(path.parent.resolve(), name)
        if folder is None:
            raise NoSource("no member of its workspace is called so")
        return WheelSource(form=Form.FOLDER, place=str(folder), name=name)
    return None


def _member(folder: Path, name: str) -> Path | None:
    """The folder of a workspace's project of that name; the workspace's root lies in ``folder`` or above it."""
    for above in (folder, *folder.parents):
        table = _table(_read(above / _PROJECT), "tool", "uv").get("workspace")
        if isinstance(table, dict):
            places = (one for one in [above, *_members(above, table)] if _name(one) == name)
            return next(places, None)
    return None


def _members(root: Path, table: dict[str, Any]) -> Iterator[Path]:
    globs = table.get("members")
    seen = 0
    for glob in globs if isinstance(globs, list) else []:
        if not isinstance(glob, str) or glob.startswith("/") or ".." in glob.split("/") or not glob:
            continue
        for place in sorted(root.glob(glob)):
            seen += 1
            if seen > _MOST_MEMBERS:
                return
            if (place / _PROJECT).is_file():
                yield place


def _name(folder: Path) -> str:
    name = _table(_read(folder / _PROJECT), "project").get("name")
    return canonicalize_name(name) if isinstance(name, str) else ""


def _read(path: Path) -> dict[str, Any]:
    try:
        return guarded.toml(guarded.text(path)) if path.is_file() else {}
    except guarded.Unreadable:
        return {}


def _table(value: Any, *keys: str) -> dict[str, Any]:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}
