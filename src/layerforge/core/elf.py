"""ELF files as the loader reads them: through their program headers and dynamic tables, never through sections.

A wheel's library may lack section headers, and those that it has are no promise, so all facts but ``stripped`` come
from segments. Everything is checked against the bounds of the file before lief, which is native code, sees it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from types import ModuleType
from typing import Any

from layerforge.core.runtimes import Arch


@dataclass(frozen=True, kw_only=True)
class ElfFacts:
    """What the loader would read of an ELF file, taken from its segments."""

    machine: str
    """``x86_64``, ``arm64``, or another machine's ELF name in lower case."""
    bits: int
    soname: str
    needed: tuple[str, ...]
    runpath: tuple[str, ...]
    """Entries of DT_RUNPATH, else of DT_RPATH."""
    versions: Mapping[str, tuple[str, ...]]
    """Symbol versions needed, by the library they are needed from: ``{"libc.so.6": ("GLIBC_2.17",)}``."""
    stripped: bool
    """No symbol table and no debug section."""
    aligned: bool
    """Every PT_LOAD has ``p_offset ≡ p_vaddr (mod p_align)`` and lies inside the file."""
    init: str = ""
    """Name after ``PyInit_`` where the file is an extension module."""


MAGIC = b"\x7fELF"
EXECUTABLE, SHARED = 2, 3
"""``e_type`` of programs and of shared libraries (and programs that load anywhere)."""

MACHINES: Mapping[int, str] = {62: Arch.X86_64, 183: Arch.ARM64}
"""``e_machine`` of what Lambda runs."""

LOAD, DYNAMIC, HEADERS = 1, 2, 6
"""``p_type`` of segments that are mapped, of the dynamic table, and of the program headers themselves."""

SYMBOL_TABLE, NO_BITS = 2, 8
"""``sh_type`` of ``.symtab``, and of sections that take no place in the file."""

_NEEDED, _STRTAB, _SYMTAB, _STRSZ, _SONAME, _RPATH, _RUNPATH = 1, 5, 6, 10, 14, 15, 29
_VERNEED, _VERNEEDNUM = 0x6FFFFFFE, 0x6FFFFFFF
_LONGEST_NAME = 16_384
_MOST_SEGMENTS = 200
_MOST_NAMES = 10_000
"""Bounds far above what linkers write, so that a hostile file cannot make reading it slow."""

_INIT = re.compile(rb"PyInit_(?!__init__\0)([^\0]+)\0")
"""What a module exports. mypyc's shims export ``PyInit___init__`` besides, which no import asks for."""


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
class _Form:
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


_FORMS = {
    32: _Form(
        header="16sHHIIIIIHHHHHH",
        segment="IIIIIIII",
        fields=(0, 1, 2, 4, 5, 7),
        section="IIIIIIIIII",
        dynamic="II",
        symbol="IIIBBH",
        defined=5,
    ),
    64: _Form(
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


def facts(data: bytes) -> ElfFacts:
    """What the loader would read of ``data``. Raises ``Damaged`` where it could not."""
    head = header(data)
    parts = segments(data)
    entries = _dynamic(data, head, parts)
    names = _names(data, head) if entries else _Names()
    return ElfFacts(
        machine=_machine(head),
        bits=head.bits,
        soname=names.soname,
        needed=names.needed,
        runpath=names.runpath,
        versions=names.versions,
        stripped=not _has_symbols(data),
        aligned=all(part.aligned for part in parts if part.type == LOAD),
        init=_init(data, head, entries, parts),
    )


def _machine(head: Header) -> str:
    if head.machine in MACHINES:
        return MACHINES[head.machine]
    try:
        return str(_lief().ELF.ARCH(head.machine).name).lower()
    except ValueError:
        return f"machine {head.machine}"


def header(data: bytes) -> Header:
    """The ELF header. Raises ``Damaged`` where it is none or points outside the file."""
    if not is_elf(data):
        raise Damaged("it does not begin as an ELF file does")
    bits, order = {1: 32, 2: 64}.get(_byte(data, 4)), {1: "<", 2: ">"}.get(_byte(data, 5))
    if bits is None or order is None:
        raise Damaged("its word size or byte order is none that ELF knows")
    values = next(_records(data, order + _FORMS[bits].header, 0, 1, "ELF header"))
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
    if head.phnum and head.phentsize != struct.calcsize(order + _FORMS[bits].segment):
        raise Damaged(f"its program headers are {head.phentsize} bytes long")
    return head


def _byte(data: bytes, index: int) -> int:
    return data[index] if index < len(data) else 0


def without_sections(data: bytes, *, phoff: int) -> bytes:
    """The ELF header of ``data``, with its program headers at ``phoff`` and no section headers."""
    head = header(data)
    form = struct.Struct(head.order + _FORMS[head.bits].header)
    values = list(form.unpack_from(data))
    values[5], values[6], values[12], values[13] = phoff, 0, 0, 0
    return form.pack(*values)


def segments(data: bytes) -> tuple[Segment, ...]:
    """The program headers, in the file's order. Raises ``Damaged`` where one of them ends outside the file."""
    head = header(data)
    form = _FORMS[head.bits]
    parts: list[Segment] = []
    for values in _records(data, head.order + form.segment, head.phoff, head.phnum, "program header table"):
        kind, offset, address, size, memory, align = (values[field] for field in form.fields)
        part = Segment(type=kind, offset=offset, address=address, size=size, memory=memory, align=align)
        if part.size and part.end > len(data):
            raise Damaged(f"a segment ends at byte {part.end:,} of {len(data):,}: the file was cut short")
        parts.append(part)
    return tuple(parts)


def sections(data: bytes) -> tuple[Section, ...]:
    """The section headers; empty where the file has none. Raises ``Damaged`` where they lie outside the file."""
    head = header(data)
    form = head.order + _FORMS[head.bits].section
    if not head.shoff:
        return ()
    if not head.shnum or head.shentsize != struct.calcsize(form):
        raise Damaged("its section headers have no count or another size than ELF knows")
    rows = list(_records(data, form, head.shoff, head.shnum, "section header table"))
    names = rows[head.shstrndx][4] if head.shstrndx < len(rows) else len(data)
    return tuple(
        Section(name=_text(data, names + row[0]), type=row[1], offset=row[4], size=0 if row[1] == NO_BITS else row[5])
        for row in rows
    )


def _records(data: bytes, form: str, offset: int, count: int, what: str) -> Iterator[tuple[Any, ...]]:
    """``count`` records in a row. Raises ``Damaged`` at the first step where they reach past the file's end."""
    end = offset + count * struct.calcsize(form)
    if end > len(data):
        raise Damaged(f"its {what} ends at byte {end:,} of {len(data):,}: the file was cut short")
    return struct.iter_unpack(form, memoryview(data)[offset:end])


def _text(data: bytes, offset: int) -> str:
    """The string at ``offset``, with surrogates for what is no text; empty where it does not end in the file."""
    end = data.find(b"\0", offset, offset + _LONGEST_NAME)
    return data[offset:end].decode("utf-8", "surrogateescape") if end >= 0 else ""


def _has_symbols(data: bytes) -> bool:
    """Whether there is a symbol table or a debug section. None can be found without readable section headers."""
    try:
        found = sections(data)
    except Damaged:
        return False
    return any(row.type == SYMBOL_TABLE or row.name.startswith((".debug_", ".zdebug_")) for row in found)


_Entries = Mapping[int, tuple[int, ...]]
"""Values by tag; those of addresses are offsets from the start of the file."""


def _dynamic(data: bytes, head: Header, parts: tuple[Segment, ...]) -> _Entries:
    """The dynamic table; empty where there is none. Raises ``Damaged`` where it or its strings leave the file."""
    table = next((part for part in parts if part.type == DYNAMIC), None)
    if table is None:
        return {}
    form = head.order + _FORMS[head.bits].dynamic
    found: dict[int, list[int]] = {}
    count = min(table.size // struct.calcsize(form), _MOST_NAMES)
    for tag, value in _records(data, form, table.offset, count, "dynamic table"):
        if not tag:
            break
        found.setdefault(tag, []).append(value)
    else:
        raise Damaged("its dynamic table has no end")
    for tag in found.keys() & {_STRTAB, _SYMTAB, _VERNEED}:
        found[tag] = [_offset(value, parts) for value in found[tag]]
    _check_names(data, found, list(islice(_version_names(data, head.order, found), _MOST_NAMES)))
    return {tag: tuple(values) for tag, values in found.items()}


def _offset(address: int, parts: tuple[Segment, ...]) -> int:
    holders = [p for p in parts if p.type == LOAD and p.address <= address < p.address + p.size]
    if len(holders) != 1:
        raise Damaged(f"its dynamic table points to {address:#x}, which {len(holders) or 'no'} segments hold")
    return holders[0].offset + address - holders[0].address


def _check_names(data: bytes, found: Mapping[int, list[int]], more: list[int]) -> None:
    """Raises ``Damaged`` unless the names of the table, and ``more`` of them, lie in its one set of strings."""
    if any(len(found.get(tag, ())) != 1 for tag in (_STRTAB, _STRSZ)) or len(found.get(_VERNEED, ())) > 1:
        raise Damaged("its dynamic table does not have each of its parts once")
    (start,), (size,) = found[_STRTAB], found[_STRSZ]
    strings = data[start : start + size]
    if len(strings) < size or not strings.endswith(b"\0"):
        raise Damaged("its dynamic strings have no end")
    names = [name for tag in (_NEEDED, _SONAME, _RPATH, _RUNPATH) for name in found.get(tag, ())] + more
    if max(names, default=0) >= size:
        raise Damaged("a name in its dynamic table lies outside its dynamic strings")
    if len(more) == _MOST_NAMES or max(map(len, strings.split(b"\0"))) > _LONGEST_NAME:
        raise Damaged("its dynamic table has more or longer names than any linker writes")


def _version_names(data: bytes, order: str, found: Mapping[int, list[int]]) -> Iterator[int]:
    """Offsets of all names in the symbol versions that are needed. Raises ``Damaged`` where a list ends too early."""
    for place, count in zip(found.get(_VERNEED, ()), found.get(_VERNEEDNUM, ()), strict=False):
        for at, (_, versions, library, first, _) in _chain(data, f"{order}HHIII", place, count):
            yield library
            for _, (*_, version, _) in _chain(data, f"{order}IHHII", at + first, versions):
                yield version


def _chain(data: bytes, form: str, place: int, count: int) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """``count`` records with their offsets, of which each ends in the distance to the next."""
    for left in range(count, 0, -1):
        values = next(_records(data, form, place, 1, "table of symbol versions"))
        yield place, values
        if left > 1 and not values[-1]:
            raise Damaged("its table of symbol versions ends too early")
        place += values[-1]


@dataclass(frozen=True, kw_only=True)
class _Names:
    """What a dynamic table names."""

    soname: str = ""
    needed: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    versions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@cache
def _lief() -> ModuleType:
    """The lief library, silenced. Loading it takes a third of a second, which most commands can do without."""
    import lief

    lief.logging.disable()
    return lief


@cache
def _config() -> object:
    """What lief is to read: the dynamic table and the versions, nothing that takes time."""
    config = _lief().ELF.ParserConfig()
    config.parse_dyn_symbols = config.parse_symtab_symbols = config.parse_relocations = False
    config.parse_notes = config.parse_overlay = False
    return config


def _names(data: bytes, head: Header) -> _Names:
    # Without section headers lief has nothing but segments to go by, as the loader has.
    bare = without_sections(data, phoff=head.phoff)
    elf = _lief().ELF
    binary = elf.parse(b"".join((bare, memoryview(data)[len(bare) :])), _config())
    if binary is None:
        raise Damaged("lief cannot read it")
    try:
        return _read(binary, elf.DynamicEntry.TAG)
    except (UnicodeDecodeError, TypeError) as error:
        raise Damaged("a name in its dynamic table is no text") from error


def _read(binary: Any, tags: Any) -> _Names:
    # For a name that is not UTF-8 lief raises an error or gives bytes; joining those to a string is an error as well.
    soname, runpath, rpath = (binary.get(tag) for tag in (tags.SONAME, tags.RUNPATH, tags.RPATH))
    paths = runpath.runpath if runpath else rpath.rpath if rpath else ""
    return _Names(
        soname="" + soname.name if soname else "",
        needed=tuple("" + name for name in binary.libraries),
        runpath=tuple(path for path in ("" + paths).split(":") if path),
        versions=_versions(binary),
    )


def _versions(binary: Any) -> dict[str, tuple[str, ...]]:
    """Symbol versions needed, by library."""
    found: dict[str, set[str]] = {}
    for need in binary.symbols_version_requirement:
        names = {"" + version.name for version in need.get_auxiliary_symbols()}
        found.setdefault("" + need.name, set()).update(names)
    return {library: tuple(sorted(names)) for library, names in sorted(found.items())}


def _init(data: bytes, head: Header, entries: _Entries, parts: tuple[Segment, ...]) -> str:
    """Name after ``PyInit_`` of the first module that the file exports.

    The names are looked for first, since most files have none, and then the symbols that bear them.
    """
    if not {_STRTAB, _SYMTAB} <= entries.keys():
        return ""
    start, size, symbols = entries[_STRTAB][0], entries[_STRSZ][0], entries[_SYMTAB][-1]
    modules = {match.start() - start: match[1] for match in _INIT.finditer(data, start, start + size)}
    form = _FORMS[head.bits]
    record = struct.Struct(head.order + form.symbol)
    # Nothing in the file says how many symbols there are; the strings nearly always follow them.
    end = start if start > symbols else max(part.end for part in parts if part.offset <= symbols < part.end)
    rows = record.iter_unpack(memoryview(data)[symbols : end - (end - symbols) % record.size]) if modules else ()
    names = (modules[row[0]] for row in rows if row[0] in modules and row[form.defined])
    return next(names, b"").decode("utf-8", "replace")
