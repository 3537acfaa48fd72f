"""The store: what is expensive to make, kept on disk by the digest of all that made it.

A value lies in one file, after the SHA-256 of itself. It is written under a temporary name and renamed into place, so
a reader sees a whole value or none, whoever else writes and whenever a process is killed. A value whose digest does
not match is deleted and reads as absent.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from layerforge.errors import StepError, UsageError
from layerforge.model import Progress

FOLDER = "store-v1"
"""Everything lies in this folder below the root, which may be a folder that the user has other things in."""

TAG = "CACHEDIR.TAG"
_SIGNATURE = (
    "Signature: 8a477f597d28d172789f06886806bc55\n# A store of layerforge. `layerforge cache clear` empties it.\n"
)
_DIGEST = 32


def default_root() -> Path:
    """``$LAYERFORGE_CACHE``, else the platform's own folder for caches."""
    return Path(os.environ.get("LAYERFORGE_CACHE") or platformdirs.user_cache_dir("layerforge"))


@dataclass(frozen=True, kw_only=True)
class DiskStore:
    """A store below ``root``."""

    root: Path
    progress: Progress

    def get(self, kind: str, key: str) -> bytes | None:
        """The value, or ``None`` where there is none or it was damaged."""
        path = self._path(kind, key)
        try:
            with path.open("rb") as file:
                digest, value = file.read(_DIGEST), file.read()
        except OSError:
            return None
        if hashlib.sha256(value).digest() == digest:
            return value
        self.progress.warn(f"the stored {kind} {key[:12]} was damaged; it is made again")
        path.unlink(missing_ok=True)
        return None

    def put(self, kind: str, key: str, value: bytes) -> None:
        """Keeps a value. Raises ``StepError`` where the disk is full or the folder cannot be written."""
        path = self._path(kind, key)
        with writing(self.root):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, hashlib.sha256(value).digest() + value)

    @property
    def folder(self) -> Path:
        """Where the values lie, and whatever else is kept between builds."""
        return self.root / FOLDER

    def _path(self, kind: str, key: str) -> Path:
        return self.folder / "values" / kind / key[:2] / key

    def place(self, name: str) -> Path:
        """A folder for files that people look at: ``logs``, ``refused``."""
        with writing(self.root):
            folder = self.folder / name
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """A private folder beside the values, gone afterwards. Those of dead processes are cleared first."""
        place = self.place("work")
        with writing(self.root):
            self._tag()
            with _locked(place / "guard"):
                _clear_dead(place)
                folder = Path(tempfile.mkdtemp(dir=place))
                alive = _lock(folder / _ALIVE)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(alive)

    def _tag(self) -> None:
        """Marks the folder as ours, and as one that no backup needs."""
        if not (self.folder / TAG).exists():
            write_atomically(self.folder / TAG, _SIGNATURE.encode())

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Count and bytes of the values by kind."""
        found: dict[str, tuple[int, int]] = {}
        for folder in sorted(self.folder.glob("values/*")):
            files = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
            found[folder.name] = (len(files), sum(files))
        return found

    def clear(self) -> int:
        """Removes every value, log and refused layer; builds that run go on. Returns the bytes that were freed."""
        if not (self.folder / TAG).is_file():
            return 0
        before = _size(self.folder)
        for name in ("values", "logs", "refused", "image-sources"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        with _locked(self.place("work") / "guard"):
            _clear_dead(self.folder / "work")
        return before - _size(self.folder)


_ALIVE = ".alive"
"""File in a workspace that its process holds a lock on. A process number would say nothing in another container."""


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def _lock(path: Path, mode: int = fcntl.LOCK_EX) -> int:
    """Opens and locks a file; the lock ends with the process at the latest. Raises ``BlockingIOError``."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, mode)
    except BaseException:
        os.close(handle)
        raise
    return handle


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    handle = _lock(path)
    try:
        yield
    finally:
        os.close(handle)


def _clear_dead(place: Path) -> None:
    """Removes the workspaces whose processes have ended. The guard is held meanwhile."""
    for folder in (path for path in place.iterdir() if path.is_dir()):
        try:
            os.close(_lock(folder / _ALIVE, fcntl.LOCK_EX | fcntl.LOCK_NB))
        except BlockingIOError:
            continue
        shutil.rmtree(folder, ignore_errors=True)


def write_atomically(path: Path, data: bytes) -> None:
    """Writes ``data`` to ``path`` so that no reader ever sees less than all of it."""
    partial = path.with_name(f".{path.name[:40]}.{secrets.token_hex(8)}.part")
    try:
        with partial.open("xb") as file:
            file.write(data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_together(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes several files: all of them, or none, with whatever stood there before left as it was.

    Each appears whole, and the last one last, so whoever waits for it finds the others.
    """
    token = secrets.token_hex(8)
    new = {name: folder / f".{name[:40]}.{token}.part" for name in files}
    old = {name: folder / f".{name[:40]}.{token}.old" for name in files if (folder / name).exists()}
    done: list[str] = []
    try:
        for name, data in files.items():
            with new[name].open("xb") as file:
                file.write(data)
        for name, backup in old.items():
            _copy(folder / name, backup)
        for name in files:
            new[name].replace(folder / name)
            done.append(name)
    except BaseException:
        for name in done:
            if name in old:
                old[name].replace(folder / name)
            else:
                (folder / name).unlink()
        raise
    finally:
        for path in (*new.values(), *old.values()):
            path.unlink(missing_ok=True)


def _copy(file: Path, to: Path) -> None:
    """A second name where the file system has such, else a second file."""
    try:
        os.link(file, to)
    except OSError:
        shutil.copy2(file, to)


@contextmanager
def writing(place: Path, *, choose: str = "set LAYERFORGE_CACHE, or --output, to") -> Iterator[None]:
    """Turns what can go wrong while writing below ``place`` into an error that says what to do.

    ``choose`` is how the user names another folder, as the words before "a folder".
    """
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise StepError(
                f"no space is left for {place}",
                hint=f"free some space, run `layerforge cache clear`, or {choose} a folder on a larger disk",
                details=(str(error),),
            ) from error
        raise UsageError(
            f"{place} cannot be written",
            hint=f"{choose} a folder that you may write to",
            details=(str(error),),
        ) from error
