"""The measuring itself."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from layerforge.build.engine import Job, Outcome
from layerforge.core.errors import VerificationError
from layerforge.core.limits import FULL_CPU_MB, MIB, share
from layerforge.core.process import signal_name
from layerforge.core.progress import Progress
from layerforge.core.text import counted
from layerforge.measure.coldstart.experiment import Experiment, Function, Lambda, MeasuredLayer, Runs, Sample, Series
from layerforge.measure.coldstart.imports import weighed
from layerforge.measure.coldstart.page_cache import Reading, drop_page_cache
from layerforge.measure.importtime import VARIABLE, Import, parse_importtime, walk

TIMEOUT = 300.0
"""Seconds of one run. Lambda itself gives an init phase ten."""

_LINES = 12
_OWN = r'^  File "(?:/var/(?:task|layerforge)/sandbox_handler\.py|init\.txt|program\.txt)", line \d+'
_OWN_FRAME = re.compile(rf"{_OWN}, in .*\n(?:    .*\n)*", re.MULTILINE)
"""Of the sandbox itself, in a traceback."""

_OWN_CALL = re.compile(rf"{_OWN} in ", re.MULTILINE)
"""The same in what faulthandler says, which begins with the innermost call."""

_CRASH = "Fatal Python error: "
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
    cold: bool
    """Whether the layer was gone from the page cache before."""


def measure(order: Experiment, engine: Lambda, progress: Progress) -> Measured:
    """Runs the order's cold starts, each in a fresh container, those of its layers in turns.

    One run more of each layer comes first: it tells the imports, and warms up everything but the layer. Raises
    ``VerificationError`` where the function fails with a layer, ``EngineError`` where the engine does.
    """
    with progress.step("prepare") as step:
        os.sync()
        cold = all(_dropped(order, subject) for subject in order.subjects)
        step.note("the layer is read from disk" if cold else "the layer is read from memory")
    largest = nearest(order.memories)
    with progress.step("imports") as step:
        imports = tuple(_imports(order, engine, subject, largest) for subject in order.subjects)
        names = {node.name for node in walk(imports[0])}
        step.note(f"{counted(len(names), 'module')}, the runtime's among them" if names else "none seen")
    with progress.step("runs") as step:
        runs = _runs(order, engine, progress)
        step.note(counted(sum(isinstance(run.result, Sample) for run in runs), "cold start"))
    return Measured(
        reading=Reading.COLD if all(run.cold for run in runs) else Reading.WARM,
        series=tuple(_series(order, engine.processors, runs)),
        imports=imports,
        imports_memory=largest,
    )


def nearest(memories: Iterable[int]) -> int:
    """Of several sizes, the smallest with a whole processor; the largest where none has."""
    memories = sorted(memories)
    return next((size for size in memories if size >= FULL_CPU_MB), memories[-1])


def _imports(order: Experiment, engine: Lambda, subject: MeasuredLayer, memory: int) -> tuple[Import, ...]:
    _dropped(order, subject)
    # What is imported by an invocation does not belong to the init phase.
    env = {**subject.env, **VARIABLE}
    job = replace(_job(order, engine, subject, memory), env=env, program="", invocations=1)
    outcome = start(order.function, engine, subject, job)
    return () if isinstance(outcome, str) else weighed(parse_importtime(outcome.output), subject.examination)


def _runs(order: Experiment, engine: Lambda, progress: Progress) -> tuple[_Run, ...]:
    """Every run. What ran into trouble once would do so again, and is not run any more."""
    runs: list[_Run] = []
    for number in range(1, order.runs + 1):
        hopeless = {(run.subject, run.memory) for run in runs if isinstance(run.result, str)}
        now: list[_Run] = []
        for memory in order.memories:
            for at, subject in enumerate(order.subjects):
                if (at, memory) not in hopeless:
                    cold = _dropped(order, subject)
                    result = _sample(order, engine, subject, memory)
                    now.append(_Run(subject=at, memory=memory, result=result, cold=cold))
        if not now:
            break
        progress.say(f"run {number} of {order.runs}: {_told(now)}")
        runs += now
    return tuple(runs)


def _dropped(order: Experiment, subject: MeasuredLayer) -> bool:
    """Whether a layer, and the function's own code, are gone from the page cache."""
    places = [subject.opt, *([order.function.code] if order.function.code else [])]
    gone = [drop_page_cache(place) for place in places]
    return all(gone)


def _told(runs: Sequence[_Run]) -> str:
    """The init phases of some runs, by size."""
    by_size: dict[int, list[str]] = {}
    for run in runs:
        text = run.result if isinstance(run.result, str) else f"{run.result.init_ms:,.0f} ms"
        by_size.setdefault(run.memory, []).append(text)
    return ", ".join(f"{memory:,} MB {' / '.join(texts)}" for memory, texts in by_size.items())


def _sample(order: Experiment, engine: Lambda, subject: MeasuredLayer, memory: int) -> Sample | str:
    outcome = start(order.function, engine, subject, _job(order, engine, subject, memory))
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


def _job(order: Experiment, engine: Lambda, subject: MeasuredLayer, memory: int) -> Job:
    return Job(
        target=order.target,
        opt=subject.opt,
        code=order.function.code,
        init=order.function.init,
        program=order.function.program,
        timeout=TIMEOUT,
        env=subject.env,
        memory=memory * MIB,
        processors=share(memory, engine.processors),
        invocations=2,
    )


def start(function: Function, engine: Runs, subject: MeasuredLayer, job: Job) -> Outcome | str:
    """One cold start, or why the function does not fit. Raises ``VerificationError`` where it fails."""
    outcome = engine.run(job)
    if outcome.timed_out:
        return NO_TIME
    if outcome.out_of_memory:
        return NO_MEMORY
    if outcome.status:
        raise _failed(function, subject, outcome)
    return outcome


def _failed(function: Function, subject: MeasuredLayer, outcome: Outcome) -> VerificationError:
    phase = "is ended" if outcome.status < 0 else "ends by itself, as by sys.exit"
    for file, words in (("init.txt", "fails in its init phase"), ("program.txt", "fails when it is invoked")):
        if f'File "{file}"' in outcome.output:
            phase = words
    how = f", by {signal_name(outcome.status)}" if outcome.status < 0 else ""
    at_fault = f"mend {function.about['handler']}" if "handler" in function.about else "--import chooses what is run"
    if function.code:
        at_fault += ", which `layerforge run` invokes once"
    return VerificationError(
        f"with {subject.name} the function {phase}{how}",
        hint=f"{at_fault}; `layerforge verify` says whether something is wrong with the layer",
        details=_words(outcome.output),
    )


def _words(output: str) -> tuple[str, ...]:
    """What a function said in the end, without the sandbox's own part in it."""
    _, crashed, stack = output.rpartition(_CRASH)
    if crashed:
        return tuple(f"{crashed}{_OWN_CALL.split(stack)[0]}".splitlines()[:_LINES])
    lines = _OWN_FRAME.sub("", output).splitlines()
    return tuple(line for line in lines if line.strip() and "import time:" not in line)[-_LINES:]


def _series(order: Experiment, machine: int, runs: Sequence[_Run]) -> Iterator[Series]:
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
