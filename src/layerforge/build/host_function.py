"""A function on this machine: a program stands for Lambda's runtime, with the same messages."""

from __future__ import annotations

import re
import secrets
import signal
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from layerforge.build.engine import Job, Outcome
from layerforge.build.function import (
    EXITED,
    TIMED_OUT,
    Ending,
    FunctionAnswer,
    FunctionCall,
    FunctionFailure,
    environment,
    too_large,
)
from layerforge.core import guarded, resources
from layerforge.core.limits import MIB
from layerforge.core.process import signal_name

MARKER = "layerforge-function:"
LONGEST_INIT = 60
"""Seconds that a run may take beyond its function's time. Lambda gives ten to the init phase, which is said."""

_GO = "CALL.invoke()\n"
_KILLED = FunctionFailure(ending=Ending.MEMORY, type=EXITED, message="Runtime exited with error: signal: killed")
"""What Lambda says where memory runs out. Nothing bounds it here as exactly, so it is told of what was held instead."""


@dataclass(frozen=True, kw_only=True)
class _Error:
    type: str
    message: str
    trace: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Report:
    """One line of the program's report."""

    init_ms: float | None = None
    answer: str | None = None
    error: _Error | None = None
    duration_ms: float | None = None
    peak_memory: int | None = None


def invoke(run: Callable[[Job], Outcome], call: FunctionCall, word: str | None = None) -> FunctionAnswer:
    """Invokes a function with ``run``, which runs programs. ``word`` is a new one in each run.

    Raises ``EngineError`` where the program cannot be started.
    """
    word = secrets.token_hex(16) if word is None else word
    order = (word, call.handler, call.event.decode("utf-8", "replace"), call.timeout, str(uuid.uuid4()))
    job = Job(
        target=call.target,
        opt=call.opt,
        code=call.code,
        init=f"{resources.text('function_on_host.py')}\n\nCALL = Function(*{order!r})\n",
        program=_GO,
        timeout=call.timeout + LONGEST_INIT,
        env=_environment(call) | dict(call.env),
        runtime=call.runtime,
    )
    return read(run(job), call, MARKER + word)


def _environment(call: FunctionCall) -> dict[str, str]:
    """What Lambda's image says besides."""
    own = environment(call.memory, call.timeout)
    return own | {
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{call.target.python}",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{own['AWS_LAMBDA_FUNCTION_NAME']}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "$LATEST",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "LAMBDA_TASK_ROOT": "/var/task",
        "TZ": ":UTC",
        "_HANDLER": call.handler,
    }


def read(outcome: Outcome, call: FunctionCall, marker: str) -> FunctionAnswer:
    """What a run's output means, whose reports begin with ``marker``."""
    # Where the machine could not be hidden, files lie elsewhere than on Lambda.
    text = outcome.output.replace(str(call.code.absolute()), "/var/task").replace(str(call.opt.absolute()), "/opt")
    reports = list(_reports(text, marker))
    last = next((one for one in reports if one.answer is not None or one.error), _Report())
    failure = _failure(last, outcome, call)
    answer = "" if failure else last.answer or ""
    return FunctionAnswer(
        answer=answer,
        failure=failure or too_large(answer),
        log=_log(text, marker),
        init_ms=next((one.init_ms for one in reports if one.init_ms is not None), None),
        duration_ms=1000.0 * call.timeout if failure and failure.ending is Ending.TIME else last.duration_ms,
        peak_memory=last.peak_memory,
        open=outcome.open,
    )


def _reports(text: str, marker: str) -> Iterator[_Report]:
    for line in text.split("\n"):
        if line.startswith(marker):
            try:
                yield guarded.json_as(line.removeprefix(marker), _Report)
            except guarded.Unreadable:
                continue  # the function wrote into the line


def _failure(last: _Report, outcome: Outcome, call: FunctionCall) -> FunctionFailure | None:
    if last.error:
        lines = "".join(last.error.trace).splitlines()
        return FunctionFailure(
            ending=Ending.ERROR, type=last.error.type, message=last.error.message, trace=tuple(lines)
        )
    if last.answer is not None:
        return None if (last.peak_memory or 0) <= call.memory * MIB else _KILLED
    if outcome.timed_out or outcome.status == -signal.SIGALRM:
        message = f"Task timed out after {call.timeout:.2f} seconds"
        return FunctionFailure(ending=Ending.TIME, type=TIMED_OUT, message=message)
    if outcome.status == -signal.SIGKILL:
        return _KILLED
    how = f"signal: {signal_name(outcome.status)}" if outcome.status < 0 else f"exit status {outcome.status}"
    return FunctionFailure(ending=Ending.EXIT, type=EXITED, message=f"Runtime exited with error: {how}")


def _log(text: str, marker: str) -> tuple[str, ...]:
    """The function's own lines. The program writes an empty one before each of its own."""
    own = re.sub(rf"\n?^{re.escape(marker)}.*$\n?", "", text, flags=re.MULTILINE)
    return tuple(own.rstrip("\n").split("\n")) if own.strip() else ()
