"""ELF files as the loader reads them: through their program headers and dynamic tables, never through sections.

A wheel's library may lack section headers, and those that it has are no promise, so all facts but ``stripped`` come
from segments. Whatever a file says of itself is checked before it is followed: a hostile one is refused, quickly.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from layerforge.core.elf_layout import (
    DYNAMIC,
    FORMS,
    LOAD,
    LONGEST_NAME,
    MACHINES,
    SYMBOL_TABLE,
    Damaged,
    Header,
    Segment,
    header,
    records,
    sections,
    segments,
)


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


_OTHER_MACHINES: Mapping[int, str] = {
    0: "none",
    2: "sparc",
    3: "i386",
    4: "m68k",
    8: "mips",
    15: "parisc",
    18: "sparc32plus",
    20: "ppc",
    21: "ppc64",
    22: "s390",
    40: "arm",
    42: "sh",
    43: "sparcv9",
    50: "ia_64",
    83: "avr",
    92: "openrisc",
    94: "xtensa",
    105: "msp430",
    164: "hexagon",
    190: "cuda",
    224: "amdgpu",
    243: "riscv",
    247: "bpf",
    252: "csky",
    258: "loongarch",
    36902: "alpha_alt",
}
"""``e_machine`` of what compilers make files for besides; the last is what Linux has for Alpha."""

_NEEDED, _STRTAB, _SYMTAB, _STRSZ, _SONAME, _RPATH, _RUNPATH = 1, 5, 6, 10, 14, 15, 29
_VERNEED, _VERNEEDNUM = 0x6FFFFFFE, 0x6FFFFFFF
_MOST_NAMES = 10_000
_MOST_TEXT = 1_000_000
"""Bounds far above what linkers write, the last one in bytes, so that a hostile file costs little to read."""

_INIT = re.compile(rb"PyInit_(?!__init__\0)([^\0]+)\0")
"""What a module exports. mypyc's shims export ``PyInit___init__`` besides, which no import asks for."""


def facts(data: bytes) -> ElfFacts:
    """What the loader would read of ``data``. Raises ``Damaged`` where it could not."""
    head = header(data)
    parts = segments(data)
    entries = _dynamic(data, head, parts)
    return ElfFacts(
        machine=_machine(head.machine),
        bits=head.bits,
        soname=next(_named(data, entries, _SONAME), ""),
        needed=tuple(_named(data, entries, _NEEDED)),
        runpath=_runpath(data, entries),
        versions=_versions(data, head.order, entries),
        stripped=not _has_symbols(data),
        aligned=all(part.aligned for part in parts if part.type == LOAD),
        init=_init(data, head, entries, parts),
    )


def _machine(number: int) -> str:
    return MACHINES.get(number) or _OTHER_MACHINES.get(number) or f"machine {number}"


def _has_symbols(data: bytes) -> bool:
    """Whether there is a symbol table or a debug section. None can be found without readable section headers."""
    try:
        found = sections(data)
    except Damaged:
        return False
    return any(row.type == SYMBOL_TABLE or row.name.startswith((".debug_", ".zdebug_")) for row in found)


# --- the dynamic table -----------------------------------------------------------------------------------------------

_Entries = Mapping[int, list[int]]
"""Values by tag; those of addresses are offsets from the start of the file."""


def _dynamic(data: bytes, head: Header, parts: tuple[Segment, ...]) -> _Entries:
    """The dynamic table; empty where there is none. Raises ``Damaged`` where it or its strings leave the file."""
    table = next((part for part in parts if part.type == DYNAMIC), None)
    if table is None:
        return {}
    form = head.order + FORMS[head.bits].dynamic
    found: dict[int, list[int]] = {}
    count = min(table.size // struct.calcsize(form), _MOST_NAMES)
    # The loader knows where it lies in memory only, whatever its offset says.
    place = _offset(table.address, parts, "lies at") if count else table.offset
    for tag, value in records(data, form, place, count, "dynamic table"):
        if not tag:
            break
        found.setdefault(tag, []).append(value)
    else:
        raise Damaged("its dynamic table has no end")
    for tag in found.keys() & {_STRTAB, _SYMTAB, _VERNEED}:
        found[tag] = [_offset(value, parts) for value in found[tag]]
    wanted = islice(_wanted(data, head.order, found), _MOST_NAMES)
    _check_names(data, found, [library if version is None else version for library, version in wanted])
    return found


def _offset(address: int, parts: tuple[Segment, ...], relation: str = "points to") -> int:
    holders = [p for p in parts if p.type == LOAD and p.address <= address < p.address + p.size]
    if len(holders) != 1:
        raise Damaged(f"its dynamic table {relation} {address:#x}, which {len(holders) or 'no'} segments hold")
    return holders[0].offset + address - holders[0].address


def _check_names(data: bytes, found: _Entries, more: list[int]) -> None:
    """Raises ``Damaged`` unless the names of the table, and ``more`` of them, lie in its one set of strings."""
    if any(len(found.get(tag, ())) != 1 for tag in (_STRTAB, _STRSZ)) or len(found.get(_VERNEED, ())) > 1:
        raise Damaged("its dynamic table does not have each of its parts once")
    (start,), (size,) = found[_STRTAB], found[_STRSZ]
    end = start + size
    if not size or end > len(data) or data[end - 1]:
        raise Damaged("its dynamic strings have no end")
    names = [name for tag in (_NEEDED, _SONAME, _RPATH, _RUNPATH) for name in found.get(tag, ())] + more
    if max(names, default=0) >= size:
        raise Damaged("a name in its dynamic table lies outside its dynamic strings")
    if len(more) == _MOST_NAMES or _is_endless(data, start, end) or _text_size(data, start, names) > _MOST_TEXT:
        raise Damaged("its dynamic table has more or longer names than any linker writes")


def _is_endless(data: bytes, start: int, end: int) -> bool:
    """Whether one of the strings from ``start`` to ``end``, where the last one ends, is longer than any name."""
    while 0 <= start < end:
        start = data.rfind(b"\0", start, min(start + LONGEST_NAME + 1, end)) + 1 or -1
    return start < 0


def _text_size(data: bytes, start: int, names: list[int]) -> int:
    return sum(data.index(b"\0", start + name) - start - name for name in names)


def _wanted(data: bytes, order: str, found: _Entries) -> Iterator[tuple[int, int | None]]:
    """Names of libraries and of the symbol versions needed of them; each library comes once more, without a version.

    Raises ``Damaged`` at the first step where a list ends too early.
    """
    for place, count in zip(found.get(_VERNEED, ()), found.get(_VERNEEDNUM, ()), strict=False):
        for at, (_, versions, library, first, _) in _chain(data, f"{order}HHIII", place, count):
            yield library, None
            for _, (*_, version, _) in _chain(data, f"{order}IHHII", at + first, versions):
                yield library, version


def _chain(data: bytes, form: str, place: int, count: int) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """``count`` records with their offsets, of which each ends in the distance to the next."""
    for left in range(count, 0, -1):
        values = next(records(data, form, place, 1, "table of symbol versions"))
        yield place, values
        if left > 1 and not values[-1]:
            raise Damaged("its table of symbol versions ends too early")
        place += values[-1]


def _named(data: bytes, entries: _Entries, tag: int) -> Iterator[str]:
    return (_text(data, entries, name) for name in entries.get(tag, ()))


def _text(data: bytes, entries: _Entries, name: int) -> str:
    """The string at ``name`` of the dynamic strings, within which it is known to lie and to end."""
    start = entries[_STRTAB][0] + name
    try:
        return data[start : data.index(b"\0", start)].decode()
    except UnicodeDecodeError as error:
        raise Damaged("a name in its dynamic table is no text") from error


def _runpath(data: bytes, entries: _Entries) -> tuple[str, ...]:
    paths = next(_named(data, entries, _RUNPATH if _RUNPATH in entries else _RPATH), "")
    return tuple(path for path in paths.split(":") if path)


def _versions(data: bytes, order: str, entries: _Entries) -> dict[str, tuple[str, ...]]:
    """Symbol versions needed, by library."""
    found: dict[str, set[str]] = {}
    for library, version in _wanted(data, order, entries):
        names = found.setdefault(_text(data, entries, library), set())
        names.update(() if version is None else (_text(data, entries, version),))
    return {library: tuple(sorted(names)) for library, names in sorted(found.items())}


def _init(data: bytes, head: Header, entries: _Entries, parts: tuple[Segment, ...]) -> str:
    """Name after ``PyInit_`` of the first module that the file exports.

    The names are looked for first, since most files have none, and then the symbols that bear them.
    """
    if not {_STRTAB, _SYMTAB} <= entries.keys():
        return ""
    start, size, symbols = entries[_STRTAB][0], entries[_STRSZ][0], entries[_SYMTAB][-1]
    exported = islice(_INIT.finditer(data, start, start + size), _MOST_NAMES)
    modules = {match.start() - start: match[1] for match in exported}
    form = FORMS[head.bits]
    record = struct.Struct(head.order + form.symbol)
    # Nothing in the file says how many symbols there are; the strings nearly always follow them.
    end = start if start > symbols else max(part.end for part in parts if part.offset <= symbols < part.end)
    rows = record.iter_unpack(memoryview(data)[symbols : end - (end - symbols) % record.size]) if modules else ()
    names = (modules[row[0]] for row in rows if row[0] in modules and row[form.defined])
    return next(names, b"").decode("utf-8", "replace")
