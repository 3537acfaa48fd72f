"""The tree of a layer: files and links by path, and the edits that passes propose."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from layerforge.core.digest import sha256
from layerforge.core.elf_layout import is_elf


@dataclass(frozen=True, kw_only=True)
class Blob:
    """Bytes of a file, in memory or on disk, with their digest."""

    sha256: str
    size: int
    source: Path | bytes = field(repr=False)

    def read(self) -> bytes:
        """The bytes themselves."""
        return self.source if isinstance(self.source, bytes) else self.source.read_bytes()


@dataclass(frozen=True, kw_only=True)
class File:
    """A regular file of a layer."""

    path: str
    blob: Blob
    executable: bool = False
    package: str = ""
    """Distribution that the file came with, normalised; empty where no RECORD lists it."""

    @property
    def size(self) -> int:
        """Bytes, as Lambda counts them."""
        return self.blob.size


@dataclass(frozen=True, kw_only=True)
class Link:
    """A symbolic link of a layer."""

    path: str
    target: str
    """Relative to the folder of the link."""
    package: str = ""

    @property
    def size(self) -> int:
        """Bytes, as Lambda counts them."""
        return len(self.target.encode())


Entry = File | Link


@dataclass(frozen=True, kw_only=True)
class Package:
    """A distribution of a layer."""

    name: str
    """Normalised name."""
    version: str
    info: str
    """Path of its ``.dist-info`` folder."""
    origin: str = "wheel"
    """``wheel`` or ``compiled``."""
    licence: str = ""


@dataclass(frozen=True, kw_only=True)
class Tree:
    """Files of a layer, sorted by path, each path once."""

    entries: tuple[Entry, ...]
    packages: tuple[Package, ...] = ()

    @property
    def size(self) -> int:
        """Unzipped bytes, as Lambda counts them."""
        return sum(entry.size for entry in self.entries)

    @property
    def files(self) -> tuple[File, ...]:
        """The regular files."""
        return tuple(entry for entry in self.entries if isinstance(entry, File))

    @cached_property
    def by_path(self) -> Mapping[str, Entry]:
        """The entries by path."""
        return {entry.path: entry for entry in self.entries}

    @property
    def paths(self) -> Collection[str]:
        """Every path."""
        return self.by_path.keys()

    def read(self, path: str) -> bytes | None:
        """The bytes of a file; ``None`` where there is none, or a link."""
        entry = self.by_path.get(path)
        return entry.blob.read() if isinstance(entry, File) else None


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One proposed change of a tree: what stands at ``path`` becomes ``entry``, or goes where that is ``None``."""

    path: str
    entry: Entry | None
    reason: str
    """Why, as a short phrase that groups with others: ``tests``, ``symbols and debug sections``."""
    saved: int
    """Unzipped bytes won; negative where the edit adds some."""


def make(entries: Iterable[Entry], tree: Tree) -> Tree:
    """``tree`` with other entries, sorted by path."""
    return replace(tree, entries=tuple(sorted(entries, key=lambda entry: entry.path)))


def apply(tree: Tree, edits: Iterable[Edit]) -> Tree:
    """Carries out all ``edits`` at once. Raises ``ValueError`` where two of them contradict each other."""
    queue: dict[str, Edit] = {}
    for edit in edits:
        if edit.path in queue:
            raise ValueError(f"two edits of {edit.path}: {queue[edit.path].reason!r} and {edit.reason!r}")
        queue[edit.path] = edit
    entries = dict(tree.by_path)
    for path in queue:
        entries.pop(path, None)
    for edit in queue.values():
        if edit.entry is not None:
            if edit.entry.path in entries:
                raise ValueError(f"{edit.path} would replace {edit.entry.path}")
            entries[edit.entry.path] = edit.entry
    return make(entries.values(), tree)


def drop(entry: Entry, reason: str) -> Edit:
    """The edit that removes ``entry``."""
    return Edit(path=entry.path, entry=None, reason=reason, saved=entry.size)


def swap(old: Entry, new: Entry, reason: str) -> Edit:
    """The edit that puts ``new`` where ``old`` was."""
    return Edit(path=old.path, entry=new, reason=reason, saved=old.size - new.size)


def add(new: Entry, reason: str) -> Edit:
    """The edit that adds ``new``."""
    return Edit(path=new.path, entry=new, reason=reason, saved=-new.size)


def blob(data: bytes) -> Blob:
    """A blob in memory."""
    return Blob(sha256=sha256(data), size=len(data), source=data)


def holds_elf(blob: Blob) -> bool:
    """Whether ``blob`` claims to be ELF. Reads four bytes of it."""
    return is_elf(head(blob, 4))


def head(blob: Blob, count: int) -> bytes:
    """The first bytes of a blob; no others are read."""
    if isinstance(blob.source, bytes):
        return blob.source[:count]
    with blob.source.open("rb", buffering=0) as file:
        return file.read(count)
