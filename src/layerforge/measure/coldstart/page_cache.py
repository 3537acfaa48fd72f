"""Making a layer cold: no page of its files stays in memory, so that a function reads them from disk, as on Lambda."""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from pathlib import Path

WARM_SHARE = 0.02
"""Part of the pages that may stay in memory: others may be reading the disk ahead."""


class Reading(StrEnum):
    """How the layer is read when the function starts."""

    COLD = "page cache dropped"
    WARM = "from the page cache"


def drop_page_cache(folder: Path) -> bool:
    """Drops every file of ``folder`` from the page cache, and tells whether they are gone from it. Takes no rights.

    They stay on a disk in memory, and where the system has no way to drop them. What was not written to the disk yet
    stays too: ``os.sync`` comes first where files are new.
    """
    if not hasattr(os, "posix_fadvise"):
        return False
    pages = [_dropped(path) for path in _files(folder)]
    return sum(left for left, _ in pages) <= WARM_SHARE * sum(all_of_it for _, all_of_it in pages)


def _files(folder: Path) -> Iterator[Path]:
    """Every file that is not empty."""
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root, name)
            if not path.is_symlink() and path.is_file() and path.stat().st_size:
                yield path


def _dropped(path: Path) -> tuple[int, int]:
    """How many pages of a file are in memory after it was dropped, and how many it has."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        # To look at a mapping, unlike to try a read, does not make the system read ahead.
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as mapped:
            flags = (ctypes.c_ubyte * -(-len(mapped) // mmap.PAGESIZE))()
            address = ctypes.addressof(ctypes.c_char.from_buffer(mapped))
            if _libc().mincore(ctypes.c_void_p(address), ctypes.c_size_t(len(mapped)), flags):
                return len(flags), len(flags)
            return sum(flag & 1 for flag in flags), len(flags)


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)
