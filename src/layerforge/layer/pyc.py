"""Compiled modules: their names, and what a ``.pyc`` says of itself."""

from __future__ import annotations

import _imp
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from posixpath import basename, dirname, join

from layerforge.resolve.recipe import BytecodeMode


class PycState(StrEnum):
    """Whether Lambda's interpreter would use a ``.pyc``."""

    VALID = "valid"
    STALE = "stale"
    """Bound to the date or the bytes of a source that it does not match."""
    CHECKED = "checked"
    """Valid, but every import reads and hashes the source."""
    FOREIGN = "foreign"
    """Made by another version of Python."""
    BROKEN = "broken"


@dataclass(frozen=True, kw_only=True)
class PycFacts:
    """What a ``.pyc`` says of itself."""

    state: PycState
    magic: int
    filename: str = ""
    """``co_filename`` of its module, where it could be read."""


HEADER = 16
"""Bytes before the code: magic number, flags, and either date and size or the hash of the source."""

_MAGIC_3_11 = 3495
_WORD = 0xFFFF_FFFF_FFFF_FFFF


def pyc_path(source: str, cache_tag: str, mode: BytecodeMode) -> str:
    """Where the compiled form of ``pkg/mod.py`` stands.

    ``pkg/__pycache__/mod.cpython-313.pyc`` beside it and ``pkg/mod.pyc`` instead of it. Lambda starts Python without
    ``-O``, so no name has an ``opt-`` part, whatever the module was compiled with.
    """
    stem = source.removesuffix(".py")
    if mode is BytecodeMode.ONLY:
        return f"{stem}.pyc"
    return join(dirname(stem), "__pycache__", f"{basename(stem)}.{cache_tag}.pyc")


def source_path(pyc: str) -> str:
    """Where the source of a ``.pyc`` would stand: ``pkg/mod.py`` for either of its places."""
    folder, stem = dirname(pyc), basename(pyc).removesuffix(".pyc")
    if basename(folder) != "__pycache__":
        return join(folder, f"{stem}.py")
    name, _, last = stem.rpartition(".")
    if last.startswith("opt-"):
        name = name.rpartition(".")[0]
    return join(dirname(folder), f"{name or stem}.py")


@dataclass(frozen=True, kw_only=True)
class Source:
    """What bytecode may compare of the source beside it."""

    size: int
    mtime: int | None
    """Date in the archive, in seconds since 1970; ``None`` where it is not known."""
    hashed: Callable[[int], bytes]
    """The source's hash for the interpreter with a magic number. Asked for only where it counts."""


def facts(pyc: bytes, *, magic: int, source: Source | None) -> PycFacts:
    """What the interpreter with the magic number ``magic`` would make of ``pyc``.

    ``source`` is ``None`` where there is none: Python then never compares anything.
    The code is looked at, never unmarshalled, since that is not safe with bytes that somebody else made.
    """
    if len(pyc) < HEADER or pyc[2:4] != b"\r\n":
        return PycFacts(state=PycState.BROKEN, magic=int.from_bytes(pyc[:2], "little"))
    own = int.from_bytes(pyc[:2], "little")
    name = _filename(pyc, own)
    if own != magic:
        return PycFacts(state=PycState.FOREIGN, magic=own, filename=name or "")
    if name is None or int.from_bytes(pyc[4:8], "little") > 0b11:
        return PycFacts(state=PycState.BROKEN, magic=own, filename=name or "")
    return PycFacts(state=_state(pyc, own, source), magic=own, filename=name)


def _state(pyc: bytes, magic: int, source: Source | None) -> PycState:
    hashed, checked = pyc[4] & 0b01, pyc[4] & 0b10
    if source is None or (hashed and not checked):
        return PycState.VALID
    if hashed:
        return PycState.CHECKED if pyc[8:16] == source.hashed(magic) else PycState.STALE
    bound = tuple(int.from_bytes(pyc[at : at + 4], "little") for at in (8, 12))
    if source.mtime is None or bound != (source.mtime & 0xFFFFFFFF, source.size & 0xFFFFFFFF):
        return PycState.STALE
    return PycState.VALID


def source_hash(source: bytes, magic: int) -> bytes:
    """The eight bytes by which the interpreter with that magic number knows a source.

    A SipHash whose key is the magic number: of one round a word since Python 3.11, of two before (bpo-29410).
    """
    key = int.from_bytes(magic.to_bytes(2, "little") + b"\r\n", "little")
    return _imp.source_hash(key, source) if magic >= _MAGIC_3_11 else _siphash(key, source)


def _siphash(key: int, data: bytes) -> bytes:
    """SipHash-2-4 with a 64-bit key."""
    state = (key ^ 0x736F6D6570736575, 0x646F72616E646F6D, key ^ 0x6C7967656E657261, 0x7465646279746573)
    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) & 0xFF])
    for (word,) in struct.iter_unpack("<Q", padded):
        v0, v1, v2, v3 = _round(*_round(state[0], state[1], state[2], state[3] ^ word))
        state = (v0 ^ word, v1, v2, v3)
    v0, v1, v2, v3 = state
    state = (v0, v1, v2 ^ 0xFF, v3)
    for _ in range(4):
        state = _round(*state)
    return (state[0] ^ state[1] ^ state[2] ^ state[3]).to_bytes(8, "little")


def _round(v0: int, v1: int, v2: int, v3: int) -> tuple[int, int, int, int]:
    v0, v2 = (v0 + v1) & _WORD, (v2 + v3) & _WORD
    v1, v3 = _rotated(v1, 13) ^ v0, _rotated(v3, 16) ^ v2
    v0, v2 = (_rotated(v0, 32) + v3) & _WORD, (v2 + v1) & _WORD
    v3, v1 = _rotated(v3, 21) ^ v0, _rotated(v1, 17) ^ v2
    return v0, v1, _rotated(v2, 32), v3


def _rotated(value: int, bits: int) -> int:
    return (value << bits | value >> (64 - bits)) & _WORD


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """What stands before the file name in a marshalled code object."""

    numbers: int
    """Four-byte numbers."""
    objects: int
    """Marshalled objects."""


def _layout(magic: int) -> _Layout | None:
    """The layout of Python 3.8 to 3.10, of 3.11 and later, or ``None`` for a version that is too old."""
    if _MAGIC_3_11 <= magic < 4000:
        return _Layout(numbers=5, objects=5)
    return _Layout(numbers=6, objects=6) if 3413 <= magic < 3450 else None


_FIXED = {kind: size for kinds, size in ((b"0NFTS.", 0), (b"ir", 4), (b"Ig", 8), (b"y", 16)) for kind in kinds}
"""Bytes after the letter of an object whose size is always the same."""

_COUNTED = {kind: width for kinds, width in ((b"stuaA", 4), (b"zZf", 1)) for kind in kinds}
"""Bytes of the length that stands before the bytes of a string, of bytes, or of a number in decimal."""

_HOLDING = {ord(")"): 1, ord("("): 4, ord(">"): 4}
"""Bytes of the number of members, for tuples and frozensets."""

_TEXTS = frozenset(b"tuaAzZ")
_CODE, _LONG, _REF, _SLICE = b"clr:"
_FLAG_REF = 0x80


def _filename(pyc: bytes, magic: int) -> str | None:
    """``co_filename`` of the first code object that is complete, which every other of the module shares.

    ``""`` where this version's layout is not known, ``None`` where the bytes make no sense.
    """
    layout = _layout(magic)
    if layout is None:
        return ""
    try:
        return _scan(pyc, layout)
    except (IndexError, ValueError):
        return None


def _scan(data: bytes, layout: _Layout) -> str:
    """Walks over marshalled objects up to the first file name. Raises ``ValueError`` or ``IndexError`` on nonsense."""
    at, seen = HEADER, list[str]()
    if data[at] & ~_FLAG_REF != _CODE:
        raise ValueError("no code")
    open_objects: list[tuple[int, bool]] = [(1, False)]
    while True:
        left, in_code = open_objects.pop()
        kind, flagged, start = data[at] & ~_FLAG_REF, data[at] & _FLAG_REF, at + 1
        at, members = _step(data, start, kind, layout)
        text = data[start + _COUNTED[kind] : at].decode("utf-8", "surrogatepass") if kind in _TEXTS else ""
        if flagged:
            seen.append(text)
        if in_code and left == 0:
            return _named(kind, text, seen, data[start:at])
        open_objects += [(left - 1, in_code)] if left > 1 or in_code else []
        open_objects += [(members, kind == _CODE)] if members else []


def _named(kind: int, text: str, seen: Sequence[str], number: bytes) -> str:
    """The file name itself, or the earlier string that stands for it."""
    if kind not in _TEXTS and kind != _REF:
        raise ValueError("a file name that is no text")
    return seen[int.from_bytes(number, "little")] if kind == _REF else text


def _step(data: bytes, at: int, kind: int, layout: _Layout) -> tuple[int, int]:
    """Where the object whose letter stands before ``at`` ends or its first member begins, and how many it has."""
    members = 0
    if kind in _FIXED:
        end = at + _FIXED[kind]
    elif kind in _COUNTED:
        end = at + _COUNTED[kind] + number_at(data, at, _COUNTED[kind])
    elif kind in _HOLDING:
        end, members = at + _HOLDING[kind], number_at(data, at, _HOLDING[kind])
    elif kind == _LONG:
        end = at + 4 + 2 * abs(int.from_bytes(data[at : at + 4], "little", signed=True))
    elif kind == _CODE:
        end, members = at + 4 * layout.numbers, layout.objects
    elif kind == _SLICE:
        end, members = at, 3
    else:
        raise ValueError(f"no object starts with {kind:#x}")
    if end + members > len(data):
        raise ValueError("an object goes on past the end")
    return end, members


def number_at(data: bytes, at: int, width: int) -> int:
    """The unsigned number of ``width`` bytes at a place."""
    return int.from_bytes(data[at : at + width], "little")
