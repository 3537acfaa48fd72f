"""What ``layerforge run`` tells of an invocation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from layerforge.build.function import FunctionAnswer, FunctionCall, Invoker
from layerforge.cli import code_options, terminal
from layerforge.cli.verbosity import VERBOSE, wanted
from layerforge.core.limits import LONGEST_INIT_MS, MIB
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Target
from layerforge.examine.examination import Examination
from layerforge.examine.function_code import FunctionCode
from layerforge.examine.overlaps import Overlap
from layerforge.report.manifest import Manifest
from layerforge.verify.function_failures import error_of


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A function and its layers, before it is invoked."""

    target: Target
    seen: tuple[Examination, ...]
    """The layers, in Lambda's order."""
    manifests: tuple[Manifest | None, ...]
    code: FunctionCode
    twice: tuple[Overlap, ...]
    """What code and layers have both."""


def show(
    answer: FunctionAnswer, call: FunctionCall, subject: Subject, where: Invoker, progress: Progress, *, as_json: bool
) -> None:
    """Shows the log, what is to be known besides, and the answer. Raises ``FunctionError`` where there is none."""
    out = terminal.notes()
    for line in () if as_json else log_of(answer):
        out.line(line.expandtabs())
    for text in warnings(answer):
        progress.warn(text)
    if as_json:
        terminal.print_json(as_data(answer, call, subject, where))
    if answer.failure:
        whole = wanted(VERBOSE)
        failure = answer.failure if whole else replace(answer.failure, trace=_shortened(answer.failure.trace))
        raise error_of(failure, call, subject.code, subject.seen)
    if not as_json:
        terminal.print_answer(answer.answer)


def _shortened(trace: tuple[str, ...]) -> tuple[str, ...]:
    """A long trace without its middle: the innermost calls, which say most, stand at its end."""
    if len(trace) <= terminal.MOST_DETAILS:
        return trace
    first, last = 4, terminal.MOST_DETAILS - 5
    return (*trace[:first], f"  … {len(trace) - first - last} lines more, with -v", *trace[-last:])


def log_of(answer: FunctionAnswer) -> tuple[str, ...]:
    """The log, without the runtime's own report of a failure, which is told in full."""
    if not answer.failure:
        return answer.log
    start = f"[ERROR] {answer.failure.type}: "
    cut = next((at for at, line in enumerate(answer.log) if line.startswith(start)), len(answer.log))
    return answer.log[:cut]


def times(answer: FunctionAnswer, call: FunctionCall) -> str:
    """``init 113 ms, invocation 3 ms, billed 116 ms, peak memory 39 of 1,769 MB``: as far as it is known."""
    parts = [
        f"{name} {value:,.0f} ms"
        for name, value in (
            ("init", answer.init_ms),
            ("invocation", answer.duration_ms),
            ("billed", billed(answer)),
        )
        if value is not None
    ]
    if answer.peak_memory is not None:
        parts.append(f"peak memory {answer.peak_memory / MIB:,.0f} of {call.memory:,} MB")
    return ", ".join(parts)


def billed(answer: FunctionAnswer) -> int | None:
    """Milliseconds that Lambda would bill of a cold start: init and invocation, rounded up; ``None`` if not known."""
    if answer.duration_ms is None:
        return None
    return math.ceil((answer.init_ms or 0) + answer.duration_ms)


def warnings(answer: FunctionAnswer) -> Iterator[str]:
    """What would fare otherwise on Lambda."""
    if answer.init_ms is not None and answer.init_ms > LONGEST_INIT_MS:
        took = f"{answer.init_ms / 1000:.1f} s"
        yield f"the init phase took {took}: Lambda gives it 10 s, and begins anew in the time of the invocation"
    if answer.open:
        yield f"the run was not shut off as on Lambda: {answer.open}"


def as_data(answer: FunctionAnswer, call: FunctionCall, subject: Subject, where: Invoker) -> dict[str, Any]:
    """All of it, for JSON."""
    failure = answer.failure
    return {
        "answer": None if failure else code_options.as_is(answer.answer),
        "error": asdict(failure) if failure else None,
        "log": list(answer.log),
        "init_ms": _rounded(answer.init_ms),
        "duration_ms": _rounded(answer.duration_ms),
        "billed_ms": billed(answer),
        "peak_memory": answer.peak_memory,
        "memory_mb": call.memory,
        "timeout_s": call.timeout,
        "handler": call.handler,
        "code": {"path": str(subject.code.name), "files": len(subject.code.files), "bytes": subject.code.size},
        "layers": [
            {"path": str(one.path), "sha256": one.sha256, "unzipped_bytes": one.unzipped} for one in subject.seen
        ],
        "twice": code_options.overlaps_as_data(subject.twice),
        "python": call.target.python,
        "arch": str(call.target.arch),
        "engine": where.name,
        "warnings": list(warnings(answer)),
    }


def _rounded(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds, 3)
