"""Making a layer cold: no page of its files stays in memory, so that a function reads them from disk, as on Lambda."""

from __future__ import annotations

import os
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

WARM_SHARE = 0.02
"""Part of the files that may stay in memory: others may be reading the disk ahead."""


class Reading(StrEnum):
    """How the layer is read when the function starts."""

    COLD = "page cache dropped"
    WARM = "from the page cache"


def chill(folder: Path) -> None:
    """Drops every file of ``folder`` from the page cache. Takes no rights; does nothing where the system has no way to.

    What was not written to the disk yet stays: ``os.sync`` comes first where files are new.
    """
    if not hasattr(os, "posix_fadvise"):
        return
    for path in _files(folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(handle)


def is_cold(folder: Path) -> bool:
    """Whether ``chill`` works where ``folder`` lies: not on a disk in memory. Leaves the files warm."""
    if not hasattr(os, "RWF_NOWAIT"):
        return False
    states = [_in_memory(path) for path in _files(folder)]
    return sum(states) <= WARM_SHARE * len(states)


def _files(folder: Path) -> Iterator[Path]:
    """Every file that is not empty."""
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root, name)
            if not path.is_symlink() and path.is_file() and path.stat().st_size:
                yield path


def _in_memory(path: Path) -> bool:
    """Whether the beginning of a file can be read without the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.preadv(handle, [bytearray(1)], 0, os.RWF_NOWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        os.close(handle)
    return True
