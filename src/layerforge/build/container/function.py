"""A function in the sandbox: AWS's own emulator and client invoke it, and say what came of it in their own words."""

from __future__ import annotations

import math
import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from docker import DockerClient

from layerforge.build.container import sandbox
from layerforge.build.container.cleanup import container
from layerforge.build.container.errors import as_engine_error
from layerforge.build.container.mounts import binds
from layerforge.build.container.run import Ended, StopLimits, run
from layerforge.build.container.run import Ending as Stopped
from layerforge.build.engine import Image, Mount
from layerforge.build.errors import EngineError
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
from layerforge.core.limits import LONGEST_INIT_MS, MIB

MARKER = "layerforge-function: "
PLACE = "/var/layerforge"
"""Where the client lies, beside the function's own code."""

SPARE = 60
"""Seconds that a container may take beyond what its function may."""

INIT_SHARE = 0.02
"""Part of a function's time that its init phase may take from it."""

_KEPT_LINES = 20_000
_START = re.compile(r"START RequestId: ([0-9a-f-]{36}) Version: ")
_DURATION = re.compile(r"\(rapid\) INVOKE RTDONE\(status: \w+, .*duration: ([\d.]+)ms\)")
_KEYS = frozenset({"errorMessage", "errorType", "requestId", "stackTrace"})
_LAMBDAS_OWN = re.compile(r"\[WARNING\]\t\S*\t\S*\tLAMBDA_WARNING: Unhandled exception\. ")
"""The runtime's words on every error in the init phase, of updates that it may have had."""


@dataclass(frozen=True, kw_only=True)
class _Said:
    """What the client tells of an invocation."""

    status: int
    answer: str
    peak_memory: int | None = None


def invoke(client: DockerClient, image: Image, call: FunctionCall, job_key: str = "") -> FunctionAnswer:
    """Invokes a function in a container of its own. Raises ``EngineError`` where the engine fails or the image has no
    working emulator.

    The emulator counts the init phase as part of the first invocation, and Lambda does not. So a function that was
    ended for its time is invoked anew, with as much more as its init phase took, where that was a part of it.
    """
    answer = _invoked(client, image, call, call.timeout, job_key)
    spent = (answer.init_ms if answer.init_ms is not None else LONGEST_INIT_MS) / 1000
    if _out_of_time(answer) and answer.duration_ms is None and spent > INIT_SHARE * call.timeout:
        answer = _invoked(client, image, call, call.timeout + math.ceil(spent), job_key)
    return replace(answer, duration_ms=1000.0 * call.timeout) if _out_of_time(answer) else answer


def _out_of_time(answer: FunctionAnswer) -> bool:
    return answer.failure is not None and answer.failure.ending is Ending.TIME


def _invoked(client: DockerClient, image: Image, call: FunctionCall, allowed: int, job_key: str) -> FunctionAnswer:
    """One run, in which the emulator allows so many seconds."""
    with tempfile.TemporaryDirectory(prefix="layerforge-") as name:
        place = _client(Path(name), call)
        with container(client, _settings(client, image, call, allowed, place), job_key) as box:
            ended = run(box, lambda _line: None, StopLimits(seconds=allowed + SPARE))
            with as_engine_error():
                output = box.logs(stdout=True, stderr=False, tail=_KEPT_LINES).decode("utf-8", "replace")
                log = box.logs(stdout=False, stderr=True, tail=_KEPT_LINES).decode("utf-8", "replace")
    return read(output, log, ended, call)


def _client(folder: Path, call: FunctionCall) -> Path:
    """The folder with what invokes the function, readable for the function's user."""
    place = folder / "client"
    place.mkdir()
    (place / "client.py").write_text(resources.text("function_client.py"), "utf-8")
    (place / "event.json").write_bytes(call.event)
    for one in place.iterdir():
        one.chmod(0o644)
    place.chmod(0o755)
    return place


def _settings(client: DockerClient, image: Image, call: FunctionCall, allowed: int, place: Path) -> dict[str, Any]:
    mounts = (
        Mount(source=call.opt, target="/opt"),
        Mount(source=call.code, target="/var/task"),
        Mount(source=place, target=PLACE),
    )
    program = [call.target.program, "-I", "-S", "-B", f"{PLACE}/client.py", call.handler, f"{PLACE}/event.json"]
    own = environment(call.memory, allowed) | dict(call.env)
    return sandbox.constraints(client, image, call.memory * MIB) | {
        "entrypoint": program,
        "environment": own,
        "mounts": binds(mounts),
    }


def read(output: str, log: str, ended: Ended, call: FunctionCall) -> FunctionAnswer:
    """What a container's standard output, which is the function's log, and the emulator's own log mean."""
    said = _said(log)
    if said is None and not ended.out_of_memory and ended.ending is not Stopped.TIME:
        raise EngineError(
            "the image's runtime interface emulator did not answer",
            hint="take Amazon's image of the runtime, or one of the same layout; see `--image`",
            details=tuple((output + log).splitlines()[-12:]),
        )
    request = _request(output)
    init, took = sandbox.INIT.search(log), _DURATION.search(log)
    init_ms = float(init[1]) if init else None
    duration = float(took[1]) if took else None
    failure = _failure(said, request, duration, ended, call)
    return FunctionAnswer(
        answer="" if failure or said is None else said.answer,
        failure=failure or (too_large(said.answer) if said else None),
        log=_log(output, request),
        init_ms=init_ms,
        duration_ms=duration,
        peak_memory=said.peak_memory if said else None,
    )


def _said(log: str) -> _Said | None:
    for line in reversed(log.splitlines()):
        if line.startswith(MARKER):
            try:
                return guarded.json_as(line.removeprefix(MARKER), _Said)
            except guarded.Unreadable:
                return None
    return None


def _request(output: str) -> str:
    match = _START.search(output)
    return match[1] if match else ""


def _failure(
    said: _Said | None, request: str, duration: float | None, ended: Ended, call: FunctionCall
) -> FunctionFailure | None:
    """Why there is no answer; ``None`` where there is one."""
    if said is None and ended.out_of_memory:
        return FunctionFailure(ending=Ending.MEMORY, type=EXITED, message="Runtime exited with error: signal: killed")
    late = duration is not None and duration > 1000 * call.timeout
    if said is None or late or (said.status == 200 and said.answer.startswith("Task timed out after ")):
        message = f"Task timed out after {call.timeout:.2f} seconds"
        return FunctionFailure(ending=Ending.TIME, type=TIMED_OUT, message=message)
    found = _error(said.answer)
    if found is None or (said.status == 200 and not (found.keys() >= _KEYS and found["requestId"] == request)):
        return None if said.status == 200 else FunctionFailure(ending=Ending.EXIT, type=EXITED, message=said.answer)
    return _as_lambda(found)


def _error(answer: str) -> dict[str, Any] | None:
    try:
        found = guarded.json_value(answer)
    except guarded.Unreadable:
        return None
    return found if isinstance(found, dict) and "errorType" in found else None


def _as_lambda(found: dict[str, Any]) -> FunctionFailure:
    """An error as the runtime's own client, or the emulator, has put it."""
    kind, message = str(found["errorType"]), str(found.get("errorMessage", ""))
    ending = Ending.ERROR
    if kind == EXITED:
        message = message.partition(" Error: ")[2] or message
        ending = Ending.MEMORY if message.endswith("signal: killed") else Ending.EXIT
    trace = found.get("stackTrace")
    lines = "".join(map(str, trace)).splitlines() if isinstance(trace, list) else []
    return FunctionFailure(ending=ending, type=kind, message=message, trace=tuple(lines))


def _log(output: str, request: str) -> tuple[str, ...]:
    """The function's own lines, without the emulator's around them. The runtime ends some by a return alone."""
    own = (f"START RequestId: {request} ", f"END RequestId: {request}", f"REPORT RequestId: {request}")
    lines = (line for line in output.split("\n") if not (request and line.startswith(own)))
    kept = [one for line in lines if not _LAMBDAS_OWN.match(line) for one in line.rstrip("\r").split("\r")]
    while kept and not kept[-1]:
        kept.pop()
    return tuple(kept)
