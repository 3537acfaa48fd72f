"""Source archives unpacked within bounds, and never out of their folder."""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from zipfile import ZipFile

from layerforge.core import faults, tars
from layerforge.core.errors import StepError
from layerforge.core.tars import TooMuch

Count = Callable[[str, int], None]
"""Takes the name of a file and its bytes, and raises where it is not to be unpacked."""

DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, TypeError)
"""What the standard library raises for what is no archive; TypeError where the head of a gzip file is cut short."""


def unpack(
    data: bytes,
    name: str,
    workspace: Path,
    bounds: Bounds | None = None,
    going_on: Callable[[], None] = lambda: None,
) -> Path:
    """Unpacks an archive below ``workspace``; returns its top folder.

    ``going_on`` is called before each file, since thousands take a while, and what it raises ends the work. Raises
    ``StepError`` for what is no archive or is beyond ``bounds``, or where the disk is full.
    """
    archive, into = workspace / "archive", workspace / "unpacked"
    try:
        archive.write_bytes(data)
        into.mkdir()
        meter = Meter(bounds or BOUNDS, archive.stat().st_size)
        extract(archive, into, partial(_counted, meter, going_on), _unzip)
    except DAMAGED as error:
        lacking = faults.scarce(error, workspace)
        hint = f"{lacking.message}: {lacking.hint}" if lacking else "is it a tar or zip archive?"
        if isinstance(error, TooMuch):
            hint = "no package's sources hold that much; find out what the archive is"
        raise StepError(f"the sources of {name} cannot be unpacked", hint=hint, details=(str(error),)) from error
    archive.unlink()
    tops = list(into.iterdir())
    return tops[0] if len(tops) == 1 and tops[0].is_dir() else into


def _counted(meter: Meter, going_on: Callable[[], None], name: str, size: int) -> None:
    going_on()
    meter.count(name, size)


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What of an archive is unpacked at most. Archives of a few MB can hold what fills a disk."""

    bytes: int = 4 << 30
    """Of all files. The largest sources that people publish, those of compilers, have about 2 GB."""
    ratio: int = 100
    """How many times the bytes of the archive they may have. Sources shrink to a fifth, seldom to a thirtieth."""
    free: int = 256 << 20
    """Bytes that any archive may hold, however small it is."""
    files: int = 500_000
    deepest: int = 100
    """Folders that a file may lie in."""

    def most(self, archive: int) -> int:
        """Bytes that an archive of so many bytes may hold."""
        return min(self.bytes, max(self.free, self.ratio * archive))


BOUNDS = Bounds()


class Meter:
    """Counts what is unpacked. Raises ``TooMuch`` before that is more than the bounds allow."""

    def __init__(self, bounds: Bounds, archive: int) -> None:
        self._bounds, self._most = bounds, bounds.most(archive)
        self._bytes = self._files = 0

    def count(self, name: str, size: int) -> None:
        """Counts one file."""
        self._bytes, self._files = self._bytes + size, self._files + 1
        if self._bytes > self._most:
            raise TooMuch(f"it holds more than {self._most:,} bytes")
        if self._files > self._bounds.files:
            raise TooMuch(f"it holds more than {self._bounds.files:,} files")
        if name.rstrip("/").count("/") > self._bounds.deepest:
            raise TooMuch(f"a file lies more than {self._bounds.deepest} folders deep")


def extract(archive: Path, into: Path, count: Count, unzip: Callable[[ZipFile, Path, Count], None]) -> None:
    """Unpacks a tar, or with ``unzip`` a zip; ``count`` is told of each file before it is written."""
    if zipfile.is_zipfile(archive) and not tarfile.is_tarfile(archive):
        with ZipFile(archive) as opened:
            unzip(opened, into, count)
        return
    with archive.open("rb") as file:
        tars.extract(file, into, count)


def _unzip(archive: ZipFile, into: Path, count: Count) -> None:
    for info in archive.infolist():
        count(info.filename, info.file_size)
    archive.extractall(into)  # noqa: S202 - zipfile keeps every name below the folder, and sizes as declared
