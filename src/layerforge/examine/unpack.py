"""Unpacking an archive for its checks, so that nothing can be written outside the given folder."""

from __future__ import annotations

import errno
import os
import posixpath
from collections.abc import Iterable
from pathlib import Path

from layerforge.core.errors import VerificationError
from layerforge.core.paths import OPT
from layerforge.examine import zip_content, zip_directory
from layerforge.examine.zip_directory import Bytes, ZipEntry

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What a disk says for which the archive is not to blame."""


def unpack(path: Path, into: Path) -> None:
    """Writes the files of the archive at ``path`` below ``into``, which must be empty or absent, as Lambda does below
    ``/opt``. Modes and dates are kept; an absolute link into ``/opt`` becomes a relative one.

    Raises ``VerificationError`` where an entry would leave ``into``, what ``examine`` raises, and the ``OSError`` as it
    comes where the disk has no room.
    """
    with zip_content.opened(path) as data:
        _unpack(data, path, into)


def _unpack(data: Bytes, path: Path, into: Path) -> None:
    entries = zip_directory.entries(data, path)
    _refuse(path, (f"{entry.name!r} {entry.unsafe}" for entry in entries if entry.unsafe))
    root = into.resolve()
    root.mkdir(parents=True, exist_ok=True)
    try:
        # Links come last: while files are written, no path can lead through one.
        for entry in entries:
            if not entry.is_link and not entry.is_folder:
                _write(root / entry.name, zip_content.pieces(data, entry), entry)
        for entry in entries:
            if entry.is_link:
                _link(root, entry.name, zip_content.content(data, entry))
        _open_folders(root)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            raise
        raise VerificationError(
            f"{path} cannot be unpacked: {error}",
            hint="`layerforge inspect` lists the entries; two of them need the same place, or a name is too long",
        ) from error
    _refuse(path, (f"{entry.name!r} leads out of the layer" for entry in entries if _escapes(root, entry)))


def _refuse(path: Path, reasons: Iterable[str]) -> None:
    details = tuple(reasons)
    if details:
        raise VerificationError(
            f"{path} is not unpacked: {len(details)} of its entries would be written outside of it",
            hint="make the archive again from a folder that you trust",
            details=details[:10],
        )


def _write(place: Path, pieces: Iterable[bytes], entry: ZipEntry) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("xb") as file:
        file.writelines(pieces)
    place.chmod(entry.mode & 0o777 or 0o644)
    # Bytecode may be bound to the date of its source.
    os.utime(place, (entry.mtime, entry.mtime))


def _open_folders(root: Path) -> None:
    """Lets every user look into the folders, whatever this process's umask is: a layer is run as another one."""
    for folder, _, _ in os.walk(root):
        Path(folder).chmod(0o755)


def _link(root: Path, name: str, content: bytes) -> None:
    """Makes a link. Its folder is made of true folders, unless another link came before, which ``_escapes`` sees."""
    target = os.fsdecode(content)
    if target.startswith(OPT):
        target = posixpath.relpath(target.removeprefix(OPT), posixpath.dirname(name) or ".")
    place = root / name
    if not place.parent.resolve().is_relative_to(root):
        raise VerificationError(
            f"{name!r} lies behind a link that leads out of the layer", hint="make the archive again"
        )
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)


def _escapes(root: Path, entry: ZipEntry) -> bool:
    return entry.is_link and not Path(os.path.realpath(root / entry.name)).is_relative_to(root)
