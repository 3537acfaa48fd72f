"""What a store of this machine holds of each kind, and how it is emptied."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from layerforge.core.filing import clear_dead
from layerforge.core.store.disk import TAG, WORK, WORKSPACE, DiskStore

FORMER = ("store-v1",)
"""Folders of earlier versions, which nothing reads any more."""

BESIDES = ("logs", "refused", "image-sources", "runtime-packages", "wheels", "made-wheels")
"""Folders of what is kept besides the values."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """How much is kept of a kind, and when it was last used."""

    count: int
    size: int
    """Bytes."""
    oldest: float
    """Seconds since 1970; 0 where nothing is kept."""
    newest: float

    @classmethod
    def of_files(cls, folder: Path) -> Kept:
        """What lies in a folder, as far as it stays there."""
        found: list[os.stat_result] = []
        for path in folder.rglob("*"):
            with suppress(OSError):
                found.append(path.lstat())
        files = [one for one in found if stat.S_ISREG(one.st_mode)]
        times = [one.st_mtime for one in files] or [0.0]
        return cls(count=len(files), size=sum(one.st_size for one in files), oldest=min(times), newest=max(times))

    @classmethod
    def of(cls, parts: Iterable[Kept]) -> Kept:
        """Several together."""
        parts = [one for one in parts if one.count]
        return cls(
            count=sum(one.count for one in parts),
            size=sum(one.size for one in parts),
            oldest=min((one.oldest for one in parts), default=0.0),
            newest=max((one.newest for one in parts), default=0.0),
        )


def kinds(store: DiskStore) -> dict[str, Kept]:
    """What is kept, by kind; logs and the like are kinds too."""
    folders = [*sorted(store.folder.glob("values/*")), *(store.folder / name for name in BESIDES)]
    found = {folder.name: Kept.of_files(folder) for folder in folders}
    return {name: kept for name, kept in found.items() if kept.count}


def clear(store: DiskStore, unused_since: float | None = None) -> int:
    """Removes every value, log and refused layer; builds that run go on. Returns the bytes that were freed.

    With a moment, in seconds since 1970, only what was neither made nor used after it.
    """
    freed = 0
    for name in FORMER:
        if (store.root / name / TAG).is_file():
            freed += _size(store.root / name)
            shutil.rmtree(store.root / name, ignore_errors=True)
    if not (store.folder / TAG).is_file():
        return freed
    before = _size(store.folder)
    for name in ("values", *BESIDES):
        if unused_since is None:
            shutil.rmtree(store.folder / name, ignore_errors=True)
        else:
            _remove_old(store.folder / name, unused_since)
    clear_dead(store.place(WORK), WORKSPACE)
    return freed + before - _size(store.folder)


def _remove_old(folder: Path, since: float) -> None:
    """Removes the files below a folder that are older than a moment."""
    for path in folder.rglob("*"):
        with suppress(OSError):
            found = path.lstat()
            if stat.S_ISREG(found.st_mode) and found.st_mtime < since:
                path.unlink()


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
