"""Reading any layer zip: what every file of it is, without running anything.

Nothing here judges; that is the business of ``verify/``. Nothing here compiles sources either: a zip of a few kB can
hold one that takes gigabytes.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import chain
from pathlib import Path
from threading import Lock

from layerforge.core import digest, elf, elf_layout, shebang
from layerforge.core.elf import ElfFacts
from layerforge.core.limits import LAMBDA_UNZIPPED_LIMIT
from layerforge.core.runtimes import Target, runtimes
from layerforge.examine import zip_content, zip_directory
from layerforge.examine.examination import Examination, Kind, Member
from layerforge.examine.guess import likely_python
from layerforge.examine.zip_directory import Bytes, ZipEntry
from layerforge.layer import distributions as metadata
from layerforge.layer import pyc
from layerforge.layer.pyc import PycFacts

MOST_THREADS = 4
"""Files that are looked at at the same time."""

SMALL = 8 << 20
"""Bytes up to which a file is held whole by each thread; of larger ones, one at a time is."""

MOST_NATIVE = LAMBDA_UNZIPPED_LIMIT
"""Bytes of a file of native code that is looked into. What is larger fits into no layer."""

LONGEST_START = 4096
"""Bytes of a script that name what starts it. A kernel takes 255 of its first line, and no path is longer than this."""

_MACH_O = (b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
_KINDS = {".py": Kind.PYTHON, ".pyi": Kind.PYTHON, ".pyc": Kind.BYTECODE}
_LINKER_SCRIPT = (b"/* GNU ld", b"INPUT", b"GROUP")


@dataclass(frozen=True, kw_only=True, eq=False)
class _Zip:
    """An archive. Where a path stands twice, the last entry counts, as when it is unpacked."""

    data: Bytes
    entries: Mapping[str, ZipEntry]
    turn: Lock = field(default_factory=Lock)
    """Held by the thread that looks at a large file."""

    @property
    def paths(self) -> Collection[str]:
        """Every path, those of folders included."""
        return self.entries.keys()

    def read(self, path: str) -> bytes | None:
        """Contents of a file; ``None`` where there is none."""
        entry = self.entries.get(path)
        return None if entry is None or entry.is_folder else zip_content.content(self.data, entry)

    @lru_cache(maxsize=1024)  # noqa: B019 - lives as long as the archive is looked at
    def source_hash(self, path: str, magic: int) -> bytes:
        """The hash by which bytecode knows its source. Many files of bytecode may belong to one."""
        return pyc.source_hash(self.read(path) or b"", magic)


@dataclass(frozen=True, kw_only=True)
class _Native:
    """What is known of a file of native code. All empty where it is none."""

    elf: ElfFacts | None = None
    damaged: str = ""
    foreign: str = ""


def examine(path: Path, target: Target | None = None) -> Examination:
    """Everything that can be known about the zip at ``path`` without running it.

    Bytecode is held against the Python of ``target``; without one, against the Python that the archive itself points
    to. Raises ``UsageError`` where there is no zip, ``VerificationError`` where it is damaged or dangerous to read.
    """
    with zip_content.opened(path) as data:
        return _examine(data, path, target)


def _examine(data: Bytes, path: Path, target: Target | None) -> Examination:
    entries = sorted(zip_directory.entries(data, path), key=lambda entry: entry.name)
    archive = _Zip(data=data, entries={entry.name: entry for entry in entries})
    files = [entry for entry in entries if not entry.is_folder]
    distributions = metadata.distributions(archive)
    owners = metadata.owners((entry.name for entry in files), distributions, archive)
    magic = target.runtime.magic if target else _magic(files, archive)

    def look(entry: ZipEntry) -> Member:
        return _member(entry, archive, owners.get(entry.name, ""), magic)

    # The largest first, so that no thread is left alone with one at the end. Each holds a file in memory.
    with ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1)) as pool:
        members = list(pool.map(look, sorted(files, key=lambda entry: -entry.size)))
    members.sort(key=lambda member: member.path)
    return Examination(
        path=path,
        sha256=digest.of_file(path),
        content_sha256=digest.of_contents((member.mode, member.sha256, member.path) for member in members),
        zipped=len(data),
        unzipped=sum(member.size for member in members),
        members=tuple(members),
        distributions=distributions,
        folders=tuple(_folder(entry) for entry in entries if entry.is_folder),
    )


def _magic(files: Iterable[ZipEntry], archive: _Zip) -> int:
    """Magic number of the Python that the archive seems to be made for."""
    paths = [entry.name for entry in files]
    heads = (archive.read(path) for path in [path for path in paths if path.endswith(".pyc")][:20])
    python = likely_python(paths, (int.from_bytes(head[:2], "little") for head in heads if head))
    return runtimes()[python].magic


def _member(entry: ZipEntry, archive: _Zip, package: str, magic: int) -> Member:
    if entry.size <= SMALL:
        return _looked_at(entry, archive, package, magic)
    with archive.turn:
        return _looked_at(entry, archive, package, magic)


def _looked_at(entry: ZipEntry, archive: _Zip, package: str, magic: int) -> Member:
    data, sha256 = _telling(entry, archive.data)
    native = _Native() if entry.is_link else _native(entry, data)
    is_pyc = entry.name.endswith(".pyc") and not entry.is_link
    return Member(
        path=entry.name,
        mode=entry.mode,
        size=entry.size,
        zipped=entry.zipped,
        sha256=sha256,
        kind=_kind(entry.name, native),
        package=package,
        link=os.fsdecode(data) if entry.is_link else "",
        elf=native.elf,
        damaged=native.damaged,
        foreign=native.foreign,
        pyc=_pyc(entry.name, data, archive, magic) if is_pyc else None,
        started_by="" if entry.is_link else _started_by(data),
        unsafe=entry.unsafe,
    )


def _telling(entry: ZipEntry, archive: Bytes) -> tuple[bytes, str]:
    """What tells of a file what it is, which may be its beginning alone, and the digest of all of it."""
    if entry.size > SMALL:
        pieces = zip_content.pieces(archive, entry)
        head = next(pieces, b"")
        looked_into = entry.name.endswith(".pyc") or (elf_layout.is_elf(head[:16]) and entry.size <= MOST_NATIVE)
        if not looked_into:
            return head, digest.of_pieces(chain((head,), pieces))
    data = zip_content.content(archive, entry)
    return data, digest.sha256(data)


def _folder(entry: ZipEntry) -> Member:
    return Member(
        path=entry.name,
        mode=entry.mode,
        size=0,
        zipped=0,
        sha256=digest.sha256(b""),
        kind=Kind.DATA,
        package="",
        unsafe=entry.unsafe,
    )


def _native(entry: ZipEntry, data: bytes) -> _Native:
    """What the loader would see; a name that ends in ``.so`` claims to be a library too, unless it is a script."""
    path = entry.name
    if elf_layout.is_elf(data[:16]):
        if len(data) < entry.size:
            return _Native(damaged=f"it has {entry.size:,} bytes, more than any layer may")
        try:
            return _Native(elf=elf.facts(data))
        except elf_layout.Damaged as error:
            return _Native(damaged=str(error))
    if path.endswith((".so", ".dylib")) and data.startswith(_MACH_O):
        return _Native(foreign="Mach-O")
    if path.endswith(".pyd") and data.startswith(b"MZ"):
        return _Native(foreign="PE")
    if path.endswith(".so") and not data.startswith(_LINKER_SCRIPT):
        return _Native(damaged="it does not begin as an ELF file does")
    return _Native()


def _started_by(data: bytes) -> str:
    started = shebang.start(data[:LONGEST_START]) if data.startswith(shebang.MARK) else None
    return started.program if started else ""


def _kind(path: str, native: _Native) -> Kind:
    if native != _Native():
        return Kind.NATIVE
    if ".dist-info/" in path or ".egg-info/" in path:
        return Kind.METADATA
    return _KINDS.get(posixpath.splitext(path)[1], Kind.DATA)


def _pyc(path: str, data: bytes, archive: _Zip, magic: int) -> PycFacts:
    path = pyc.source_path(path)
    entry = archive.entries.get(path)
    hashed = partial(archive.source_hash, path)
    source = None if entry is None else pyc.Source(size=entry.size, mtime=entry.mtime, hashed=hashed)
    return pyc.facts(data, magic=magic, source=source)
