"""``poetry.lock``. From 2.1 on (Poetry 2) a package says for which groups and where it counts; before that, what the
project requires is followed from package to package.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from layerforge.core import guarded
from layerforge.core.runtimes import Target
from layerforge.resolve import poetry_project
from layerforge.resolve.lock import Lock, Pin
from layerforge.resolve.other_locks import lambdas, poetry_graph
from layerforge.resolve.other_locks.other_lock import (
    Local,
    OtherLock,
    command_in,
    elsewhere,
    ill,
    local,
    sorted_out,
    sound,
    text_of,
)
from layerforge.resolve.other_locks.poetry_graph import Row
from layerforge.resolve.project_file import PROJECT, project
from layerforge.resolve.wanted import Wanted, wanted

FILE = "poetry.lock"
MAIN = "main"
_SSH = re.compile(r"(?P<user>[\w.-]+@[\w.-]+):(?P<path>[^/].*)")


@dataclass(frozen=True, kw_only=True)
class _Metadata:
    """``[metadata]`` of the file."""

    lock_version: str = "1.0"
    python_versions: str = ""
    files: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _File:
    """What the file holds."""

    package: list[Row] = field(default_factory=list)
    metadata: _Metadata
    extras: dict[str, list[str]] = field(default_factory=dict)

    @property
    def tells_groups(self) -> bool:
        """Whether packages say for which groups they count."""
        return _numbers(self.metadata.lock_version) >= (2, 1)


def read(path: Path, asked: Wanted, _project: str = "") -> OtherLock:
    """What a file locks of what is asked for. Raises ``LockError`` where it cannot be read, or lacks a hash."""
    renew = command_in(path.parent, "poetry lock")
    file = _parsed(path, renew)
    marker_of = partial(_by_groups, asked) if file.tells_groups else _by_graph(file, asked, path, renew)
    pins, others = sorted_out(
        file.package, lambda row: _entry(row, marker_of(row), path, file), lambda row: row.name, path, renew
    )
    return OtherLock(
        path=path,
        renew=renew,
        lock=Lock(pins=pins),
        locals=others,
        requires_python=poetry_project.python(file.metadata.python_versions),
        offered=_offered(file, path),
        indexes=elsewhere(_index(row) for row in file.package),
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(one) for one in re.findall(r"\d+", version)[:2])


def _parsed(path: Path, renew: str) -> _File:
    try:
        data = guarded.toml(text_of(path, renew))
        file = guarded.as_(_spelled(data), _File)
    except guarded.Unreadable as error:
        raise ill(path, renew, str(error)) from error
    if not file.package or file.tells_groups or _numbers(file.metadata.lock_version) >= (1, 1):
        return file
    raise ill(path, renew, f"its format, {file.metadata.lock_version}, does not say which file has which hash")


def _spelled(data: Mapping[str, Any]) -> dict[str, Any]:
    """The tables with their keys as fields have them; ``extras`` of a package is no field of its."""
    rows = data.get("package", [])
    metadata = data.get("metadata")
    return {
        "package": [_fields(row) if isinstance(row, dict) else row for row in rows] if isinstance(rows, list) else rows,
        **({"metadata": _fields(metadata)} if isinstance(metadata, dict) else {}),
        "extras": data.get("extras", {}),
    }


def _fields(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key.replace("-", "_"): value for key, value in table.items()}


def _offered(file: _File, path: Path) -> Wanted:
    """The extras and groups that the file holds; before 2.1 it does not say which groups, and the project does."""
    if file.tells_groups:
        return wanted(file.extras, sorted({one for row in file.package for one in row.groups} - {MAIN}))
    return wanted(file.extras, poetry_graph.groups_of(_project_of(path)))


def _project_of(path: Path) -> Mapping[str, Any]:
    beside = path.parent / PROJECT
    return project(beside) if beside.is_file() else {}


def _by_groups(asked: Wanted, row: Row) -> str | None:
    """Where a package counts; ``None`` where nowhere. Raises ``ValueError``."""
    own = [one for one in map(canonicalize_name, row.groups) if one in (MAIN, *asked.groups)]
    marks = [row.markers if isinstance(row.markers, str) else row.markers.get(one, "") for one in own]
    return lambdas.where(partial(_any, marks, asked.extras))


def _any(marks: Iterable[str], extras: Iterable[str], target: Target) -> bool:
    return any(lambdas.applies(one, target, extras) for one in marks)


def _by_graph(file: _File, asked: Wanted, path: Path, renew: str) -> Callable[[Row], str | None]:
    """The same for a file that does not say so."""
    data = _project_of(path)
    if not data:
        details = (f"its format, {file.metadata.lock_version}, tells what counts only with the {PROJECT} beside it",)
        raise ill(path, renew, *details)
    try:
        counts = {id(row): marker for row, marker in poetry_graph.counting(file.package, data, asked)}
    except ValueError as error:
        raise ill(path, renew, str(error)) from error
    return lambda row: counts.get(id(row))


def _index(row: Row) -> str:
    return str(row.source.get("url", "")) if row.source.get("type") == "legacy" else ""


def _entry(row: Row, marker: str | None, path: Path, file: _File) -> Pin | Local | None:
    """A row as a pin, or as what becomes a wheel first; ``None`` where it counts nowhere. Raises ``ValueError``."""
    if marker is None:
        return None
    name, place = canonicalize_name(row.name), str(row.source.get("url", ""))
    files = row.files or [one for one in file.metadata.files.get(row.name, ()) if _is_of(one, row)]
    hashes = [str(each.get("hash")) for each in files]
    match row.source.get("type"):
        case "git":
            below = f"#subdirectory={row.source['subdirectory']}" if row.source.get("subdirectory") else ""
            return local(name, f"git+{_git(place)}@{row.source.get('resolved_reference', '')}{below}", marker)
        case "directory":
            return local(name, (path.parent / place).resolve().as_uri(), marker)
        case "file" | "url" as kind:
            address = place if kind == "url" else (path.parent / place).resolve().as_uri()
            if not address.partition("#")[0].endswith(".whl"):
                return local(name, address, marker, hashes)
            return Pin(name=name, version="", hashes=sound(hashes), marker=marker, address=address)
        case _:
            return Pin(name=name, version=row.version, hashes=sound(hashes), marker=marker)


def _git(address: str) -> str:
    """The address of a repository as requirements have it."""
    short = _SSH.fullmatch(address)
    return f"ssh://{short['user']}/{short['path']}" if short else address


def _is_of(file: Mapping[str, Any], row: Row) -> bool:
    """Whether a file is of a row's version: before 2.0 those of all versions stand together."""
    rest: Iterable[str] = re.split(r"[-_]", str(file.get("file", "")).removesuffix(".tar.gz").removesuffix(".zip"))
    return row.version in rest
