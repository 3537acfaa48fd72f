"""The Lambda-like sandbox: AWS's own emulator and client in the runtime's image, under Lambda's constraints."""

from __future__ import annotations

import json
import math
import re
import signal
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from docker import DockerClient

from layerforge.build.container.cleanup import container
from layerforge.build.container.errors import as_engine_error
from layerforge.build.container.mounts import binds
from layerforge.build.container.run import LOCKED, Ended, Ending, StopLimits, run
from layerforge.build.engine import Image, Job, Mount, Outcome
from layerforge.build.errors import EngineError
from layerforge.build.function import environment
from layerforge.core import resources
from layerforge.core.limits import MIB, share
from layerforge.core.runtimes import runtimes

USER = "993:990"
PROCESSES = 1024
ENTRY_POINT = "/lambda-entrypoint.sh"
TASK = "/var/task"
BESIDE = "/var/layerforge"
"""Where what belongs to the sandbox lies when a function's own code is at ``/var/task``."""

BEGIN = "layerforge-sandbox: begin"
END = "layerforge-sandbox: end"
ANSWER = "layerforge-sandbox: "
_KEPT_LINES = 20_000
EXIT = re.compile(r"\(rapid\) Process runtime-\d+ exited: (?:signal: ([a-z0-9 /]+?)|exit status (\d+))(?: \(|$)", re.M)
INIT = re.compile(r"\(rapid\) INIT REPORT\(durationMs: ([\d.]+)\)")

SIGNALS = {
    "aborted": signal.SIGABRT,
    "broken pipe": signal.SIGPIPE,
    "bus error": signal.SIGBUS,
    "floating point exception": signal.SIGFPE,
    "illegal instruction": signal.SIGILL,
    "interrupt": signal.SIGINT,
    "killed": signal.SIGKILL,
    "segmentation fault": signal.SIGSEGV,
    "terminated": signal.SIGTERM,
    "trace/breakpoint trap": signal.SIGTRAP,
}
"""Signals by the emulator's words for them."""


def invoke(client: DockerClient, image: Image, memory: int, job: Job, job_key: str = "") -> Outcome:
    """Runs a job's program as the handler of a function that has the layer at ``/opt``. ``memory`` is the function's
    bytes where the job does not say.

    Raises ``EngineError`` where the engine fails or the image has no working emulator.
    """
    with tempfile.TemporaryDirectory(prefix="layerforge-") as name:
        task = _function(Path(name), job)
        with container(client, _settings(client, image, job.memory or memory, job, task), job_key) as box:
            ended = run(box, lambda _line: None, StopLimits(seconds=job.timeout))
            with as_engine_error():
                output = box.logs(stdout=True, stderr=False, tail=_KEPT_LINES).decode("utf-8", "replace")
                log = box.logs(stdout=False, stderr=True, tail=_KEPT_LINES).decode("utf-8", "replace")
    return read(output, log, ended)


def _function(folder: Path, job: Job) -> Path:
    """The folder that stands for ``/var/task``, readable for the function's user."""
    task = folder / "task"
    task.mkdir()
    texts = {
        **{name: resources.text(name) for name in ("sandbox_handler.py", "sandbox_client.py")},
        # Not named as modules, which they would hide.
        "init.txt": job.init,
        "program.txt": job.program,
    }
    for name, text in texts.items():
        (task / name).write_text(text, "utf-8")
        (task / name).chmod(0o644)
    task.chmod(0o755)
    return task


def _settings(client: DockerClient, image: Image, memory: int, job: Job, task: Path) -> dict[str, Any]:
    place = BESIDE if job.code else TASK
    mounts = [Mount(source=job.opt, target="/opt"), Mount(source=task, target=place)]
    # The function that is invoked is the sandbox's own; it looks for modules where the code lies.
    root = {"LAMBDA_TASK_ROOT": BESIDE} if job.code else {}
    if job.code:
        mounts.append(Mount(source=job.code, target=TASK))
    # The container is stopped at the job's own limit; the emulator must not come before.
    own = environment(memory // MIB, math.ceil(job.timeout) + 60)
    return constraints(client, image, memory, job.processors) | {
        "entrypoint": [job.target.program, "-I", "-S", "-B", f"{place}/sandbox_client.py", str(job.invocations)],
        "environment": dict(job.env) | own | root,
        "mounts": binds(mounts),
    }


def constraints(client: DockerClient, image: Image, memory: int, processors: float | None = None) -> dict[str, Any]:
    """What no function may do, and what one of ``memory`` bytes gets."""
    return LOCKED | {
        "image": image.digest,
        "user": USER,
        "working_dir": TASK,
        # On Lambda it is a disk; here it counts as memory.
        "tmpfs": {"/tmp": "size=512m,mode=1777,exec"},  # noqa: S108
        # No /dev/shm.
        "ipc_mode": "none",
        "mem_limit": memory,
        "memswap_limit": memory,
        "nano_cpus": round((processors or _processors(client, memory)) * 10**9),
        "pids_limit": PROCESSES,
    }


def _processors(client: DockerClient, memory: int) -> int:
    """Lambda's share of processors for a function's memory; whole ones, as its init phase gets them."""
    return math.ceil(share(memory / MIB, machine(client)))


@cache
def machine(client: DockerClient) -> int:
    """How many processors the engine's machine has. Raises ``EngineError``."""
    with as_engine_error():
        return int(client.info().get("NCPU") or 1)


def read(output: str, log: str, ended: Ended) -> Outcome:
    """What a sandbox's standard output and the emulator's log mean."""
    answers = _answers(log)
    answer = _decisive(answers)
    exited = EXIT.search(log)
    timed_out = ended.ending is Ending.TIME
    if answer is None and exited is None and not timed_out and not ended.out_of_memory:
        raise EngineError(
            "the image's runtime interface emulator did not answer",
            hint="take Amazon's image of the runtime, or one of the same layout; see `--image`",
            details=tuple((output + log).splitlines()[-12:]),
        )
    said = answer or {}
    status = _status(said, exited, ended)
    init = INIT.search(log)
    return Outcome(
        status=status,
        output=_program_output(output),
        seconds=ended.seconds,
        timed_out=timed_out,
        # The emulator ends the runtime only when time is up, so it was the kernel. It may have ended the emulator.
        out_of_memory=not timed_out and (status == -signal.SIGKILL or ended.out_of_memory),
        init_ms=float(init[1]) if init else None,
        peak_memory=said.get("peak_memory"),
        init_cpu_ms=said.get("init_cpu_ms"),
        invoke_ms=tuple(
            float(one["milliseconds"]) for one in answers if one and not one["status"] and "milliseconds" in one
        ),
    )


def _decisive(answers: Sequence[Mapping[str, Any] | None]) -> Mapping[str, Any] | None:
    """The first that tells of a failure, else the last; ``None`` where the runtime itself failed."""
    if not answers or None in answers:
        return None
    return next((one for one in answers if one and one["status"]), answers[-1])


def _answers(log: str) -> list[Mapping[str, Any] | None]:
    """The handler's own answers; ``None`` where the emulator gave one in its place."""
    return [_answer(line.removeprefix(ANSWER)) for line in log.splitlines() if line.startswith(ANSWER)]


def _answer(said: str) -> Mapping[str, Any] | None:
    try:
        answer = json.loads(json.loads(said))
    except ValueError:
        return None
    return answer if isinstance(answer, dict) and "status" in answer else None


def _status(answer: Mapping[str, Any], exited: re.Match[str] | None, ended: Ended) -> int:
    if "status" in answer:
        return int(answer["status"])
    if exited and exited[1]:
        return -SIGNALS.get(exited[1], signal.SIGKILL)
    # A runtime that ends between two answers has failed, whatever it says.
    return int(exited[2]) or 1 if exited else ended.status or 1


def _program_output(output: str) -> str:
    """What the program printed, without the emulator's lines around it. After a restart, what came last."""
    _, begun, text = output.rpartition(f"{BEGIN}\n")
    return text.partition(f"\n{END}\n")[0] if begun else output


@cache
def pythons(client: DockerClient, image: Image) -> tuple[str, ...]:
    """Lambda's Pythons for whose runtime an image can stand, oldest first."""
    known = {f"/var/lang/bin/python{python}": python for python in runtimes()}
    script = f'for file in "$@"; do [ -x "{ENTRY_POINT}" ] && [ -x "$file" ] && echo "$file"; done; true'
    return tuple(known[path] for path in _said(client, image, script, tuple(known)) if path in known)


@cache
def lacking(client: DockerClient, image: Image, python: str) -> str:
    """Why an image cannot stand for the runtime of a Python; empty where it can."""
    needed = (f"/var/lang/bin/python{python}", ENTRY_POINT)
    missing = _said(client, image, 'for file in "$@"; do [ -x "$file" ] || echo "$file"; done', needed)
    return f"the image {image.reference} has no {' and no '.join(missing)}" if missing else ""


def _said(client: DockerClient, image: Image, script: str, arguments: tuple[str, ...]) -> list[str]:
    """The lines that a script writes in an image."""
    entry = ["/bin/sh", "-c", script, "sh", *arguments]
    said: list[str] = []
    with container(client, LOCKED | {"image": image.digest, "entrypoint": entry, "user": USER}) as box:
        run(box, said.append, StopLimits(seconds=60))
    return said
