"""Compiled modules: their names, what a ``.pyc`` says of itself, and compiling many of them reproducibly."""

from __future__ import annotations

import _imp
import base64
import heapq
import json
import os
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from posixpath import basename, dirname, join

from layerforge import digest, process, resources
from layerforge.errors import StepError
from layerforge.model import Blob, BytecodeMode, Interpreter, PycFacts, PycState, Store

HEADER = 16
"""Bytes before the code: magic number, flags, and either date and size or the hash of the source."""

KIND = "bytecode"
"""Kind of the store's values: the letter of a worker's frame, then the ``.pyc`` or the reason why there is none."""

WORKER = resources.path("compile_worker.py")
WORKER_LOG_LINES = 20

_MAGIC_3_11 = 3495
_WORD = 0xFFFF_FFFF_FFFF_FFFF

# --- names -----------------------------------------------------------------------------------------------------------


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


# --- facts -----------------------------------------------------------------------------------------------------------


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
        if not open_objects:
            raise ValueError("no file name")


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
        end = at + _COUNTED[kind] + _number(data, at, _COUNTED[kind])
    elif kind in _HOLDING:
        end, members = at + _HOLDING[kind], _number(data, at, _HOLDING[kind])
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


def _number(data: bytes, at: int, width: int) -> int:
    return int.from_bytes(data[at : at + width], "little")


# --- compiling -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Module:
    """A module to compile."""

    filename: str
    """``co_filename``: its absolute path on Lambda."""
    source: Blob
    drop_docstrings: bool = False


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """What became of a module."""

    pyc: bytes | None
    """All bytes of the ``.pyc``, valid without ever looking at the source; ``None`` where it does not compile."""
    reason: str = ""
    """Why it does not: ``SyntaxError in line 3: invalid syntax``."""


def compile_all(
    modules: Sequence[Module],
    *,
    interpreter: Interpreter,
    optimize: int,
    store: Store,
    jobs: int | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> list[Compiled]:
    """Compiles ``modules`` in ``jobs`` processes (one per processor by default); one result each, in their order.

    The bytes depend on source, file name, options and interpreter alone. What the store has is not compiled again.
    ``advance`` gets the number of modules that are done, from any thread but never from two at once. Raises
    ``StepError`` where the interpreter cannot be started or dies.
    """
    keys = [_key(module, interpreter, optimize) for module in modules]
    values = [_sound(store.get(KIND, key)) for key in keys]
    ahead = [index for index, value in enumerate(values) if value is None]
    advance(len(modules) - len(ahead))
    batches = _balanced(ahead, [module.source.size for module in modules], jobs or os.cpu_count() or 1)
    work = [[modules[index] for index in batch] for batch in batches]
    results = _run_all(interpreter, optimize, work, _serially(advance))
    for batch, frames in zip(batches, results, strict=True):
        for index, frame in zip(batch, frames, strict=True):
            store.put(KIND, keys[index], frame)
            values[index] = frame
    return [_compiled(value) for value in values if value is not None]


def _key(module: Module, interpreter: Interpreter, optimize: int) -> str:
    parts = [module.source.sha256, module.filename, module.drop_docstrings, interpreter.version, optimize]
    return digest.of([_worker_digest(), *parts])


@cache
def _worker_digest() -> str:
    """Takes the place of a schema number: another worker may make other bytes."""
    return digest.sha256(WORKER.read_bytes())


def _balanced(ahead: Sequence[int], sizes: Sequence[int], jobs: int) -> list[list[int]]:
    """Shares ``ahead`` out, the largest first, each to the batch that has least."""
    batches: list[list[int]] = [[] for _ in range(min(jobs, len(ahead)))]
    loads = [(0, number) for number in range(len(batches))]
    for index in sorted(ahead, key=lambda index: -sizes[index]):
        load, number = loads[0]
        batches[number].append(index)
        heapq.heapreplace(loads, (load + sizes[index] + 1, number))
    return batches


def _serially(advance: Callable[[int], None]) -> Callable[[int], None]:
    lock = threading.Lock()

    def locked(amount: int) -> None:
        with lock:
            advance(amount)

    return locked


def _run_all(
    interpreter: Interpreter, optimize: int, work: Sequence[Sequence[Module]], advance: Callable[[int], None]
) -> list[list[bytes]]:
    """The frames of every batch, each of which has a worker process and a thread that waits for it."""
    if not work:
        return []
    with ThreadPoolExecutor(len(work)) as pool:
        futures = [pool.submit(_run, interpreter, optimize, batch, advance) for batch in work]
        try:
            return [future.result() for future in futures]
        except KeyboardInterrupt:
            process.stop_all()  # the pool would wait for the workers first
            raise


def _run(
    interpreter: Interpreter, optimize: int, batch: Sequence[Module], advance: Callable[[int], None]
) -> list[bytes]:
    """The frames of one batch from one worker process."""
    # -I and -E would make Python overlook the hash seed, on which the order of some constants depends.
    argv: list[str | Path] = [interpreter.path, "-S", "-s", "-B", WORKER]
    env = {"PYTHONHASHSEED": "0", "PYTHONSAFEPATH": "1"}
    env |= {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "SYSTEMROOT") if name in os.environ}
    jobs = {"optimize": optimize, "files": [_job(module) for module in batch]}
    try:
        done = process.run(
            argv, env=env, stdin=json.dumps(jobs).encode(), on_line=lambda line: advance(1) if line == "+" else None
        )
    except OSError as error:
        raise StepError(f"Python {interpreter.version} cannot be started: {error}") from error
    frames = list(_frames(done.stdout)) if done.status == 0 else []
    if len(frames) != len(batch):
        raise _crash(interpreter, batch, done)
    return frames


def _job(module: Module) -> dict[str, object]:
    source = module.source.source
    place = (
        {"data": base64.b64encode(source).decode()} if isinstance(source, bytes) else {"path": str(source.absolute())}
    )
    return {"filename": module.filename, "drop": module.drop_docstrings, **place}


def _frames(data: bytes) -> Iterator[bytes]:
    """The frames of a worker's output: letter and content, without the length between them."""
    at = 0
    while at < len(data):
        end = at + 5 + _number(data, at + 1, 4)
        yield data[at : at + 1] + data[at + 5 : end]
        at = end


def _crash(interpreter: Interpreter, batch: Sequence[Module], done: process.Completed) -> StepError:
    lines = done.stderr.splitlines()
    finished = lines.count("+")
    log = [line for line in lines if line != "+"][-WORKER_LOG_LINES:]
    file = batch[finished].filename if finished < len(batch) else batch[-1].filename
    ended = process.signal_name(done.status) or f"status {done.status}"
    return StepError(
        f"Python {interpreter.version} ended with {ended} while it compiled {file}",
        hint=f"try `{interpreter.path} -m py_compile` on that file, or leave bytecode out with `--bytecode none`",
        details=tuple(log),
    )


def _sound(frame: bytes | None) -> bytes | None:
    """A kept frame, if it is one: code of a module, or the reason why there is none."""
    if frame is None or frame[:1] == b"C":
        return frame
    try:
        frame.decode()
    except UnicodeDecodeError:
        return None
    return frame if frame[:1] == b"E" else None


def _compiled(frame: bytes) -> Compiled:
    if frame[:1] == b"C":
        return Compiled(pyc=frame[1:])
    return Compiled(pyc=None, reason=frame[1:].decode())
