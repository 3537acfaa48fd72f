"""``Pipfile.lock``, which Pipenv writes as JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from layerforge.core import guarded
from layerforge.core.errors import UsageError
from layerforge.resolve import poetry_project
from layerforge.resolve.lock import Lock, Pin
from layerforge.resolve.other_locks import lambdas
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
from layerforge.resolve.wanted import Wanted, wanted

FILE, PIPFILE = "Pipfile.lock", "Pipfile"
_DEFAULT = "default"


@dataclass(frozen=True, kw_only=True)
class _Row:
    """A package of the file."""

    version: str = ""
    hashes: list[str] = field(default_factory=list)
    markers: str = ""
    extras: list[str] = field(default_factory=list)
    index: str = ""
    git: str = ""
    ref: str = ""
    subdirectory: str = ""
    path: str = ""
    file: str = ""


@dataclass(frozen=True, kw_only=True)
class _File:
    """What the file holds."""

    sections: Mapping[str, Mapping[str, _Row]]
    """Packages by category, ``default`` first."""
    sources: Mapping[str, str]
    """Addresses of indexes by name."""
    python: str

    @property
    def categories(self) -> tuple[str, ...]:
        """Those that do not always count."""
        return tuple(name for name in self.sections if name != _DEFAULT)


def read(path: Path, asked: Wanted, _project: str = "") -> OtherLock:
    """What a file locks of what is asked for: its packages, and those of the categories that are asked for as groups.

    Raises ``LockError`` where it cannot be read, or lacks a hash.
    """
    renew = command_in(path.parent, "pipenv lock")
    file = _parsed(path, renew)
    sections = [_DEFAULT, *(one for one in file.categories if canonicalize_name(one) in asked.groups)]
    rows = {name: row for section in reversed(sections) for name, row in file.sections.get(section, {}).items()}
    pins, others = sorted_out(rows.items(), lambda one: _entry(*one, path), lambda one: one[0], path, renew)
    return OtherLock(
        path=path,
        renew=renew,
        lock=Lock(pins=pins),
        locals=others,
        requires=_required(path, sections),
        requires_python=file.python,
        offered=wanted((), file.categories),
        indexes=elsewhere(file.sources.get(row.index, "") for row in rows.values() if row.version),
    )


def lock_of(pipfile: Path) -> Path:
    """The lock beside a ``Pipfile``. Raises ``UsageError`` where there is none."""
    path = pipfile.with_name(FILE)
    if not path.is_file():
        command = command_in(pipfile.parent, "pipenv lock")
        raise UsageError(f"{pipfile} has no {FILE} beside it", hint=f"write it with `{command}`")
    return path


def _parsed(path: Path, renew: str) -> _File:
    try:
        data = guarded.json_as(text_of(path, renew), dict[str, Any])
        meta = guarded.as_(data.pop("_meta", {}), dict[str, Any])
        sections = guarded.as_(data, dict[str, dict[str, _Row]])
        sources = guarded.as_(meta.get("sources", []), list[dict[str, Any]])
        requires = guarded.as_(meta.get("requires", {}), dict[str, str])
    except guarded.Unreadable as error:
        raise ill(path, renew, str(error)) from error
    return _File(
        sections=sections,
        # What names no index may come from any; the first is where all is looked for.
        sources={"": "", **{str(one.get("name")): str(one.get("url", "")) for one in sources[1:]}},
        python=_python(requires),
    )


def _python(requires: Mapping[str, str]) -> str:
    named = requires.get("python_version") or requires.get("python_full_version") or ""
    match = re.match(r"3\.\d+", named)
    return f"=={match[0]}.*" if match else ""


def _is_own(row: _Row, path: Path) -> bool:
    return bool(row.path) and (path.parent / row.path).resolve() == path.resolve().parent


def _entry(name: str, row: _Row, path: Path) -> Pin | Local | None:
    """A row as a pin, or as what becomes a wheel first; ``None`` where it counts nowhere. Raises ``ValueError``."""
    name, marker = canonicalize_name(name), lambdas.where(lambda target: lambdas.applies(row.markers, target))
    if marker is None or _is_own(row, path):
        return None
    if row.git:
        below = f"#subdirectory={row.subdirectory}" if row.subdirectory else ""
        return local(name, f"git+{row.git.removeprefix('git+')}@{row.ref}{below}", marker)
    if row.path or row.file:
        address = row.file if "://" in row.file else (path.parent / (row.file or row.path)).resolve().as_uri()
        if not address.partition("#")[0].endswith(".whl"):
            return local(name, address, marker, row.hashes)
        return Pin(name=name, version="", hashes=sound(row.hashes), marker=marker, address=address)
    version = row.version.removeprefix("==").strip()
    if version == row.version or not re.fullmatch(r"[^\s*,<>=!~]+", version):
        raise ValueError(f"its version is {row.version!r}, which is not exact")
    return Pin(
        name=name,
        version=version,
        hashes=sound(row.hashes),
        marker=marker,
        extras=tuple(sorted(canonicalize_name(one) for one in row.extras)),
    )


def _required(path: Path, sections: list[str]) -> tuple[str, ...]:
    """What the ``Pipfile`` beside asks for, as far as it can be read, so that a lock is found out that is older."""
    try:
        data = guarded.toml(guarded.text(path.with_name(PIPFILE)))
    except guarded.Unreadable:
        return ()
    tables = [data.get("packages" if one == _DEFAULT else one) for one in sections]
    rows = [(name, row) for table in tables if isinstance(table, dict) for name, row in table.items()]
    texts = [text for name, row in rows for text in poetry_project.texts(name, row) if "@" not in text]
    return tuple(str(one) for text in texts if (one := _read(text)) is not None)


def _read(text: str) -> Any:
    try:
        return guarded.requirement(text)
    except guarded.Unreadable:
        return None  # Pipenv has words of its own for markers
