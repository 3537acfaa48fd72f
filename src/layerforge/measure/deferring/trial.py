"""Runs a function's init phase to see what it imports, and what it imports no longer where some imports wait."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from layerforge.build.engine import Job, Outcome
from layerforge.core import guarded, resources
from layerforge.core.errors import VerificationError
from layerforge.core.runtimes import Target
from layerforge.measure.coldstart.experiment import Function, MeasuredLayer, Runs
from layerforge.measure.coldstart.measure import TIMEOUT, start
from layerforge.measure.deferring.advise import Reason
from layerforge.measure.deferring.graph import Wait
from layerforge.measure.deferring.trace import Trace, new_word, told, traced, unpacked

_REWRITING = ("module_uses", "defer_imports")
"""Scripts that rewrite modules; the second imports the first."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A function, with the layer that it is tried with."""

    engine: Runs
    target: Target
    function: Function
    layer: MeasuredLayer
    waiting: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By module, the imports that wait in the layer as it is."""

    @property
    def job(self) -> Job:
        """Its init phase."""
        return Job(
            target=self.target,
            opt=self.layer.opt,
            code=self.function.code,
            init=self.function.init,
            program="",
            timeout=TIMEOUT,
            env=self.layer.env,
        )


def links(trial: Trial, waits: Collection[Wait] = (), known: Trace | None = None) -> Trace:
    """Who imports what, where some imports wait. ``known`` says where the modules of these lie.

    Raises ``VerificationError`` where the function fails.
    """
    word = new_word()
    return _told(trial, traced(trial.job, word, edges=True, before=_before(trial, waits, known)), word)


def costs(trial: Trial, waits: Collection[Wait] = (), known: Trace | None = None) -> dict[str, float]:
    """Milliseconds of processor time that each module takes alone, of one run."""
    word = new_word()
    trace = _told(trial, traced(trial.job, word, edges=False, before=_before(trial, waits, known)), word)
    return {name: one.us / 1000 for name, one in trace.modules.items()}


def medians(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of several runs' figures, the middle of each."""
    values: dict[str, list[float]] = defaultdict(list)
    for run in runs:
        for name, value in run.items():
            values[name].append(value)
    return {name: statistics.median(found) for name, found in values.items()}


def refusals(trial: Trial, trace: Trace, waits: Iterable[Wait]) -> dict[Wait, Reason]:
    """Of some imports those that cannot wait, as the rewrite itself says, and why."""
    waits = sorted(waits)
    jobs = [_rewriting(trial, trace, one.importer, [one.module]) for one in waits]
    rows = guarded.json_as(_ran(trial, f"reasons({jobs!r})"), list[tuple[int, int, str]])
    return {waits[at]: Reason(module=waits[at].importer, line=line, why=why) for at, line, why in rows}


def unread(trial: Trial, trace: Trace, waits: Iterable[Wait]) -> frozenset[Wait]:
    """Of some imports those that bring nothing which the file itself reads, or offers to others."""
    waits = sorted(waits)
    if not waits:
        return frozenset()
    jobs = [_job(trace, one.importer, [one.module]) for one in waits]
    rows = guarded.json_as(_ran(trial, f"unread({jobs!r})"), list[list[str]])
    return frozenset(wait for wait, row in zip(waits, rows, strict=True) if row)


def _ran(trial: Trial, expression: str) -> bytes:
    """What an expression comes to, as JSON, where the layer lies and the scripts are there."""
    word = new_word()
    program = f"{resources.text('trace_imports.py')}\n{_rewrite()}\nsay({word!r}, {expression})\n"
    job = Job(target=trial.target, opt=trial.layer.opt, program=program, timeout=TIMEOUT)
    return unpacked(_output(start(trial.function, trial.engine, trial.layer, job)), word)


def _rewrite() -> str:
    """The scripts that have imports wait, one behind the other."""
    texts = {name: resources.text(f"{name}.py") for name in _REWRITING}
    return f"{resources.text('try_deferring.py')}\nREWRITING = {texts!r}\n"


def _before(trial: Trial, waits: Collection[Wait], known: Trace | None) -> str:
    """What has imports wait, in front of an init phase."""
    if not waits or known is None:
        return ""
    modules: dict[str, list[str]] = defaultdict(list)
    for one in sorted(waits):
        modules[one.importer].append(one.module)
    jobs = [_rewriting(trial, known, name, names) for name, names in modules.items()]
    return f"{_rewrite()}\ndefer({jobs!r})\n"


def _rewriting(trial: Trial, trace: Trace, module: str, names: Sequence[str]) -> dict[str, Any]:
    # A module is rewritten from its source, in which nothing waits yet.
    return _job(trace, module, sorted({*names, *trial.waiting.get(module, ())}))


def _job(trace: Trace, module: str, names: Sequence[str]) -> dict[str, Any]:
    file = trace.modules[module].file
    return {"file": file, "module": module, "package": file.endswith("/__init__.py"), "defer": list(names)}


def _told(trial: Trial, job: Job, word: str) -> Trace:
    return told(_output(start(trial.function, trial.engine, trial.layer, job)), word)


def _output(outcome: Outcome | str) -> str:
    if isinstance(outcome, str):
        raise VerificationError(f"the function is {outcome}", hint="--import names fewer modules")
    return outcome.output
