"""Compiles modules side by side, each package's once: what was compiled before comes from the store."""

from __future__ import annotations

import base64
import heapq
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from layerforge.build.interpreters import Interpreter
from layerforge.core import digest, process, resources
from layerforge.core.errors import StepError
from layerforge.core.store import bundles
from layerforge.core.store.protocol import Store
from layerforge.layer.pyc import number_at
from layerforge.layer.tree import Blob

KIND = bundles.BYTECODE
"""Kind of the store's values: what became of each module of a package, all as one, since to write a thousand small
files takes about a tenth of a first build. Of each it is the letter of a worker's frame, then the ``.pyc`` or the
reasons why there is none."""

WORKER = resources.path("compile_worker.py")
BLANKING = resources.path("blank_docstrings.py")
"""What the worker empties docstrings with."""

USES = resources.path("module_uses.py")
DEFERRING = resources.path("defer_imports.py")
"""What the worker rewrites modules with whose imports wait; it imports the other."""

LAZY = resources.path("lazy_imports.py")
"""What it makes imports lazy with."""

WORKER_LOG_LINES = 20

FEWEST = 8
"""Modules that are worth a process of their own: to start one takes as long."""

WAITING_EFFORT = 3
"""How many times as long a module takes whose imports wait."""


@dataclass(frozen=True, kw_only=True)
class Module:
    """A module to compile."""

    filename: str
    """``co_filename``: its absolute path on Lambda."""
    source: Blob
    drop_docstrings: bool = False
    drop_columns: bool = False
    """Whether the bytecode knows lines alone, and no columns."""
    optimize: int = 0
    defer: tuple[str, ...] = ()
    """Modules whose imports wait until something uses them."""
    submodules: tuple[str, ...] | None = None
    """The last part of the names of a package's own modules, where imports of its ``__init__.py`` wait."""
    lazy: bool = False
    """Whether its other imports are lazy as PEP 810 has it; for Python 3.15 and later."""
    package: str = ""
    """That it belongs to. It decides nothing but what its bytecode is shared with."""


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """What became of a module."""

    pyc: bytes | None
    """All bytes of the ``.pyc``, valid without ever looking at the source; ``None`` where it does not compile."""
    reason: str = ""
    """Why it does not: ``SyntaxError in line 3: invalid syntax``."""
    refused: tuple[str, ...] = ()
    """Why imports that are to wait cannot: ``line 3: stats is used while the module loads``."""


def compile_all(
    modules: Sequence[Module],
    *,
    interpreter: Interpreter,
    store: Store,
    jobs: int | None = None,
    advance: Callable[[int], None] = lambda _: None,
    warn: Callable[[str], None] = lambda _: None,
) -> list[Compiled]:
    """Compiles ``modules`` in ``jobs`` processes (one per processor by default); one result each, in their order.

    The bytes depend on source, file name, options and interpreter alone. A package of which the store has all that is
    asked for is not compiled again. ``advance`` gets the number of modules that are done, from any thread but never
    from two at once. Raises ``StepError`` where the interpreter cannot be started or dies. ``warn`` gets what is wrong
    with the store's values.
    """
    keys = [_key(module, interpreter) for module in modules]
    groups = _groups(modules, keys)
    frames: dict[str, bytes] = {}
    for package, own in groups.items():
        frames |= _kept(store, own, package, warn)
    ahead = [index for index, key in enumerate(keys) if key not in frames]
    advance(len(modules) - len(ahead))
    frames |= {keys[index]: frame for index, frame in _compiled_now(ahead, modules, interpreter, jobs, advance)}
    for package in {modules[index].package for index in ahead}:
        own = groups[package]
        store.put(KIND, bundles.key_of(own), bundles.packed({key: frames[key] for key in own}))
    return [_compiled(frames[key]) for key in keys]


def _compiled_now(
    ahead: Sequence[int],
    modules: Sequence[Module],
    interpreter: Interpreter,
    jobs: int | None,
    advance: Callable[[int], None],
) -> Iterator[tuple[int, bytes]]:
    """The frame of each module of these indices, by its index."""
    workers, tell = jobs or os.cpu_count() or 1, _serially(advance)
    batches = list(_batches(ahead, modules, workers))
    work = [[modules[index] for index in batch] for batch in batches]
    for batch, frames in zip(batches, _run_all(interpreter, work, workers, tell), strict=True):
        yield from zip(batch, frames, strict=True)


def _groups(modules: Sequence[Module], keys: Sequence[str]) -> dict[str, list[str]]:
    """The keys of the modules by their packages."""
    groups: dict[str, list[str]] = {}
    for module, key in zip(modules, keys, strict=True):
        groups.setdefault(module.package, []).append(key)
    return groups


def _kept(store: Store, group: Sequence[str], name: str, warn: Callable[[str], None]) -> Mapping[str, bytes]:
    """What the store has of the modules of a package: all of them or none."""
    data = store.get(KIND, bundles.key_of(group))
    if data is None:
        return {}
    frames = bundles.unpacked(data) or {}
    if frames.keys() == set(group) and all(map(_is_sound, frames.values())):
        return frames
    warn(f"the stored bytecode of {name or 'files of no package'} is none; it is made again")
    return {}


def _key(module: Module, interpreter: Interpreter) -> str:
    source = [module.source.sha256, module.filename]
    how = [module.drop_docstrings, module.drop_columns, module.optimize]
    blanking = [_worker_digest(BLANKING)] if module.drop_docstrings else []
    rewriting = [_worker_digest(USES), _worker_digest(DEFERRING)]
    more = [module.defer, module.submodules, *rewriting] if module.defer else []
    lazy = ["lazy", _worker_digest(LAZY)] if module.lazy else []
    return digest.of_json([_worker_digest(WORKER), interpreter.version, *source, *how, *blanking, *more, *lazy])


@cache
def _worker_digest(worker: Path) -> str:
    """Takes the place of a schema number: another worker may make other bytes."""
    return digest.of_file(worker)


def _batches(ahead: Sequence[int], modules: Sequence[Module], jobs: int) -> Iterator[list[int]]:
    """Shares ``ahead`` out to workers. Whether one makes code that knows columns is settled when it starts."""
    sizes = [_effort(module) for module in modules]
    for dropped in (False, True):
        yield from _balanced([index for index in ahead if modules[index].drop_columns is dropped], sizes, jobs)


def _effort(module: Module) -> int:
    """How long a module takes, in bytes of one whose imports do not wait."""
    return module.source.size * (WAITING_EFFORT if module.defer else 1)


def _balanced(ahead: Sequence[int], sizes: Sequence[int], jobs: int) -> list[list[int]]:
    """Shares ``ahead`` out, the largest first, each to the batch that has least."""
    batches: list[list[int]] = [[] for _ in range(min(jobs, -(-len(ahead) // FEWEST)))]
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
    interpreter: Interpreter, work: Sequence[Sequence[Module]], jobs: int, advance: Callable[[int], None]
) -> list[list[bytes]]:
    """The frames of every batch, each with a worker process and a thread that waits for it; ``jobs`` at once."""
    if not work:
        return []
    with ThreadPoolExecutor(min(jobs, len(work))) as pool:
        futures = [pool.submit(_run, interpreter, batch, advance) for batch in work]
        try:
            return [future.result() for future in futures]
        except KeyboardInterrupt:
            # The pool would wait for the workers first. In another thread it may: others' children run here too.
            if threading.current_thread() is threading.main_thread():
                process.stop_all()
            raise


def _run(interpreter: Interpreter, batch: Sequence[Module], advance: Callable[[int], None]) -> list[bytes]:
    """The frames of one batch from one worker process."""
    # -I and -E would make Python overlook the hash seed, on which the order of some constants depends.
    columns = ["-X", "no_debug_ranges"] if batch[0].drop_columns else []
    argv: list[str | Path] = [interpreter.path, "-S", "-s", "-B", *columns, WORKER]
    env = {"PYTHONHASHSEED": "0", "PYTHONSAFEPATH": "1"}
    env |= {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "SYSTEMROOT") if name in os.environ}
    jobs = [_job(module) for module in batch]
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
    changes = ({"defer": module.defer, "submodules": module.submodules} if module.defer else {}) | (
        {"lazy": True} if module.lazy else {}
    )
    how = {"drop": module.drop_docstrings, "optimize": module.optimize}
    return {"filename": module.filename, **how, **changes, **place}


def _frames(data: bytes) -> Iterator[bytes]:
    """The frames of a worker's output: letter and content, without the length between them."""
    at = 0
    while at < len(data):
        end = at + 5 + number_at(data, at + 1, 4)
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


def _is_sound(frame: bytes) -> bool:
    """Whether a kept frame is one: code of a module, or the reason why there is none."""
    try:
        return frame[:1] == b"C" or (frame[:1] in (b"E", b"D") and bool(frame.decode()))
    except UnicodeDecodeError:
        return False


def _compiled(frame: bytes) -> Compiled:
    if frame[:1] == b"C":
        return Compiled(pyc=frame[1:])
    if frame[:1] == b"D":
        return Compiled(pyc=None, refused=tuple(frame[1:].decode().splitlines()))
    return Compiled(pyc=None, reason=frame[1:].decode())
