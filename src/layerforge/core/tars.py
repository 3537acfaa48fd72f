"""Tar archives that others made: nothing leads out of the folder that they are unpacked in, nor fills the memory."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Self

MOST_HEADER = 1 << 20
"""Bytes of a header for names and dates, which is held whole."""

_HEADERS = frozenset({tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE})
_LONG_NAMES = frozenset({tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK})


class TooMuch(ValueError):  # noqa: N818 - says what the archive holds
    """An archive is beyond its bounds."""


REFUSED = (tarfile.FilterError, TooMuch)
"""What ``extract`` raises for an archive that is sound, but not harmless."""


class Bounded(tarfile.TarInfo):
    """A member of a tar archive, whose headers are of a bounded size."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """A member from its block. Raises ``TooMuch`` for a header that nobody needs."""
        header = super().frombuf(buf, encoding, errors)
        if header.type in _HEADERS | _LONG_NAMES and header.size > MOST_HEADER:
            raise TooMuch(f"a header has {header.size:,} bytes, of which at most {MOST_HEADER:,} are read")
        return header


def extract(file: IO[bytes], into: str | Path, count: Callable[[str, int], None] | None = None) -> None:
    """Unpacks an archive below ``into``; ``count`` is told of each member's name and bytes before that is written.

    Raises one of ``REFUSED`` for what leads out of the folder or is a device, what ``tarfile`` raises where it is no
    archive, and what ``count`` does.
    """

    def counted(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo | None:
        if count:
            count(member.name, member.size)
        return tarfile.data_filter(member, path)

    with tarfile.open(fileobj=file, tarinfo=Bounded) as tar:
        tar.extractall(into, filter=counted)  # noqa: S202 - the filter is the strict one
