"""ELF headers, segments and sections, each checked against the bounds of the file before anything is read of it."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from layerforge.core.runtimes import Arch

MAGIC = b"\x7fELF"
EXECUTABLE, SHARED = 2, 3
"""``e_type`` of programs and of shared libraries (and programs that load anywhere)."""

MACHINES: Mapping[int, str] = {62: Arch.X86_64, 183: Arch.ARM64}
"""``e_machine`` of what Lambda runs."""

LOAD, DYNAMIC, HEADERS = 1, 2, 6
"""``p_type`` of segments that are mapped, of the dynamic table, and of the program headers themselves."""

SYMBOL_TABLE, NO_BITS = 2, 8
"""``sh_type`` of ``.symtab``, and of sections that take no place in the file."""

LONGEST_NAME = 16_384
_MOST_SEGMENTS = 200
_MOST_SECTION_NAMES = 16_000_000
"""Bounds far above what linkers write, the last one in characters, so that a hostile file costs little to read."""


class Damaged(ValueError):  # noqa: N818 - it says what the file is
    """Why a file cannot be read."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """What the first bytes say. Offsets are from the start of the file."""

    bits: int
    order: str
    """``<`` or ``>``, as ``struct`` writes byte orders."""
    type: int
    machine: int
    phoff: int
    phentsize: int
    phnum: int
    shoff: int
    shentsize: int
    shnum: int
    shstrndx: int


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One program header. Sizes and offsets are bytes."""

    type: int
    offset: int
    address: int
    size: int
    """Bytes in the file."""
    memory: int
    """Bytes in memory."""
    align: int

    @property
    def end(self) -> int:
        """Offset after its last byte in the file."""
        return self.offset + self.size

    @property
    def aligned(self) -> bool:
        """Whether the loader can map it: its offset and its address agree, modulo its alignment."""
        return self.align < 2 or (self.offset - self.address) % self.align == 0


@dataclass(frozen=True, kw_only=True)
class Section:
    """One section header."""

    name: str
    type: int
    offset: int
    size: int
    """Bytes in the file; 0 where the section takes no place there."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """How one ELF class lays its records out, as ``struct`` formats without byte order."""

    header: str
    segment: str
    fields: tuple[int, int, int, int, int, int]
    """Where type, offset, address, file size, memory size and alignment stand in a program header."""
    section: str
    dynamic: str
    symbol: str
    defined: int
    """Where the section that defines a symbol stands in its record."""


FORMS = {
    32: Form(
        header="16sHHIIIIIHHHHHH",
        segment="IIIIIIII",
        fields=(0, 1, 2, 4, 5, 7),
        section="IIIIIIIIII",
        dynamic="II",
        symbol="IIIBBH",
        defined=5,
    ),
    64: Form(
        header="16sHHIQQQIHHHHHH",
        segment="IIQQQQQQ",
        fields=(0, 2, 3, 5, 6, 7),
        section="IIQQQQIIQQ",
        dynamic="QQ",
        symbol="IBBHQQ",
        defined=3,
    ),
}


def is_elf(head: bytes) -> bool:
    """Whether a file that begins with ``head`` claims to be ELF."""
    return head[:4] == MAGIC


def header(data: bytes) -> Header:
    """The ELF header. Raises ``Damaged`` where it is none or points outside the file."""
    if not is_elf(data):
        raise Damaged("it does not begin as an ELF file does")
    bits, order = {1: 32, 2: 64}.get(_byte(data, 4)), {1: "<", 2: ">"}.get(_byte(data, 5))
    if bits is None or order is None:
        raise Damaged("its word size or byte order is none that ELF knows")
    values = next(records(data, order + FORMS[bits].header, 0, 1, "ELF header"))
    head = Header(
        bits=bits,
        order=order,
        type=values[1],
        machine=values[2],
        phoff=values[5],
        phentsize=values[9],
        phnum=values[10],
        shoff=values[6],
        shentsize=values[11],
        shnum=values[12],
        shstrndx=values[13],
    )
    if head.phnum > _MOST_SEGMENTS:
        raise Damaged(f"it has {head.phnum:,} program headers")
    if head.phnum and head.phentsize != struct.calcsize(order + FORMS[bits].segment):
        raise Damaged(f"its program headers are {head.phentsize} bytes long")
    return head


def _byte(data: bytes, index: int) -> int:
    return data[index] if index < len(data) else 0


def without_sections(data: bytes, *, phoff: int) -> bytes:
    """The ELF header of ``data``, with its program headers at ``phoff`` and no section headers."""
    head = header(data)
    form = struct.Struct(head.order + FORMS[head.bits].header)
    values = list(form.unpack_from(data))
    values[5], values[6], values[12], values[13] = phoff, 0, 0, 0
    return form.pack(*values)


def segments(data: bytes) -> tuple[Segment, ...]:
    """The program headers, in the file's order. Raises ``Damaged`` where one of them ends outside the file."""
    head = header(data)
    form = FORMS[head.bits]
    parts: list[Segment] = []
    for values in records(data, head.order + form.segment, head.phoff, head.phnum, "program header table"):
        kind, offset, address, size, memory, align = (values[field] for field in form.fields)
        part = Segment(type=kind, offset=offset, address=address, size=size, memory=memory, align=align)
        if part.size and part.end > len(data):
            raise Damaged(f"a segment ends at byte {part.end:,} of {len(data):,}: the file was cut short")
        parts.append(part)
    return tuple(parts)


def sections(data: bytes) -> tuple[Section, ...]:
    """The section headers; empty where the file has none. Raises ``Damaged`` where they lie outside the file."""
    head = header(data)
    form = head.order + FORMS[head.bits].section
    if not head.shoff:
        return ()
    if not head.shnum or head.shentsize != struct.calcsize(form):
        raise Damaged("its section headers have no count or another size than ELF knows")
    rows = list(records(data, form, head.shoff, head.shnum, "section header table"))
    names = _section_names(data, rows[head.shstrndx][4] if head.shstrndx < len(rows) else len(data), rows)
    return tuple(
        Section(name=name, type=row[1], offset=row[4], size=0 if row[1] == NO_BITS else row[5])
        for name, row in zip(names, rows, strict=True)
    )


def _section_names(data: bytes, start: int, rows: list[tuple[Any, ...]]) -> list[str]:
    names: list[str] = []
    room = _MOST_SECTION_NAMES
    for row in rows:
        names.append(_text(data, start + row[0]))
        room -= len(names[-1])
        if room < 0:
            raise Damaged("its sections have longer names than any linker writes")
    return names


def records(data: bytes, form: str, offset: int, count: int, what: str) -> Iterator[tuple[Any, ...]]:
    """``count`` records in a row. Raises ``Damaged`` at the first step where they reach past the file's end."""
    end = offset + count * struct.calcsize(form)
    if end > len(data):
        raise Damaged(f"its {what} ends at byte {end:,} of {len(data):,}: the file was cut short")
    return struct.iter_unpack(form, memoryview(data)[offset:end])


def _text(data: bytes, offset: int) -> str:
    """The string at ``offset``, with surrogates for what is no text; empty where it does not end in the file."""
    end = data.find(b"\0", offset, offset + LONGEST_NAME)
    return data[offset:end].decode("utf-8", "surrogateescape") if end >= 0 else ""
