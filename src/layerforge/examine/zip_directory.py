"""Zip archives as untrusted input: the central directory is checked before any content is read."""

from __future__ import annotations

import calendar
import contextlib
import os
import re
import stat
import struct
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from layerforge.core.errors import UsageError, VerificationError
from layerforge.examine import limits

MOST_ENTRIES = 200_000
"""Entries that an archive may list. The largest layers that people publish have about 20,000."""

MOST_BYTES = 1 << 30
"""Bytes that an archive may declare, and take itself: four times what Lambda accepts."""

MOST_DIRECTORY_BYTES = 32 << 20
"""Bytes that the central directory may take: 167 for each of the most entries."""

PIECE = 1 << 20
"""Bytes that are in memory at once of a file that is not needed whole."""

LONGEST_PATH = 4096
"""Bytes of a name, and of a link's target: Linux' own limit."""

UNIX = 3
_CONTROLS = re.compile(r"[\0-\x1f\x7f]")
_STORED, _DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
_ENCRYPTED, _UTF8 = 0x01, 0x800
AGAIN = "make the archive again, or download it again; `unzip -t` shows the same damage"


@dataclass(frozen=True, kw_only=True)
class Bytes:
    """The bytes of an open file. Slices are read from the disk, in any thread, so that it is never held whole."""

    descriptor: int
    size: int

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(self.size)
        return os.pread(self.descriptor, max(0, stop - start), start)


@dataclass(frozen=True, kw_only=True)
class ZipEntry:
    """One row of the central directory."""

    name: str
    mode: int
    """``st_mode``; 0 where the archive does not come from a unix."""
    size: int
    zipped: int
    crc: int
    deflated: bool
    start: int
    """Offset of the contents."""
    mtime: int
    """Date that the file will have once unpacked, in unix seconds."""
    unsafe: str
    """Why the name must not be written to a disk; empty where it may."""

    @property
    def is_folder(self) -> bool:
        """Whether it stands for a folder, which holds no bytes."""
        return self.name.endswith("/")

    @property
    def is_link(self) -> bool:
        """Whether its contents are the target of a symbolic link."""
        return stat.S_ISLNK(self.mode)


def entries(data: Bytes, path: Path) -> tuple[ZipEntry, ...]:
    """Every entry of the archive at ``path``, whose bytes are ``data``, in its own order.

    Raises ``UsageError`` where it is no zip, ``VerificationError`` where it is damaged or dangerous to read.
    """
    infos = [info for info in _infos(data, path) if info.orig_filename != "./"]
    _refuse(infos, path)
    times = Counter(_name(info).rstrip("/") for info in infos)
    try:
        found = tuple(_entry(data, info, times[_name(info).rstrip("/")]) for info in infos)
        _apart(infos, found)
    except (ValueError, struct.error) as error:
        raise _damaged(path, str(error)) from error
    return found


def _infos(data: Bytes, path: Path) -> list[zipfile.ZipInfo]:
    tail = max(0, len(data) - 65_557)
    end = data[tail:].rfind(b"PK\5\6")
    end = end + tail if end >= 0 else -1
    if end < 0 and data[:4] in {b"PK\3\4", b"PK\7\x08"}:
        raise _damaged(path, "its end is missing")
    if end < 0 or len(data) < end + 22:
        raise UsageError(f"{path} is not a zip archive", hint="give the path of a layer's zip file")
    _check_directory(data, end, path)
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.infolist()
    except (zipfile.BadZipFile, ValueError, struct.error, NotImplementedError, EOFError, OSError) as error:
        raise _damaged(path, str(error)) from error


def _check_directory(data: Bytes, end: int, path: Path) -> None:
    """Refuses a directory that is too large to be read at all, in both places that can state its size."""
    sizes = [int.from_bytes(data[end + 12 : end + 16], "little")]
    if data[max(0, end - 20) : end - 16] == b"PK\6\7" and data[max(0, end - 76) : end - 72] == b"PK\6\6":
        sizes = [int.from_bytes(data[end - 36 : end - 28], "little")]
    if sizes[0] > MOST_DIRECTORY_BYTES:
        raise VerificationError(
            f"{path} declares {sizes[0]:,} bytes for its list of files; at most {MOST_DIRECTORY_BYTES:,} are read",
            hint=AGAIN,
        )


def _refuse(infos: list[zipfile.ZipInfo], path: Path) -> None:
    """Raises ``VerificationError`` for an archive that must not, or cannot, be unpacked."""
    total = sum(info.file_size for info in infos)
    if len(infos) > MOST_ENTRIES or total > MOST_BYTES:
        raise VerificationError(
            f"{path} looks like a zip bomb: it declares {len(infos):,} entries with {total:,} bytes",
            hint=f"at most {MOST_ENTRIES:,} entries with {MOST_BYTES:,} bytes are read; Lambda takes 262,144,000 bytes",
        )
    problems = tuple(problem for info in infos for problem in _problems(info))
    if problems:
        raise VerificationError(
            f"{path} has {len(problems)} entries that Lambda cannot unpack",
            hint="make the archive with plain deflate and without a password",
            details=problems[:10],
        )
    _refuse_large(infos, path)


def _refuse_large(infos: list[zipfile.ZipInfo], path: Path) -> None:
    """Raises ``VerificationError`` for an archive with more of one kind than is read."""
    names = [_name(info) for info in infos]
    sizes = (info.file_size for info in infos)
    problems = (*limits.exceeded(zip(names, sizes, strict=True)), *limits.too_deep(names))
    if problems:
        raise VerificationError(
            f"{path} is not read: {problems[0]}",
            hint="no layer needs that much; is this the right file?",
            details=problems[1:10],
        )


def _problems(info: zipfile.ZipInfo) -> Iterator[str]:
    name = repr(info.orig_filename)
    if info.flag_bits & _ENCRYPTED:
        yield f"{name} is encrypted"
    if info.compress_type not in {_STORED, _DEFLATED}:
        yield f"{name} is compressed by method {info.compress_type}; only deflate (8) and stored (0) are accepted"
    if stat.S_ISLNK(_mode(info)) and info.file_size > LONGEST_PATH:
        yield f"{name} is a link with a target of {info.file_size:,} bytes"
    if len(name) > LONGEST_PATH:
        yield f"{name[:40]}… is a name of {len(name):,} characters"


def _entry(data: Bytes, info: zipfile.ZipInfo, times: int) -> ZipEntry:
    name = _name(info)
    deflated = info.compress_type == _DEFLATED
    if not deflated and info.compress_size != info.file_size:
        raise ValueError(f"{name!r} is stored in {info.compress_size:,} bytes but declares {info.file_size:,}")
    return ZipEntry(
        name=name,
        mode=_mode(info),
        size=info.file_size,
        zipped=info.compress_size,
        crc=info.CRC,
        deflated=deflated,
        start=_start(data, info),
        mtime=_mtime(info),
        unsafe=hazard(name) or ("stands in the archive more than once" if times > 1 else ""),
    )


def _start(data: Bytes, info: zipfile.ZipInfo) -> int:
    """Where the contents begin: behind the entry's own header, which must agree on the name."""
    at = info.header_offset
    header = data[at : at + 30] if at >= 0 else b""
    if header[:4] != b"PK\3\4":
        raise ValueError(f"no header where {info.orig_filename!r} should begin")
    name_length, extra_length = struct.unpack_from("<HH", header, 26)
    raw = info.orig_filename.encode("utf-8" if info.flag_bits & _UTF8 else "cp437")
    if data[at + 30 : at + 30 + name_length] != raw:
        raise ValueError(f"the header of {info.orig_filename!r} names another file")
    start = at + 30 + int(name_length) + int(extra_length)
    if start + info.compress_size > len(data):
        raise ValueError(f"{info.orig_filename!r} ends behind the end of the archive")
    return start


def _apart(infos: Iterable[zipfile.ZipInfo], found: Iterable[ZipEntry]) -> None:
    """Raises ``ValueError`` where two entries share bytes of the archive, as in a zip bomb that needs no nesting."""
    both = zip(infos, found, strict=True)
    spans = sorted((info.header_offset, one.start + one.zipped, one.name) for info, one in both)
    for (_, end, before), (start, _, after) in pairwise(spans):
        if start < end:
            raise ValueError(f"{before!r} and {after!r} overlap")


def _name(info: zipfile.ZipInfo) -> str:
    """The name as unpacked on Linux: bytes that are UTF-8 are taken as such, flagged or not."""
    name = info.orig_filename
    if not info.flag_bits & _UTF8:
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.removeprefix("./")


def _mode(info: zipfile.ZipInfo) -> int:
    """``st_mode``, with the file type filled in where a program wrote permissions alone."""
    if info.create_system != UNIX:
        return 0
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode):
        return mode
    return mode | (stat.S_IFDIR if info.orig_filename.endswith("/") else stat.S_IFREG)


def _mtime(info: zipfile.ZipInfo) -> int:
    """The exact date of the extended-timestamp field where there is one, else the two-second one, read as UTC."""
    extra = info.extra
    while len(extra) >= 4:
        tag, length = struct.unpack_from("<HH", extra)
        if tag == 0x5455 and length >= 5 and len(extra) >= 9 and extra[4] & 1:
            return int(struct.unpack_from("<i", extra, 5)[0])
        extra = extra[4 + length :]
    try:
        return calendar.timegm((*info.date_time, 0, 0, 0))
    except ValueError:
        return 0


def hazard(name: str) -> str:
    """Why ``name`` must not be written to a disk; empty where it may."""
    if not name.rstrip("/"):
        return "is empty"
    if name.startswith("/") or name[1:3] in {":/", ":\\"}:
        return "is an absolute path"
    if ".." in name.split("/"):
        return "climbs out of the layer"
    if "\\" in name:
        return "has backslashes, which are part of the name on Linux"
    if _CONTROLS.search(name):
        return "has control characters"
    if any(part in {"", "."} for part in name.removesuffix("/").split("/")):
        return "has empty or dotted parts"
    return ""


def _damaged(path: Path, why: str) -> VerificationError:
    return VerificationError(f"{path} is damaged: {why}", hint=AGAIN)
