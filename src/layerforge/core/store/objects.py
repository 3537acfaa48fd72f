"""Where a team's values lie: named bytes in a place that many machines share. A Protocol, and a folder that fits it."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from layerforge.core import faults, guarded
from layerforge.core.errors import StoreError

MOST = 4 * 2**30
"""Bytes that an object may have."""


class FarStoreError(StoreError):
    """A place that many machines share cannot be used."""


class FarReadOnlyError(FarStoreError):
    """It can be read, but nothing can be put there."""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """An object, as a listing tells it."""

    name: str
    size: int
    """Bytes."""
    modified: float
    """Seconds since 1970, by the clock of the place."""


class Objects(Protocol):
    """Named bytes. A name is given once: nothing is ever written over. Fit for several threads.

    Names are parts of ``[a-zA-Z0-9._-]`` with slashes between them. Every method raises ``FarStoreError`` where the
    place cannot be reached or refuses, after it has tried again what may pass; ``create`` and ``remove`` raise
    ``FarReadOnlyError`` where only they are refused.
    """

    @property
    def place(self) -> str:
        """As a user names it: ``s3://bucket/prefix``, or a folder."""

    def read(self, name: str) -> bytes | None:
        """The bytes of an object; ``None`` where there is none."""

    def size(self, name: str) -> int | None:
        """How many bytes an object has, without reading it; ``None`` where there is none."""

    def create(self, name: str, data: bytes) -> bool:
        """Makes an object, whole or not at all. Returns ``False`` where there is one of that name already."""

    def listed(self, below: str = "") -> Iterator[Listed]:
        """Every object whose name starts with ``below``, in the order of the names."""

    def remove(self, names: Iterable[str]) -> None:
        """Removes objects; those that are not there are no error."""


@dataclass(frozen=True, kw_only=True)
class FolderObjects:
    """Objects as files of a folder, which may be on a disk that machines share.

    It needs no locks, which such disks are bad at: a file is written under a name of its own, and a link of its final
    name, which can be made only once, is what creates it.
    """

    root: Path

    @property
    def place(self) -> str:
        """The folder."""
        return str(self.root)

    def read(self, name: str) -> bytes | None:
        """The bytes of a file."""
        try:
            return guarded.data(self.root / name, MOST, follow=False)
        except guarded.Unreadable as error:
            cause = error.__cause__
            if isinstance(cause, FileNotFoundError | NotADirectoryError):
                return None
            raise self._failed(cause if isinstance(cause, OSError) else OSError(errno.EIO, str(error))) from error

    def size(self, name: str) -> int | None:
        """The size of a file."""
        try:
            return (self.root / name).lstat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._failed(error) from error

    def create(self, name: str, data: bytes) -> bool:
        """Makes a file by a link to one that is written whole."""
        path = self.root / name
        partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if os.path.lexists(path):
                return False
            try:
                with partial.open("xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.link(partial, path)
            finally:
                with suppress(OSError):
                    partial.unlink()
        except FileExistsError:
            return False
        except OSError as error:
            raise self._failed(error, writing=True) from error
        return True

    def listed(self, below: str = "") -> Iterator[Listed]:
        """Every file whose name starts with ``below``."""
        folder = self.root / below if below.endswith("/") or not below else (self.root / below).parent
        try:
            found = sorted(path for path in folder.rglob("*") if not path.name.startswith("."))
            for path in found:
                name = path.relative_to(self.root).as_posix()
                if name.startswith(below) and path.is_file() and not path.is_symlink():
                    with suppress(FileNotFoundError):
                        facts = path.lstat()
                        yield Listed(name=name, size=facts.st_size, modified=facts.st_mtime)
        except OSError as error:
            raise self._failed(error) from error

    def remove(self, names: Iterable[str]) -> None:
        """Removes files."""
        for name in names:
            try:
                (self.root / name).unlink(missing_ok=True)
            except OSError as error:
                raise self._failed(error, writing=True) from error

    def _failed(self, error: OSError, *, writing: bool = False) -> FarStoreError:
        told = faults.of(error, self.root, "name with --store")
        unwritable = writing and error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}
        kind = FarReadOnlyError if unwritable else FarStoreError
        return kind(told.message, hint=told.hint, details=told.details)
