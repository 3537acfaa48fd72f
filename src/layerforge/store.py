"""The store: what is expensive to make, kept on disk by the digest of all that made it.

A value lies in one file, after the SHA-256 of itself. It is written under a temporary name and renamed into place, so
a reader sees a whole value or none, whoever else writes and whenever a process is killed. A value whose digest does
not match is deleted and reads as absent.
"""

from __future__ import annotations

import errno
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

SCHEMA = "v1"
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

    def _path(self, kind: str, key: str) -> Path:
        return self.root / SCHEMA / kind / key[:2] / key

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """A private folder beside the values, gone afterwards. Those of dead processes are cleared first."""
        place = self.root / SCHEMA / "work"
        with writing(self.root):
            place.mkdir(parents=True, exist_ok=True)
            _clear_dead(place)
            folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=place))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Count and bytes of the values by kind."""
        found: dict[str, tuple[int, int]] = {}
        for folder in sorted(self.root.glob(f"{SCHEMA}/*")):
            files = [path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
            found[folder.name] = (len(files), sum(files))
        return found

    def clear(self) -> None:
        """Removes everything that layerforge put below ``root``."""
        for folder in self.root.glob("v*"):
            shutil.rmtree(folder)


def write_atomically(path: Path, data: bytes) -> None:
    """Writes ``data`` to ``path`` so that no reader ever sees less than all of it."""
    write_together(path.parent, {path.name: data})


def write_together(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes several files so that none of them appears before the bytes of all are on disk.

    The last one is renamed into place last, so whoever waits for it finds the others.
    """
    partial = {name: folder / f".{name[:40]}.{secrets.token_hex(8)}.part" for name in files}
    try:
        for name, data in files.items():
            with partial[name].open("xb") as file:
                file.write(data)
        for name in files:
            partial[name].replace(folder / name)
    except BaseException:
        for path in partial.values():
            path.unlink(missing_ok=True)
        raise


def _clear_dead(place: Path) -> None:
    for folder in place.iterdir():
        pid = folder.name.partition("-")[0]
        if not pid.isdigit() or not _alive(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turns what can go wrong while writing below ``place`` into an error that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise StepError(
                f"no space is left for {place}",
                hint="free some space, run `layerforge cache clear`, or set LAYERFORGE_CACHE to a larger disk",
                details=(str(error),),
            ) from error
        raise UsageError(
            f"{place} cannot be written",
            hint="set LAYERFORGE_CACHE, or --output, to a folder that you may write to",
            details=(str(error),),
        ) from error
