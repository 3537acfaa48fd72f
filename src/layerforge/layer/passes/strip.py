"""Strip: symbol tables, debug sections and section headers go, and no byte that is ever loaded moves in memory.

What strip tools do breaks wheels whose segments were moved before (serverless-python-requirements#318), because they
lay the file out anew from its sections. Here only ranges of the file that no segment covers are dropped, each in
multiples of the largest alignment, so that offsets and addresses go on agreeing; every cut is then proved.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from layerforge.core import elf_layout
from layerforge.core.elf_layout import LOAD, Header, Section, Segment
from layerforge.layer.passes.setting import LeftAlone, Setting
from layerforge.layer.tree import Edit, File, Tree, blob, holds_elf, swap

REASON = "symbols and debug sections"
_PAGE = 4096
_HEADER, _PROGRAM_HEADER = 64, 56
_OFFSET_IN_PROGRAM_HEADER = 8

_DROPPED = re.compile(
    r"\.(symtab|symtab_shndx|strtab|shstrtab|comment|gdb_index|stab.*|z?debug_.*|gnu_debug.*|gnu\.build\.attributes.*"
    r"|gnu\.lto_.*|gnu\.warning.*|annobin.*|note.*|llvm.*|rela?\..*)"
)
"""Names of sections that only linkers, debuggers and the like read."""

_BY_SECTION = frozenset({".qtmetadata"})
"""Sections that something looks up by name at run time: Qt its plugins' metadata."""


class Unsafe(ValueError):  # noqa: N818 - it says what cutting the file would be
    """Why a file cannot be cut."""


@dataclass(frozen=True, kw_only=True)
class _Piece:
    """A range of the file that stays, and how many bytes go before it."""

    start: int
    end: int
    before: int


def strip(tree: Tree, setting: Setting) -> Iterator[Edit | LeftAlone]:
    """Cuts every ELF file of ``tree``; one that cannot be cut safely is left, with the reason."""
    files = [file for file in tree.files if holds_elf(file.blob)]
    setting.step.expect(sum(file.size for file in files))
    for file in files:
        yield from _strip(file)
        setting.step.advance(file.size)


def _strip(file: File) -> Iterator[Edit | LeftAlone]:
    data = file.blob.read()
    try:
        shorter = cut(data)
    except Unsafe as unsafe:
        yield LeftAlone(path=file.path, reason=str(unsafe))
        return
    if len(shorter) < len(data):
        yield swap(file, replace(file, blob=blob(shorter)), REASON)


def cut(data: bytes) -> bytes:
    """``data`` without its symbol tables, debug sections and section headers.

    Returns ``data`` itself where there is nothing to win, and for what the loader of a Lambda function never maps:
    object files, GPU code, 32-bit files. Raises ``Unsafe`` where the file is damaged, could not be loaded as it is,
    or holds something outside its segments that a program may read.
    """
    try:
        head = elf_layout.header(data)
        if not _is_ours(head) or not head.shoff:
            return data
        parts = elf_layout.segments(data)
        sections = elf_layout.sections(data)
    except elf_layout.Damaged as damaged:
        raise Unsafe(str(damaged)) from damaged
    unit = _unit(parts)
    _check_sections(data, head, parts, sections)
    pieces = _pieces(_covered(len(data), head, parts), unit)
    shorter = _assemble(data, head, parts, pieces)
    _prove(data, shorter)
    return shorter if len(shorter) < len(data) else data


def _is_ours(head: Header) -> bool:
    # A cubin for a GPU is an ELF program too, and its driver reads it by its sections.
    return (
        (head.bits, head.order) == (64, "<")
        and head.machine in elf_layout.MACHINES
        and head.type in (elf_layout.EXECUTABLE, elf_layout.SHARED)
    )


def _unit(parts: Iterable[Segment]) -> int:
    """Bytes that may go at a time: the largest alignment of what is mapped."""
    loaded = [part for part in parts if part.type == LOAD]
    unit = max([_PAGE, *(part.align for part in loaded)])
    if not loaded:
        raise Unsafe("it has no segment to load")
    if any(part.align & (part.align - 1) for part in loaded) or not all(part.aligned for part in loaded):
        raise Unsafe("a segment's offset and address do not agree, so it cannot be loaded as it is")
    return unit


def _check_sections(data: bytes, head: Header, parts: tuple[Segment, ...], sections: tuple[Section, ...]) -> None:
    """Bytes outside the segments may belong to known sections only: a program can carry its data behind itself."""
    for row in sections:
        if row.name in _BY_SECTION:
            raise Unsafe(f"programs find its {row.name} by the section header")
        loose = row.size and not any(part.offset <= row.offset and row.offset + row.size <= part.end for part in parts)
        if loose and not _DROPPED.fullmatch(row.name):
            raise Unsafe(f"its section {row.name or 'without a name'} is outside every segment and not known")
    ends = [part.end for part in parts] + [row.offset + row.size for row in sections]
    if data[max([head.shoff + head.shnum * head.shentsize, *ends]) :].strip(b"\0"):
        raise Unsafe("data is appended to it")


def _covered(size: int, head: Header, parts: Iterable[Segment]) -> list[tuple[int, int]]:
    """Ranges that must stay, merged and sorted."""
    ranges = [(0, _HEADER), (head.phoff, head.phoff + head.phnum * _PROGRAM_HEADER)]
    ranges += [(part.offset, part.end) for part in parts if part.size]
    # The loader maps the page in which memory without bytes begins, so that page has to be in the file as well.
    ranges += [(part.offset // _PAGE * _PAGE, part.offset) for part in parts if part.type == LOAD and not part.size]
    merged: list[tuple[int, int]] = []
    for start, end in sorted((start, min(end, size)) for start, end in ranges if start < min(end, size)):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _pieces(covered: Iterable[tuple[int, int]], unit: int) -> list[_Piece]:
    pieces: list[_Piece] = []
    before = last = 0
    for start, end in covered:
        before += (start - last) // unit * unit
        pieces.append(_Piece(start=start, end=end, before=before))
        last = end
    return pieces


def _assemble(data: bytes, head: Header, parts: tuple[Segment, ...], pieces: list[_Piece]) -> bytes:
    """The pieces closer together, and headers that point to where they are now. What remains between is zero."""
    out = bytearray(pieces[-1].end - pieces[-1].before)
    view = memoryview(data)
    for piece in pieces:
        out[piece.start - piece.before : piece.end - piece.before] = view[piece.start : piece.end]
    phoff = head.phoff - _before(head.phoff, pieces)
    out[:_HEADER] = elf_layout.without_sections(data, phoff=phoff)
    for index, part in enumerate(parts):
        place = phoff + index * _PROGRAM_HEADER + _OFFSET_IN_PROGRAM_HEADER
        struct.pack_into("<Q", out, place, part.offset - _before(part.offset, pieces))
    return bytes(out)


def _before(offset: int, pieces: Iterable[_Piece]) -> int:
    """How far what stood at ``offset`` moves forward."""
    return max((piece.before for piece in pieces if piece.start <= offset), default=0)


def _prove(old: bytes, new: bytes) -> None:
    """Raises ``Unsafe`` unless the loader would find in ``new`` what it found in ``old``."""
    try:
        then, now = elf_layout.segments(old), elf_layout.segments(new)
        was, is_now = _without_own_offsets(old), _without_own_offsets(new)
    except elf_layout.Damaged as damaged:
        raise Unsafe(f"the cut file would be damaged: {damaged}") from damaged
    if [replace(part, offset=0) for part in then] != [replace(part, offset=0) for part in now]:
        raise Unsafe("its program headers overlap what they describe")
    for before, after in zip(then, now, strict=True):
        if before.type == LOAD and not after.aligned:
            raise Unsafe("a cut segment's offset and address would not agree")
        # A slice would be a copy, of all that a layer has.
        if before.size and not is_now.startswith(memoryview(was)[before.offset : before.end], after.offset):
            raise Unsafe("a cut segment would hold other bytes")


def _without_own_offsets(data: bytes) -> bytearray:
    """``data`` with zeros where its headers say at which offset things are: all that a cut may change."""
    head = elf_layout.header(data)
    table = range(head.phoff, head.phoff + head.phnum * _PROGRAM_HEADER)
    if (table and table.start < _HEADER) or any(_clash(part, table) for part in elf_layout.segments(data)):
        raise Unsafe("its headers overlap each other or what they describe")
    out = bytearray(data)
    out[:_HEADER] = elf_layout.without_sections(data, phoff=0)
    for row in table[::_PROGRAM_HEADER]:
        struct.pack_into("<Q", out, row + _OFFSET_IN_PROGRAM_HEADER, 0)
    return out


def _clash(part: Segment, table: range) -> bool:
    """Whether a segment other than those that are meant to hold the headers shares bytes with them."""
    if part.type in (LOAD, elf_layout.HEADERS) or not part.size:
        return False
    return part.offset < _HEADER or (part.offset < table.stop and table.start < part.end)
