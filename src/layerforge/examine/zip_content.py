"""The contents of a zip's entries, held against what its directory says of them."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import deflate

from layerforge.core.errors import UsageError, VerificationError
from layerforge.examine.zip_directory import AGAIN, MOST_BYTES, PIECE, Bytes, ZipEntry, entries


@contextmanager
def opened(path: Path) -> Iterator[Bytes]:
    """The bytes of an archive.

    Raises ``UsageError`` where there is no file, ``VerificationError`` where it is beyond any layer's size.
    """
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise VerificationError(
                f"{path} takes {size:,} bytes, and more than {MOST_BYTES:,} are not read",
                hint="no layer can be larger than 262,144,000 bytes; is this the right file?",
            )
        file = path.open("rb")
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}", hint="give the path of a layer's zip file"
        ) from error
    with file:
        yield Bytes(descriptor=file.fileno(), size=size)


@contextmanager
def reader(path: Path) -> Iterator[Callable[[str], bytes]]:
    """Reads files of the archive at ``path`` by their names, while it is open. Raises what ``entries`` raises."""
    with opened(path) as data:
        by_name = {entry.name: entry for entry in entries(data, path)}
        yield lambda name: content(data, by_name[name])


def content(data: Bytes, entry: ZipEntry) -> bytes:
    """What ``entry`` holds; never more than it declares. Raises ``VerificationError`` where it is damaged."""
    raw = data[entry.start : entry.start + entry.zipped]
    try:
        found = bytes(deflate.deflate_decompress(raw, entry.size)) if entry.deflated else raw
    except deflate.DeflateError as error:
        raise _broken(entry) from error
    if len(found) != entry.size or deflate.crc32(found) != entry.crc:
        raise _unlike(entry)
    return found


def pieces(data: Bytes, entry: ZipEntry) -> Iterator[bytes]:
    """What ``entry`` holds, piece by piece, never more than it declares. Raises what ``content`` raises, at the end at
    the latest.
    """
    size = crc = 0
    for piece in _inflated(data, entry) if entry.deflated else _raw(data, entry):
        size, crc = size + len(piece), zlib.crc32(piece, crc)
        if size > entry.size:
            raise _broken(entry)
        yield piece
    if size != entry.size or crc != entry.crc:
        raise _unlike(entry)


def _raw(data: Bytes, entry: ZipEntry) -> Iterator[bytes]:
    end = entry.start + entry.zipped
    yield from (data[at : min(at + PIECE, end)] for at in range(entry.start, end, PIECE))


def _inflated(data: Bytes, entry: ZipEntry) -> Iterator[bytes]:
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for raw in _raw(data, entry):
            yield stream.decompress(raw, PIECE)
            while stream.unconsumed_tail:
                yield stream.decompress(stream.unconsumed_tail, PIECE)
        # What it still holds back, a piece at a time.
        while piece := stream.decompress(b"", PIECE):
            yield piece
    except zlib.error as error:
        raise _broken(entry) from error
    if not stream.eof:
        raise _broken(entry)


def _broken(entry: ZipEntry) -> VerificationError:
    return VerificationError(
        f"{entry.name} cannot be unpacked: its data are damaged, or more than the {entry.size:,} bytes it declares",
        hint=AGAIN,
    )


def _unlike(entry: ZipEntry) -> VerificationError:
    return VerificationError(f"{entry.name} is damaged: size or checksum is not as declared", hint=AGAIN)
