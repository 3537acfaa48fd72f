"""Files that appear whole: one alone, or several together, whenever a process is killed.

Several are first written into a folder of their own, ``.layerforge-…``, which the process that writes holds a lock on.
Then a journal appears there, and from that moment on they are the ones that count: they are renamed into place, and
whoever writes into the same folder next finishes what a killed process left. Before that moment nothing outside of the
folder has changed, and the next one removes it.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from layerforge.core import guarded

PREFIX = ".layerforge-"
ALIVE = ".alive"
"""File in a folder that its process holds a lock on. A process number would say nothing in another container."""

_PARTIAL = ".part"
_DAY = 86_400.0
_FORWARD, _BACK = "forward", "back"
"""Names of the journal: while files go into place, and while those that stood there come back."""


def own_folder(place: Path, prefix: str) -> tuple[Path, int]:
    """A new folder in ``place`` that counts as in use until the handle is closed, which the process's end does too."""
    while True:
        folder = Path(tempfile.mkdtemp(dir=place, prefix=prefix))
        # Between the two steps somebody may have taken it for a dead one.
        with suppress(FileNotFoundError):
            handle = _lock(folder / ALIVE, fcntl.LOCK_EX)
            if _is_still(folder / ALIVE, handle):
                return folder, handle
            os.close(handle)


def _is_still(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(os.lstat(path), os.fstat(handle))
    except FileNotFoundError:
        return False


def _lock(path: Path, mode: int) -> int:
    """Opens and locks a file; the lock ends with the process at the latest. Raises ``BlockingIOError``."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    handle = os.open(path, flags, 0o600)
    try:
        fcntl.flock(handle, mode)
    except BaseException:
        os.close(handle)
        raise
    return handle


def remove(folder: Path) -> None:
    """Removes a folder of ``own_folder`` as far as that can be done, and its lock last, so that others can go on."""
    with suppress(OSError):
        for path in folder.iterdir():
            if path.name == ALIVE:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def clear_dead(place: Path, prefix: str) -> None:
    """Finishes and removes the folders whose processes have ended."""
    for folder in place.iterdir():
        if folder.name.startswith(prefix) and _is_mine(folder):
            if os.path.lexists(folder / ALIVE):
                _clear(folder)
            else:  # its process ended before it had begun; whatever holds more is not of our making
                with suppress(OSError):
                    folder.rmdir()


def _is_mine(folder: Path) -> bool:
    """Whether it is a folder, no link to one, and this user's: nobody else may have files put into place."""
    try:
        facts = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid()


_NO_LOCK = frozenset({errno.EISDIR, errno.ELOOP, errno.ENXIO})
"""What opening a lock answers that is a folder, a link or a socket. No process of ours holds such."""


def _clear(folder: Path) -> None:
    handle = None
    try:
        handle = _lock(folder / ALIVE, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _NO_LOCK:
            return
    try:
        # What cannot be settled now is left for the next one: it may hold the only copy.
        with suppress(OSError):
            _settle(folder)
            remove(folder)
    finally:
        if handle is not None:
            os.close(handle)


def write_atomically(path: Path, data: bytes, mode: int = 0o666, *, by: Path | None = None, head: bytes = b"") -> None:
    """Writes ``data`` to ``path`` so that no reader ever sees less than all of it. The umask takes from ``mode``.

    ``by`` is a folder of the same file system that it is first written to; without it, that of ``path``. ``head`` comes
    before the data, which need not be copied for that.
    """
    partial = (by or path.parent) / f".{secrets.token_hex(16)}{_PARTIAL}"
    try:
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(handle, "wb") as file:
            file.write(head)
            file.write(data)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def clear_partial(place: Path) -> None:
    """Removes what writers have left in ``place`` that were killed. No write takes a day."""
    for path in place.glob(f".*{_PARTIAL}"):
        with suppress(OSError):
            if time.time() - path.lstat().st_mtime > _DAY:
                path.unlink()


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """A line of the journal. What is new lies beside it under its number, what stood there under ``old-`` and that."""

    name: str
    size: int
    stood: bool
    """Whether there was one of that name before."""


def write_together(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes several files: all of them, or none, with whatever stood there before left as it was.

    Each appears whole, and the last one last, so whoever waits for it finds the others. A process that is killed in
    between leaves what the next call for the same folder finishes.
    """
    clear_dead(folder, PREFIX)
    own, handle = own_folder(folder, PREFIX)
    try:
        _prepare(folder, own, files)
        _settle(own)
    finally:
        if not any((own / name).exists() for name in (_FORWARD, _BACK)):
            remove(own)
        os.close(handle)


def _prepare(folder: Path, own: Path, files: Mapping[str, bytes]) -> None:
    """Puts new and old files into ``own``, and the journal last."""
    entries: list[_Entry] = []
    for number, (name, data) in enumerate(files.items()):
        place = folder / name
        if place.is_dir() and not place.is_symlink():
            raise IsADirectoryError(errno.EISDIR, "a folder stands where a file is to be written", str(place))
        (own / str(number)).write_bytes(data)
        stood = os.path.lexists(place)
        if stood:
            _copy(place, own / f"old-{number}")
        entries.append(_Entry(name=name, size=len(data), stood=stood))
    write_atomically(own / _FORWARD, json.dumps([asdict(entry) for entry in entries]).encode())


def _copy(file: Path, to: Path) -> None:
    """A second name where the file system has such, else a second file."""
    try:
        os.link(file, to, follow_symlinks=False)
    except OSError:
        shutil.copy2(file, to, follow_symlinks=False)


def _settle(own: Path) -> None:
    """Brings what a journal names into place; where that fails, what stood there before. Safe to repeat."""
    if (own / _FORWARD).exists():
        try:
            _forward(own, _journal(own / _FORWARD))
        except BaseException:
            (own / _FORWARD).replace(own / _BACK)
            _back(own, _journal(own / _BACK))
            raise
    elif (own / _BACK).exists():
        _back(own, _journal(own / _BACK))


def _journal(path: Path) -> list[_Entry]:
    """The journal's entries; none where it is not one of ours."""
    try:
        entries = guarded.json_as(guarded.data(path, guarded.MOST_TEXT, follow=False), list[_Entry])
    except guarded.Unreadable as error:
        if isinstance(error.__cause__, OSError):
            raise error.__cause__ from error
        return []
    plain = all(entry.name not in {"", ".", ".."} and "/" not in entry.name for entry in entries)
    return entries if plain else []


def _forward(own: Path, entries: list[_Entry]) -> None:
    ahead = [(own / str(number), entry) for number, entry in enumerate(entries)]
    ahead = [(file, entry) for file, entry in ahead if os.path.lexists(file)]
    for file, entry in ahead:
        # After a loss of power a file may be there without all of its bytes.
        if file.lstat().st_size != entry.size:
            raise OSError(errno.EIO, "not all that was written is there", str(file))
    for file, entry in ahead:
        file.replace(own.parent / entry.name)
    (own / _FORWARD).unlink()


def _back(own: Path, entries: list[_Entry]) -> None:
    for number, entry in enumerate(entries):
        old, place = own / f"old-{number}", own.parent / entry.name
        if os.path.lexists(old):
            old.replace(place)
        elif not entry.stood and not os.path.lexists(own / str(number)):
            place.unlink(missing_ok=True)
    (own / _BACK).unlink()
