"""ELF files to test with: real ones that gcc makes, and synthetic 64-bit little-endian ones for either machine."""

from __future__ import annotations

import os
import re
import struct
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

X86_64, ARM64, CUDA, RISCV = 62, 183, 190, 243
REL, EXEC, DYN = 1, 2, 3
LOAD, DYNAMIC, NOTE = 1, 2, 4
PAGE = 4096

LIBRARY = """
#include <math.h>
#include <stdlib.h>
static int counted[20000];
int table[3000] = {7, 5, 3};
int answer(int x) { counted[x] += x; return table[1] + counted[x] + abs(-table[0]) + (int)floor(0.5 + x); }
"""
"""``answer(3)`` is 18; it needs initialized and zeroed memory and both libc and libm."""


def compiled(folder: Path, name: str, source: str = LIBRARY, *flags: str) -> Path:
    """A shared library that gcc makes of ``source``, with debug sections."""
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    argv = ["gcc", "-g", "-O1", "-fno-builtin", "-shared", "-fPIC", "-x", "c", "-", "-o", str(target), *flags, "-lm"]
    subprocess.run(argv, input=source.encode(), check=True)
    return target


def tiny(folder: Path) -> bytes:
    """A real library of a few thousand bytes, with symbols, versions and an exported module."""
    source = "extern int abs(int); int f(int x) { return abs(x); } void *PyInit_tiny(void) { return 0; }"
    flags = ("-nostartfiles", "-Wl,-z,noseparate-code", "-Wl,-soname,libtiny.so", "-Wl,-rpath,$ORIGIN")
    return compiled(folder, "tiny.so", source, *flags).read_bytes()


@dataclass(frozen=True, kw_only=True)
class Part:
    """One more PT_LOAD: what it holds, what stands unused before it, and how much zeroed memory follows it."""

    content: bytes
    gap: bytes = b""
    zeroed: int = 0


@dataclass(frozen=True, kw_only=True)
class _Row:
    """A program header in the making."""

    type: int
    offset: int
    address: int
    size: int
    memory: int
    align: int

    def pack(self) -> bytes:
        return struct.pack(
            "<IIQQQQQQ", self.type, 6, self.offset, self.address, self.address, self.size, self.memory, self.align
        )


def image(
    *,
    machine: int = X86_64,
    kind: int = DYN,
    align: int = PAGE,
    soname: str = "",
    needed: Sequence[str] = (),
    runpath: str = "",
    rpath: str = "",
    versions: Mapping[str, Sequence[str]] | None = None,
    exports: Sequence[str] = (),
    imports: Sequence[str] = (),
    parts: Sequence[Part] = (),
    loose: Sequence[tuple[str, bytes]] = (
        (".symtab", b"s" * 240),
        (".strtab", b"\0main\0"),
        (".debug_info", b"d" * 700),
    ),
    headers_last: bool = False,
    sections: bool = True,
    tail: bytes = b"",
) -> bytes:
    """A synthetic library. ``headers_last`` puts the program headers into a segment at its end, as patchelf does.

    Each segment's address is its offset and a number of its own times ``align``.
    """
    count = 2 + len(parts) + headers_last
    start = 64 if headers_last else 64 + 56 * count
    body, dynamic = _dynamic_part(start, soname, needed, runpath, rpath, versions or {}, exports, imports)
    out = bytearray(start) + body
    rows = [_Row(type=LOAD, offset=0, address=0, size=len(out), memory=len(out), align=align)]
    rows.append(_Row(type=DYNAMIC, offset=dynamic, address=dynamic, size=len(out) - dynamic, memory=0, align=8))
    for number, part in enumerate(parts, 1):
        out += part.gap
        address, size = len(out) + number * align, len(part.content)
        rows.append(
            _Row(type=LOAD, offset=len(out), address=address, size=size, memory=size + part.zeroed, align=align)
        )
        out += part.content
    phoff = 64
    if headers_last:
        out += bytes(-len(out) % 8)
        phoff, address = len(out), len(out) + (count + 1) * align
        rows.append(_Row(type=LOAD, offset=phoff, address=address, size=56 * count, memory=56 * count, align=align))
        out += bytes(56 * count)
    out[phoff : phoff + 56 * count] = b"".join(row.pack() for row in rows)
    shoff, shnum = (0, 0) if not sections else _add_sections(out, loose)
    out[:64] = _header(machine, kind, phoff, shoff, count, shnum)
    return bytes(out + tail)


def _header(machine: int, kind: int, phoff: int, shoff: int, phnum: int, shnum: int) -> bytes:
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    last = max(0, shnum - 1)
    return struct.pack("<16sHHIQQQIHHHHHH", ident, kind, machine, 1, 0, phoff, shoff, 0, 64, 56, phnum, 64, shnum, last)


def _add_sections(out: bytearray, loose: Sequence[tuple[str, bytes]]) -> tuple[int, int]:
    """Appends what no segment covers and the section headers; returns where those are, and their number."""
    names = b"\0"
    rows = [bytes(64)]
    for name, content in [*loose, (".shstrtab", b"")]:
        at, names = len(names), names + name.encode() + b"\0"
        content = names if name == ".shstrtab" else content
        kind = {".symtab": 2, ".strtab": 3, ".shstrtab": 3}.get(name, 1)
        rows.append(struct.pack("<IIQQQQIIQQ", at, kind, 0, 0, len(out), len(content), 0, 0, 1, 0))
        out += content
    out += bytes(-len(out) % 8)
    shoff = len(out)
    out += b"".join(rows)
    return shoff, len(rows)


def _dynamic_part(
    start: int,
    soname: str,
    needed: Sequence[str],
    runpath: str,
    rpath: str,
    versions: Mapping[str, Sequence[str]],
    exports: Sequence[str],
    imports: Sequence[str],
) -> tuple[bytes, int]:
    """Symbols, strings, versions and the dynamic table as they stand at ``start``, and where the table begins."""
    strings = bytearray(b"\0")

    def name(text: str) -> int:
        strings.extend(text.encode() + b"\0")
        return len(strings) - len(text.encode()) - 1

    symbols = bytes(24) + b"".join(
        struct.pack("<IBBHQQ", name(text), 0x12, 0, defined, 0, 0)
        for texts, defined in ((imports, 0), (exports, 7))
        for text in texts
    )
    needs = bytearray()
    for number, (library, wanted) in enumerate(versions.items(), 1):
        length = 16 + 16 * len(wanted)
        needs += struct.pack("<HHIII", 1, len(wanted), name(library), 16, length if number < len(versions) else 0)
        for index, version in enumerate(wanted, 1):
            needs += struct.pack("<IHHII", 0, 0, index, name(version), 16 if index < len(wanted) else 0)
    tags = [(1, name(text)) for text in needed]
    tags += [(tag, name(text)) for tag, text in ((14, soname), (15, rpath), (29, runpath)) if text]
    at_needs = start + len(symbols)
    at_strings = at_needs + len(needs)
    padding = bytes(-(at_strings + len(strings)) % 8)
    tags += [(6, start), (5, at_strings), (10, len(strings)), (11, 24)]
    tags += [(0x6FFFFFFE, at_needs), (0x6FFFFFFF, len(versions))] if versions else []
    table = b"".join(struct.pack("<QQ", *tag) for tag in [*tags, (0, 0)])
    before = symbols + bytes(needs) + bytes(strings) + padding
    return before + table, start + len(before)


# --- looking at files, without the code that is tested ---------------------------------------------------------------


def table(data: bytes) -> list[tuple[int, ...]]:
    """Program headers as (type, flags, offset, address, physical address, size, memory, alignment)."""
    phoff, count = struct.unpack_from("<Q", data, 32)[0], struct.unpack_from("<H", data, 56)[0]
    return [struct.unpack_from("<IIQQQQQQ", data, phoff + 56 * index) for index in range(count)]


def loaded(data: bytes) -> list[tuple[int, bytes]]:
    """Address and bytes of every segment, with zeros for all that the headers say about the file itself."""
    blank = bytearray(data)
    blank[32:64] = bytes(32)
    phoff = struct.unpack_from("<Q", data, 32)[0]
    for index, _ in enumerate(table(data)):
        blank[phoff + 56 * index + 8 : phoff + 56 * index + 16] = bytes(8)
    return [(row[3], bytes(blank[row[2] : row[2] + row[5]])) for row in table(data)]


def mappable(data: bytes) -> bool:
    """Whether the loader takes the file: offsets and addresses of what it maps agree, and all of it is there.

    A segment without bytes still has the page mapped in which its zeroed memory begins, unless it begins with one.
    """
    rows = [row for row in table(data) if row[0] == LOAD]
    ends = [row[2] + row[5] if row[5] else row[2] - row[2] % PAGE + (row[2] % PAGE > 0) for row in rows]
    used = [end for end, row in zip(ends, rows, strict=True) if row[5] or row[3] % PAGE]
    return all((row[2] - row[3]) % row[7] == 0 for row in rows) and max(used, default=0) <= len(data)


def told_by_readelf(path: Path) -> tuple[list[str], str, list[str], dict[str, set[str]]]:
    """Libraries needed, the library's own name, the folders it searches, and versions needed by library."""
    argv = ["readelf", "--wide", "--dynamic", "--version-info", str(path)]
    env = {"LC_ALL": "C", "PATH": os.defpath}
    said = subprocess.run(argv, check=True, capture_output=True, text=True, env=env).stdout
    tags = {tag: re.findall(rf"\({tag}\).*\[(.*)\]", said) for tag in ("NEEDED", "SONAME", "RUNPATH", "RPATH")}
    paths = (tags["RUNPATH"] or tags["RPATH"] or [""])[0].split(":")
    versions: dict[str, set[str]] = {}
    library = ""
    for file, version in re.findall(r"File: (\S+) +Cnt|Name: (\S+) +Flags", said.partition("Version needs section")[2]):
        library = file or library
        versions.setdefault(library, set()).update([version] if version else [])
    return tags["NEEDED"], (tags["SONAME"] or [""])[0], [path for path in paths if path], versions


def patched(data: bytes, offset: int, form: str, *values: int) -> bytes:
    """``data`` with ``values`` packed at ``offset``."""
    out = bytearray(data)
    struct.pack_into(form, out, offset, *values)
    return bytes(out)


def moved(data: bytes, pages: int = 3) -> bytes:
    """A real library as patchelf leaves one: its program headers in a new segment, its later ones further behind."""
    rows = table(data)
    second = sorted(row[2] for row in rows if row[0] == LOAD)[1]
    cut = second - second % PAGE
    out = bytearray(data[:cut] + b"\xee" * (pages * PAGE) + data[cut:])
    shoff, shnum = struct.unpack_from("<Q", data, 40)[0], struct.unpack_from("<H", data, 60)[0]
    struct.pack_into("<Q", out, 40, shoff + pages * PAGE)
    for at in range(shoff + pages * PAGE, shoff + pages * PAGE + 64 * shnum, 64):
        offset = struct.unpack_from("<Q", out, at + 24)[0]
        struct.pack_into("<Q", out, at + 24, offset + (pages * PAGE if offset >= cut else 0))
    out += bytes(-len(out) % PAGE)
    address = max(row[3] + row[6] for row in rows) // PAGE * PAGE + 16 * PAGE
    size = 56 * (len(rows) + 1)
    shifted = [(*row[:2], row[2] + (pages * PAGE if row[2] >= cut else 0), *row[3:]) for row in rows]
    # The loader wants what it maps in the order of addresses.
    last = max(index for index, row in enumerate(rows) if row[0] == LOAD) + 1
    shifted.insert(last, (LOAD, 4, len(out), address, address, size, size, PAGE))
    struct.pack_into("<Q", out, 32, len(out))
    struct.pack_into("<H", out, 56, len(shifted))
    return bytes(out + b"".join(struct.pack("<IIQQQQQQ", *row) for row in shifted))
