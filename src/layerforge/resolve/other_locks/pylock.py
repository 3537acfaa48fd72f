"""``pylock.toml`` and ``pylock.NAME.toml``, the format of the standards (PEP 751)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from packaging.pylock import Package, Pylock, PylockValidationError
from packaging.utils import parse_wheel_filename

from layerforge.core import guarded
from layerforge.core.runtimes import Target
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

_NAMED = re.compile(r"pylock\.([^.]+)\.toml")
_RENEW = {
    "uv": "uv export --format pylock.toml -o {}",
    "pdm": "pdm lock",
    "pip": "pip lock -o {} .",
    "poetry-plugin-export": "poetry export --format pylock.toml -o {}",
}
"""Commands by what wrote the file."""


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """A file and what is wanted of it."""

    path: Path
    file: Pylock
    asked: Wanted

    @property
    def offered(self) -> Wanted:
        """Extras and groups beside those groups that always count."""
        always = self.file.default_groups or ()
        return wanted(self.file.extras or (), [one for one in self.file.dependency_groups or () if one not in always])

    def counts(self, row: Package, target: Target) -> bool:
        """Whether a package counts on a target."""
        groups = {*(self.file.default_groups or ()), *self.asked.groups}
        return row.marker is None or lambdas.applies(str(row.marker), target, self.asked.extras, groups)

    def serves(self, target: Target) -> bool:
        """Whether the file is for a target at all."""
        every = self.file.environments
        return not every or any(lambdas.applies(str(one), target) for one in every)

    def is_own(self, row: Package) -> bool:
        """Whether a package is the project itself."""
        return row.directory is not None and _place(self.path, row.directory.path) == self.path.resolve().parent

    def entry(self, row: Package) -> Pin | Local | None:
        """What a package is; ``None`` where it counts for no target. Raises ``ValueError``."""
        marker = lambdas.where(lambda target: self.counts(row, target))
        return None if marker is None or self.is_own(row) else _entry(row, marker, self.path)


def read(path: Path, asked: Wanted, _project: str = "") -> OtherLock:
    """What a file locks of what is asked for. Raises ``LockError`` where it cannot be read, or lacks a hash."""
    file = _parsed(path)
    reading = _Reading(path=path, file=file, asked=asked)
    renew = _renew(path, file.created_by)
    pins, others = sorted_out(file.packages, reading.entry, lambda row: row.name, path, renew)
    named = _NAMED.fullmatch(path.name)
    return OtherLock(
        path=path,
        renew=renew,
        lock=Lock(pins=pins),
        locals=others,
        name=next((row.name for row in file.packages if reading.is_own(row)), named[1] if named else ""),
        requires_python=str(file.requires_python or ""),
        offered=reading.offered,
        indexes=(
            *elsewhere(row.index or "" for row in file.packages if row.wheels or row.sdist),
            *_folders(file, path),
        ),
        only=lambdas.where(reading.serves),
    )


def _parsed(path: Path) -> Pylock:
    text = text_of(path, _RENEW["uv"].format(path.name))
    try:
        return Pylock.from_dict(guarded.toml(text))
    except (PylockValidationError, ValueError, TypeError, RecursionError) as error:
        raise ill(path, _RENEW["uv"].format(path.name), str(error)) from error


def _renew(path: Path, tool: str) -> str:
    return command_in(path.parent, _RENEW.get(tool.partition(" ")[0].lower(), _RENEW["uv"]).format(path.name))


def _place(path: Path, named: str) -> Path:
    return (path.parent / named).resolve()


def _entry(row: Package, marker: str, path: Path) -> Pin | Local:
    """A row as a pin, or as what becomes a wheel first. Raises ``ValueError``."""
    if row.vcs is not None:
        place = row.vcs.url or _place(path, row.vcs.path or "").as_uri()
        below = f"#subdirectory={row.vcs.subdirectory}" if row.vcs.subdirectory else ""
        return local(row.name, f"{row.vcs.type}+{place}@{row.vcs.commit_id}{below}", marker)
    if row.directory is not None:
        folder = row.directory.path + (f"/{row.directory.subdirectory}" if row.directory.subdirectory else "")
        return local(row.name, _place(path, folder).as_uri(), marker)
    if row.archive is not None:
        return _archive(row, marker, path)
    files = [one.hashes for one in row.wheels or ()] + ([row.sdist.hashes] if row.sdist else [])
    hashes = sound(f"sha256:{one.get('sha256', '').lower()}" for one in files)
    return Pin(name=row.name, version=_version(row), hashes=hashes, marker=marker)


def _archive(row: Package, marker: str, path: Path) -> Pin | Local:
    archive = row.archive
    assert archive is not None
    address = archive.url or _place(path, archive.path or "").as_uri()
    hashes = sound([f"sha256:{archive.hashes.get('sha256', '').lower()}"])
    if address.partition("#")[0].endswith(".whl"):
        return Pin(name=row.name, version="", hashes=hashes, marker=marker, address=address)
    below = f"#subdirectory={archive.subdirectory}" if archive.subdirectory else ""
    return local(row.name, address + below, marker, hashes)


def _version(row: Package) -> str:
    """A row's version, which may stand in the names of its files alone. Raises ``ValueError``."""
    if row.version is not None:
        return str(row.version)
    for wheel in row.wheels or ():
        return str(parse_wheel_filename(wheel.filename)[1])
    raise ValueError("it has no version")


def _folders(file: Pylock, path: Path) -> list[str]:
    """Options that name the folders of wheels which lie beside the file."""
    paths = [wheel.path for row in file.packages for wheel in row.wheels or () if wheel.path and not wheel.url]
    return [f"--find-links {folder}" for folder in dict.fromkeys(_place(path, one).parent for one in paths)]
