"""What the system's own errors mean to a user: one table, by the kernel's numbers."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from layerforge.core.errors import LayerforgeError, StepError, UsageError


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is said of an error. ``{place}`` is where it happened, ``{choose}`` how the user names another folder."""

    says: str
    hint: str
    kind: type[LayerforgeError] = UsageError


_ROOM = "free some space, run `layerforge cache clear`, or {choose} a folder on a larger disk"
_FULL = Fault(says="no space is left for {place}", hint=_ROOM, kind=StepError)
_RIGHTS = Fault(says="{place} cannot be written", hint="{choose} a folder that you may write to")
_IN_THE_WAY = Fault(says="{place} cannot be written", hint="move away what is named below, or {choose} another folder")

_HANDLES = Fault(
    says="no more files can be opened: the limit of this shell, or of the machine, is reached",
    hint="raise it with `ulimit -n 1024` and run the same again",
    kind=StepError,
)

_MEMORY = Fault(
    says="the machine has no memory, or no process, left to give",
    hint="end other programs, or look at `ulimit -u` and `ulimit -v`, and run the same again",
    kind=StepError,
)

_DISK = Fault(
    says="the disk failed at {place}",
    hint="`dmesg` says more; {choose} a folder on another disk",
    kind=StepError,
)

FAULTS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: Fault(
        says="a file would be larger than {place} takes",
        hint="look at `ulimit -f`, or {choose} a folder on another file system",
        kind=StepError,
    ),
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EROFS: Fault(says="{place} is on a disk that can only be read", hint="{choose} a folder on another disk"),
    errno.EEXIST: _IN_THE_WAY,
    errno.EISDIR: _IN_THE_WAY,
    errno.ENOTDIR: _IN_THE_WAY,
    errno.ELOOP: _IN_THE_WAY,
    errno.ENOTEMPTY: _IN_THE_WAY,
    errno.ENAMETOOLONG: Fault(
        says="a name is too long for {place}",
        hint="use a shorter name, or {choose} a folder with a shorter path",
    ),
    errno.ENOENT: Fault(
        says="{place} went away while it was in use", hint="run the same again, and leave that folder be meanwhile"
    ),
    errno.EMFILE: _HANDLES,
    errno.ENFILE: _HANDLES,
    errno.ENOMEM: _MEMORY,
    errno.EAGAIN: _MEMORY,
    errno.EIO: _DISK,
    errno.ESTALE: _DISK,
}

_OTHER = Fault(says="{place} cannot be written", hint="see the reason below, or {choose} another folder")

SCARCE = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EIO, errno.ESTALE}
)
"""What says nothing of the file or the program that it met: the machine lacks something, or is broken."""

CHOOSE = "set LAYERFORGE_CACHE, TMPDIR or --output to"
_NUMBERS = re.compile(r"\[Errno (\d{1,3})\]|\(os error (\d{1,3})\)")
"""How Python and Rust, which uv is written in, write the kernel's number."""


def of(error: OSError, place: object = "", choose: str = CHOOSE) -> LayerforgeError:
    """The error that a user gets for ``error``, which happened at ``place``."""
    fault = FAULTS.get(error.errno or 0, _OTHER)
    where = str(place or error.filename or "this machine")
    says, hint = (text.replace("{place}", where).replace("{choose}", choose) for text in (fault.says, fault.hint))
    return fault.kind(says, hint=hint, details=(str(error),))


def scarce(error: BaseException | None, place: object = "") -> LayerforgeError | None:
    """The same for what is no matter of the file or program in question; ``None`` for all else."""
    return of(error, place) if isinstance(error, OSError) and error.errno in SCARCE else None


def told(log: str) -> LayerforgeError | None:
    """The same for what a program that failed said last; ``None`` where its last lines name nothing of the kind."""
    lines = [line for line in log.splitlines() if line.strip()][-8:]
    for line in reversed(lines):
        for numbers in _NUMBERS.findall(line):
            number = int(numbers[0] or numbers[1])
            if number in SCARCE - {errno.EAGAIN}:
                error = scarce(OSError(number, os.strerror(number)))
                assert error is not None
                error.details = (line.strip(),)
                return error
    return None


@contextmanager
def writing(place: Path, *, choose: str = "set LAYERFORGE_CACHE, or --output, to") -> Iterator[None]:
    """Turns what can go wrong while writing below ``place`` into an error that says what to do.

    ``choose`` is how the user names another folder, as the words before "a folder".
    """
    try:
        yield
    except OSError as error:
        raise of(error, place, choose) from error
