"""The measuring itself."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from layerforge.coldstart.cold import Reading, chill, is_cold
from layerforge.coldstart.facts import FULL_CPU_MB, Lambda, Order, Sample, Series, Subject, share
from layerforge.coldstart.imports import VARIABLE, import_tree
from layerforge.errors import VerificationError
from layerforge.model import Job, Outcome, Progress
from layerforge.page.coldstart import Import
from layerforge.process import signal_name
from layerforge.progress import counted

MEGABYTE = 2**20
TIMEOUT = 300.0
"""Seconds of one run. Lambda itself gives an init phase ten."""
_LINES = 12
_OWN_FRAME = re.compile(r'^  File "/var/task/sandbox_handler\.py".*\n(?:    .*\n)*', re.MULTILINE)
"""Of the sandbox itself, in a traceback."""

NO_MEMORY = "out of memory"
NO_TIME = f"not done after {TIMEOUT:.0f} s"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What came out of an order."""

    reading: Reading
    series: tuple[Series, ...]
    """By size, then by layer."""
    imports: tuple[tuple[Import, ...], ...]
    """Of each layer; empty where it does not fit into the memory of that run."""
    imports_memory: int
    """MB of the functions that told them."""


@dataclass(frozen=True, kw_only=True)
class _Run:
    """One run, and where it belongs."""

    subject: int
    memory: int
    result: Sample | str
    """Why there is no sample, where there is none."""


def measure(order: Order, engine: Lambda, progress: Progress) -> Measured:
    """Runs the order's cold starts, each in a fresh container, those of its layers in turns.

    One run more of each layer comes first: it tells the imports, and warms up everything but the layer. Raises
    ``VerificationError`` where the function fails with a layer, ``EngineError`` where the engine does.
    """
    with progress.step("prepare") as step:
        reading = _reading(order.subjects)
        step.note("the layer is read from disk" if reading is Reading.COLD else "the layer is read from memory")
    largest = nearest(order.memories)
    with progress.step("imports") as step:
        imports = tuple(_imports(order, engine, subject, largest) for subject in order.subjects)
        step.note(f"{counted(sum(map(_modules, imports[0])), 'module')} in {order.subjects[0].name}")
    with progress.step("runs") as step:
        runs = _runs(order, engine, progress)
        step.note(f"{counted(len(runs), 'cold start')}")
    series = tuple(_series(order, engine.processors, runs))
    return Measured(reading=reading, series=series, imports=imports, imports_memory=largest)


def nearest(memories: Iterable[int]) -> int:
    """Of several sizes, the smallest with a whole processor; the largest where none has."""
    memories = sorted(memories)
    return next((size for size in memories if size >= FULL_CPU_MB), memories[-1])


def _reading(subjects: Iterable[Subject]) -> Reading:
    os.sync()
    cold = True
    for subject in subjects:
        chill(subject.opt)
        cold = is_cold(subject.opt) and cold
    return Reading.COLD if cold else Reading.WARM


def _modules(node: Import) -> int:
    return 1 + sum(map(_modules, node.children))


def _imports(order: Order, engine: Lambda, subject: Subject, memory: int) -> tuple[Import, ...]:
    job = replace(_job(order, engine, subject, memory), env=VARIABLE, invocations=1)
    outcome = _start(engine, subject, job)
    return () if isinstance(outcome, str) else import_tree(outcome.output, subject.examination.members)


def _runs(order: Order, engine: Lambda, progress: Progress) -> tuple[_Run, ...]:
    """Every run. What ran into trouble once would do so again, and is not run any more."""
    runs: list[_Run] = []
    for number in range(1, order.runs + 1):
        hopeless = {(run.subject, run.memory) for run in runs if isinstance(run.result, str)}
        now: list[_Run] = []
        for memory in order.memories:
            for at, subject in enumerate(order.subjects):
                if (at, memory) not in hopeless:
                    now.append(_Run(subject=at, memory=memory, result=_sample(order, engine, subject, memory)))
        progress.say(f"run {number} of {order.runs}: {_told(now)}")
        runs += now
    return tuple(runs)


def _told(runs: Sequence[_Run]) -> str:
    """The init phases of some runs, by size."""
    by_size: dict[int, list[str]] = {}
    for run in runs:
        text = run.result if isinstance(run.result, str) else f"{run.result.init_ms:,.0f} ms"
        by_size.setdefault(run.memory, []).append(text)
    return ", ".join(f"{memory:,} MB {' / '.join(texts)}" for memory, texts in by_size.items())


def _sample(order: Order, engine: Lambda, subject: Subject, memory: int) -> Sample | str:
    outcome = _start(engine, subject, _job(order, engine, subject, memory))
    if isinstance(outcome, str):
        return outcome
    first, second = outcome.invoke_ms
    return Sample(
        init_ms=outcome.init_ms or 0.0,
        init_cpu_ms=outcome.init_cpu_ms or 0.0,
        first_ms=first,
        second_ms=second,
        peak_memory=outcome.peak_memory or 0,
    )


def _job(order: Order, engine: Lambda, subject: Subject, memory: int) -> Job:
    return Job(
        target=order.target,
        opt=subject.opt,
        init=order.function.init,
        program=order.function.program,
        timeout=TIMEOUT,
        memory=memory * MEGABYTE,
        processors=share(memory, engine.processors),
        invocations=2,
    )


def _start(engine: Lambda, subject: Subject, job: Job) -> Outcome | str:
    """One cold start, or why the function does not fit. Raises ``VerificationError`` where it fails."""
    chill(subject.opt)
    outcome = engine.run(job)
    if outcome.timed_out:
        return NO_TIME
    if outcome.out_of_memory:
        return NO_MEMORY
    if outcome.status:
        raise _failed(subject, outcome)
    return outcome


def _failed(subject: Subject, outcome: Outcome) -> VerificationError:
    phase = "when it is invoked" if 'File "program.txt"' in outcome.output else "in its init phase"
    how = f", by {signal_name(outcome.status)}" if outcome.status < 0 else ""
    words = _OWN_FRAME.sub("", outcome.output)
    lines = [line for line in words.splitlines() if line.strip() and "import time:" not in line]
    return VerificationError(
        f"with {subject.name} the function fails {phase}{how}",
        hint="`layerforge verify` says what is wrong with a layer; --import and --handler choose what is run",
        details=tuple(lines[-_LINES:]),
    )


def _series(order: Order, machine: int, runs: Sequence[_Run]) -> Iterator[Series]:
    for memory in order.memories:
        for at in range(len(order.subjects)):
            results = [run.result for run in runs if (run.subject, run.memory) == (at, memory)]
            yield Series(
                subject=at,
                memory=memory,
                processors=share(memory, machine),
                samples=tuple(one for one in results if isinstance(one, Sample)),
                trouble=next((one for one in results if isinstance(one, str)), ""),
            )
