"""How much of an archive is read: of each kind of file, of all of them together, and of folders.

A zip of a few kB can hold what takes gigabytes to look at. Every limit is far above what any layer has that people
publish, so that an archive which is above one is refused as a whole, in one line, before anything of it is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from layerforge.core.paths import DEEPEST, folders

MB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class ReadLimit:
    """Most bytes that files of one kind may have unpacked."""

    what: str
    """``a RECORD``."""
    names: re.Pattern[str]
    each: int
    together: int


def _named(end: str) -> re.Pattern[str]:
    return re.compile(f".*{end}", re.I | re.S)


LIMITS = (
    ReadLimit(what="a RECORD", names=_named(r"\.dist-info/RECORD"), each=16 * MB, together=16 * MB),
    ReadLimit(what="a METADATA", names=_named(r"\.dist-info/METADATA"), each=2 * MB, together=16 * MB),
    ReadLimit(what="an SBOM", names=_named(r"\.dist-info/sboms/[^/]+"), each=16 * MB, together=64 * MB),
    ReadLimit(what="a list of names", names=_named(r"(?:top_level|entry_points)\.txt"), each=1 * MB, together=4 * MB),
    ReadLimit(what="a Python source", names=_named(r"\.pyi?"), each=64 * MB, together=512 * MB),
    ReadLimit(what="a file of bytecode", names=_named(r"\.pyc"), each=64 * MB, together=512 * MB),
)
"""Limits by kind of file. A name counts with the first that fits it; files of other kinds are never held whole."""

MOST_FOLDERS = 100_000
"""Folders that all names together may lie in. The largest layers have about 5,000."""


def exceeded(files: Iterable[tuple[str, int]], limits: Iterable[ReadLimit] = LIMITS) -> Iterator[str]:
    """What is above a limit among ``files``, which are names with bytes; a line each."""
    limits = tuple(limits)
    together = dict.fromkeys(limits, 0)
    told: set[ReadLimit] = set()
    for name, size in files:
        limit = next((one for one in limits if one.names.fullmatch(name)), None)
        if limit is None:
            continue
        together[limit] += size
        if size > limit.each:
            told.add(limit)
            yield f"{name!r} has {size:,} bytes; of {limit.what} at most {limit.each:,} are read"
    for limit, size in together.items():
        if size > limit.together and limit not in told:
            read = f"at most {limit.together:,} are read"
            yield f"its files of which each is {limit.what} have {size:,} bytes together; {read}"


def too_deep(names: Iterable[str]) -> Iterator[str]:
    """Names that lie too deep, and whether there are too many folders; a line each."""
    seen: set[str] = set()
    for name in names:
        depth = name.rstrip("/").count("/")
        if depth > DEEPEST:
            yield f"{name[:40] + '…'!r} lies {depth:,} folders deep; at most {DEEPEST} are read"
        elif len(seen) <= MOST_FOLDERS:
            seen.update(folders(name))
    if len(seen) > MOST_FOLDERS:
        yield f"its files lie in more than {MOST_FOLDERS:,} folders"
