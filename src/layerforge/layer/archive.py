"""The archive of a layer, from a tree to the bytes of a zip: the same tree gives the same bytes, on every machine.

Entries are sorted, dated alike and owned by nobody; streams come from pinned compressors. Written by hand because
``zipfile`` takes no stream that is compressed already, and compressing is what has to run in parallel and be kept.
Format: PKWARE's APPNOTE 6.3.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

import deflate
from zopfli.zlib import compress as zopfli_compress

from layerforge.core import digest
from layerforge.core.errors import VerificationError
from layerforge.core.limits import LAMBDA_UNZIPPED_LIMIT
from layerforge.core.progress import Progress
from layerforge.core.store import bundles
from layerforge.core.store.protocol import Store
from layerforge.core.text import megabytes
from layerforge.layer.tree import Blob, Entry, File, Link, Tree
from layerforge.resolve.recipe import Compression


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A finished zip and its measures."""

    sha256: str
    content_sha256: str
    zipped: int
    unzipped: int
    data: bytes = field(repr=False)


EARLIEST = 315_532_800
"""1980-01-01, the oldest date that a zip can hold, in unix seconds."""

LATEST = 4_354_819_198
"""2107-12-31, the newest."""

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s4B4H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_UNIX = 3
_VERSION = 20
_UTF8_NAMES = 0x800
_MOST_ENTRIES = 0xFFFF

SHARE, MOST_OF_SHARE = 250_000, 50
"""Bytes and entries that a thread packs at a time."""

SAMPLE = 1_000_000
"""Bytes that are compressed in two ways to know what the better one wins: a fifth of a second. Twice as many told it no
better: within half a hundredth."""


@dataclass(frozen=True, kw_only=True)
class Level:
    """A compressor, and from which size on its streams are worth keeping: reading a kept one costs time too."""

    name: str
    compress: Callable[[bytes], bytes]
    kept_from: int


def _libdeflate(data: bytes, *, level: int) -> bytes:
    return bytes(deflate.deflate_compress(data, level))


def _zopfli(data: bytes) -> bytes:
    """Zopfli's stream without zlib's two bytes of header and four of checksum."""
    return bytes(zopfli_compress(data)[2:-4])


LEVELS = {
    Compression.FAST: Level(name="libdeflate-6", compress=partial(_libdeflate, level=6), kept_from=65_536),
    Compression.SMALL: Level(name="libdeflate-12", compress=partial(_libdeflate, level=12), kept_from=2_048),
    Compression.MAX: Level(name="zopfli", compress=_zopfli, kept_from=0),
}


@dataclass(frozen=True, kw_only=True)
class Packed:
    """An entry ready to be written."""

    name: bytes
    mode: int
    size: int
    crc: int
    sha256: str
    stored: bool
    stream: bytes


Streams = Mapping[str, Future[bytes]]
"""Streams that are being made, or were, by the SHA-256 of what they hold."""


def begun(tree: Tree, compression: Compression, store: Store) -> Streams:
    """Has the large files of a tree compressed that no pass will change any more, while others wait for its modules.

    Only where that takes a second: nobody waits for what turns out not to be needed. What others read from the store
    comes and goes in bundles of all that a layer has.
    """
    if compression is not Compression.FAST or store.shared:
        return {}
    level = LEVELS[compression]
    files = [file for file in tree.files if _is_kept(file.blob.size, level) and not file.path.endswith(".py")]
    blobs = {file.blob.sha256: file.blob for file in sorted(files, key=lambda file: -file.blob.size)}
    pool = ThreadPoolExecutor(os.cpu_count())
    streams = {sha256: pool.submit(_read_stream, blob, level, store) for sha256, blob in blobs.items()}
    pool.shutdown(wait=False)
    return streams


def _read_stream(blob: Blob, level: Level, store: Store) -> bytes:
    return _stream(blob.read(), blob.sha256, level, store, {})


def archive(
    tree: Tree,
    compression: Compression,
    epoch: int,
    store: Store,
    progress: Progress,
    ahead: Streams = MappingProxyType({}),
) -> Archive:
    """Packs ``tree``; ``ahead`` are streams of this compression. Raises ``VerificationError`` where it is more than
    Lambda takes.
    """
    check_limit(tree)
    level = LEVELS[compression]
    with progress.step("compress") as step:
        step.expect(tree.size)

        def packed(share: Sequence[Entry]) -> list[Packed]:
            done = [pack(entry, level, store, ahead) for entry in share]
            step.advance(sum(entry.size for entry in share))
            return done

        shared = bundles.bundled(store, level.name, _kept(tree, level), progress.warn)
        with shared, ThreadPoolExecutor(os.cpu_count()) as pool:
            rows = [row for rows in pool.map(packed, _shares(tree.entries)) for row in rows]
        data = write(rows, epoch)
        step.note(f"{megabytes(tree.size)} → {megabytes(len(data))}")
    return Archive(
        sha256=digest.sha256(data),
        content_sha256=digest.of_contents((row.mode, row.sha256, row.name.decode()) for row in rows),
        zipped=len(data),
        unzipped=tree.size,
        data=data,
    )


def _shares(entries: Sequence[Entry]) -> list[list[Entry]]:
    """The entries in their order, a few small ones together: to hand one over takes as long as to pack it."""
    shares: list[list[Entry]] = []
    size = SHARE
    for entry in entries:
        if size >= SHARE:
            shares.append([])
            size = 0
        shares[-1].append(entry)
        size += max(entry.size, SHARE // MOST_OF_SHARE)
    return shares


def won(tree: Tree) -> float:
    """The share of its streams that a tree loses when they are compressed well, by a sample that is always the same."""
    sample = list(_sample(tree))
    fast, small = (compressed(sample, level) for level in (Compression.FAST, Compression.SMALL))
    return 1 - small / fast if fast else 0.0


def _sample(tree: Tree) -> Iterator[bytes]:
    taken = 0
    # Digests have to do with nothing.
    for file in sorted(tree.files, key=lambda file: file.blob.sha256):
        if taken == SAMPLE:
            break
        data = file.blob.read()[: SAMPLE - taken]
        taken += len(data)
        yield data


def compressed(parts: Iterable[bytes], compression: Compression) -> int:
    """Bytes of all parts in a zip, each of its own."""
    compress = LEVELS[compression].compress
    # The largest first, so that no processor waits for it in the end.
    largest_first = sorted(parts, key=len, reverse=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return sum(pool.map(lambda data: min(len(data), len(compress(data))), largest_first))


def check_limit(tree: Tree) -> None:
    """Raises ``VerificationError`` for a tree above Lambda's limit: what is largest, and what would help."""
    if tree.size <= LAMBDA_UNZIPPED_LIMIT and len(tree.entries) <= _MOST_ENTRIES:
        return
    by_package: dict[str, int] = {}
    for entry in tree.entries:
        by_package[entry.package or "(no package)"] = by_package.get(entry.package or "(no package)", 0) + entry.size
    largest = sorted(by_package.items(), key=lambda item: -item[1])[:5]
    raise VerificationError(
        f"the layer would take {megabytes(tree.size)} unzipped in {len(tree.entries):,} files; "
        f"Lambda takes {megabytes(LAMBDA_UNZIPPED_LIMIT)} and {_MOST_ENTRIES:,}",
        hint="leave a package out, split them over two functions, try `--bytecode only`, or use a container image",
        details=tuple(f"{megabytes(size):>10}  {name}" for name, size in largest),
    )


def pack(entry: Entry, level: Level, store: Store, ahead: Streams = MappingProxyType({})) -> Packed:
    """Compresses one entry, or takes its stream from those made ``ahead``, or the store. What deflate does not shrink
    is stored.
    """
    match entry:
        case File():
            data, sha256, mode = entry.blob.read(), entry.blob.sha256, 0o100755 if entry.executable else 0o100644
        case Link():
            data = entry.target.encode()
            sha256, mode = digest.sha256(data), 0o120777
    stream = _stream(data, sha256, level, store, ahead)
    stored = len(stream) >= len(data)
    return Packed(
        name=entry.path.encode(),
        mode=mode,
        size=len(data),
        crc=deflate.crc32(data),
        sha256=sha256,
        stored=stored,
        stream=data if stored else stream,
    )


def _kept(tree: Tree, level: Level) -> dict[str, set[str]]:
    """The digests of the files whose streams are kept, by their packages."""
    groups: dict[str, set[str]] = {}
    for file in tree.files:
        if _is_kept(file.blob.size, level):
            groups.setdefault(file.package, set()).add(file.blob.sha256)
    return groups


def _is_kept(size: int, level: Level) -> bool:
    """Whether the stream of so many bytes is kept."""
    return size >= max(level.kept_from, 1)


def _stream(data: bytes, sha256: str, level: Level, store: Store, ahead: Streams) -> bytes:
    if begun_stream := ahead.get(sha256):
        return begun_stream.result()
    if not _is_kept(len(data), level):
        return level.compress(data)
    kept = store.get(level.name, sha256)
    if kept is None:
        kept = level.compress(data)
        store.put(level.name, sha256, kept)
    return kept


def write(rows: list[Packed], epoch: int) -> bytes:
    """The bytes of a zip that holds ``rows`` in their order, each dated ``epoch`` (unix seconds, UTC)."""
    date, clock = _dos(epoch)
    parts: list[bytes] = []
    directory: list[bytes] = []
    offset = 0
    for row in rows:
        method = 0 if row.stored else 8
        common = (_flags(row), method, clock, date, row.crc, len(row.stream), row.size, len(row.name), 0)
        head = _LOCAL.pack(b"PK\3\4", _VERSION, *common) + row.name
        kind = (b"PK\1\2", _VERSION, _UNIX, _VERSION, 0)
        directory += (_CENTRAL.pack(*kind, *common, 0, 0, 0, row.mode << 16, offset), row.name)
        parts += (head, row.stream)
        offset += len(head) + len(row.stream)
    size = sum(map(len, directory))
    end = _END.pack(b"PK\5\6", 0, 0, len(rows), len(rows), size, offset, 0)
    return b"".join((*parts, *directory, end))


def _flags(row: Packed) -> int:
    return 0 if row.name.isascii() else _UTF8_NAMES


def _dos(epoch: int) -> tuple[int, int]:
    """Date and time of day in the form of MS-DOS, which counts from 1980 in steps of two seconds."""
    at = time.gmtime(max(epoch, EARLIEST))
    return (at.tm_year - 1980) << 9 | at.tm_mon << 5 | at.tm_mday, at.tm_hour << 11 | at.tm_min << 5 | at.tm_sec // 2
