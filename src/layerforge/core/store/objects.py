"""Where a team's values lie: named bytes in a place that many machines share. A Protocol, and a folder that fits it."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from layerforge.core import faults, guarded
from layerforge.core.errors import StoreError

MOST = 4 * 2**30
"""Bytes that an object may have."""

MARK = "layerforge-store.json"
"""Name of an object that every far store has, once something was put there: that it can be read shows that the place
is a store and that its objects may be read, which some places do not tell from absence."""


_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})
"""How file systems say that they have no hard links."""


_FULL = "free some space there; `layerforge cache clear --shared --older-than 90d` removes what is old"

_FOREIGN = {errno.ELOOP: "it is a link, which is not followed", errno.EISDIR: "it is no regular file"}


class FarStoreError(StoreError):
    """A place that many machines share cannot be used."""


class FarReadOnlyError(FarStoreError):
    """It can be read, but nothing can be put there."""


class ForeignObjectError(FarStoreError):
    """What has one name there is no object of a store, or larger than what is asked for; the others can be used."""


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

    Names are parts of ``[a-zA-Z0-9._-]`` with slashes between them, and no part begins with a dot. Every method raises
    ``FarStoreError`` where the place cannot be reached or refuses, after it has tried again what may pass; ``create``
    and ``remove`` raise ``FarReadOnlyError`` where only they are refused, ``read`` and ``size`` ``ForeignObjectError``
    where the fault is with that one name.
    """

    @property
    def place(self) -> str:
        """As a user names it: ``s3://bucket/prefix``, or a folder."""

    def read(self, name: str, most: int = MOST) -> bytes | None:
        """The bytes of an object, ``most`` of them at most; ``None`` where there is none."""

    def size(self, name: str) -> int | None:
        """How many bytes an object has, without reading it; ``None`` where there is none."""

    def create(self, name: str, data: bytes) -> bool:
        """Makes an object, whole or not at all. Returns ``False`` where there is one of that name already.

        That one may be one's own, of a try whose answer was lost: what is there tells, not who made it.
        """

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

    def read(self, name: str, most: int = MOST) -> bytes | None:
        """The bytes of a file."""
        try:
            return guarded.data(self.root / name, most, follow=False)
        except guarded.Unreadable as error:
            cause = error.__cause__
            if isinstance(cause, FileNotFoundError | NotADirectoryError):
                return None
            foreign = _FOREIGN.get(cause.errno or 0) if isinstance(cause, OSError) else str(error)
            if isinstance(cause, OSError) and not foreign:
                raise self._failed(cause) from error
            raise self._foreign(name, foreign or "") from error

    def size(self, name: str) -> int | None:
        """The size of a file."""
        try:
            facts = (self.root / name).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._failed(error) from error
        if not stat.S_ISREG(facts.st_mode):
            raise self._foreign(name, _FOREIGN[errno.ELOOP if stat.S_ISLNK(facts.st_mode) else errno.EISDIR])
        return facts.st_size

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
                return self._link(partial, path)
            finally:
                with suppress(OSError):
                    partial.unlink()
        except OSError as error:
            raise self._failed(error, writing=True) from error

    def _link(self, partial: Path, path: Path) -> bool:
        try:
            os.link(partial, path)
        except FileExistsError:
            return False
        except OSError as error:
            # The partial file could be written in the same folder, so it is no matter of rights.
            if error.errno not in _NO_LINKS:
                raise
            raise FarStoreError(
                f"the disk of {self.root} has no hard links, by which an object is made only once",
                hint="name with --store a folder on a file system that has them, such as ext4, XFS or NFS",
                details=(str(error),),
            ) from error
        return True

    def listed(self, below: str = "") -> Iterator[Listed]:
        """Every file whose name starts with ``below``, and what stands there in place of one, but for folders."""
        folder = self.root / below if below.endswith("/") or not below else (self.root / below).parent
        try:
            # A name is in the order of its text, as in S3, which a path is not: a hyphen comes before a slash.
            for name in sorted(name for name in self._names(folder) if name.startswith(below)):
                with suppress(FileNotFoundError):
                    facts = (self.root / name).lstat()
                    if not stat.S_ISDIR(facts.st_mode):
                        yield Listed(name=name, size=facts.st_size, modified=facts.st_mtime)
        except OSError as error:
            raise self._failed(error) from error

    def _names(self, folder: Path) -> Iterator[str]:
        for place, folders, files in os.walk(folder, onerror=_unless_absent):
            folders[:] = [name for name in folders if not name.startswith(".")]
            below = Path(place).relative_to(self.root)
            links = [name for name in folders if (Path(place) / name).is_symlink()]
            yield from ((below / name).as_posix() for name in (*links, *files) if not name.startswith("."))

    def remove(self, names: Iterable[str]) -> None:
        """Removes files."""
        for name in names:
            try:
                (self.root / name).unlink(missing_ok=True)
            except OSError as error:
                raise self._failed(error, writing=True) from error

    def _foreign(self, name: str, why: str) -> ForeignObjectError:
        return ForeignObjectError(
            f"{self.root / name} is no object of a store: {why}", hint="layerforge did not put it there: move it away"
        )

    def _failed(self, error: OSError, *, writing: bool = False) -> FarStoreError:
        if not writing and error.errno in {errno.EACCES, errno.EPERM}:
            hint = "name with --store a folder that you may read"
            return FarStoreError(f"{self.root} may not be read", hint=hint, details=(str(error),))
        told = faults.of(error, self.root, "name with --store")
        unwritable = writing and error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}
        kind = FarReadOnlyError if unwritable else FarStoreError
        hint = _FULL if error.errno in {errno.ENOSPC, errno.EDQUOT} else told.hint
        return kind(told.message, hint=hint, details=told.details)


def _unless_absent(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error
