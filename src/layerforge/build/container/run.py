"""Source steps: each runs in a container of its own, with nothing of this machine but its folders."""

from __future__ import annotations

import math
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from docker import DockerClient
from docker.errors import NotFound
from docker.models.containers import Container
from docker.types import LogConfig, Ulimit

from layerforge.build.container.cleanup import container
from layerforge.build.container.errors import FAILURES, as_engine_error, failure
from layerforge.build.container.mounts import binds, container_user, is_rootless, owned_by_container_user
from layerforge.build.engine import Image, Outcome, Task
from layerforge.build.errors import EngineError

LAST_LINES = 60
"""How many lines an outcome keeps."""

GRACE = 1
"""Whole seconds after a failed container's end in which the engine may still learn that there was too little memory."""

PROCESSES = 4096
_LONGEST_LINE = 65_536

LOCKED: dict[str, Any] = {
    "network_mode": "none",
    "cap_drop": ["ALL"],
    # Without a label of SELinux the folders could not be read on systems that have it.
    "security_opt": ["no-new-privileges", "label=disable"],
    "read_only": True,
    "init": True,
    # The engine's own file, whatever its default is: a driver that sends logs away cannot be read.
    "log_config": LogConfig(type=LogConfig.types.JSON),
    # Else the proxies of ~/.docker/config.json become variables of the container.
    "use_config_proxy": False,
    "ulimits": [Ulimit(name="core", soft=0, hard=0)],
}
"""What no container of layerforge may do."""


class Ending(StrEnum):
    """Why a container was stopped, where it was."""

    BY_ITSELF = ""
    TIME = "time"
    SPACE = "space"


@dataclass(frozen=True, kw_only=True)
class StopLimits:
    """When to stop a container."""

    seconds: float
    places: tuple[Path, ...] = ()
    """Folders of this machine that it writes to."""
    spare: int = 0
    """Bytes that have to stay free on their disks."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a container ended."""

    status: int
    """The exit status; the negated signal number where one ended it."""
    ending: Ending
    out_of_memory: bool
    seconds: float


def perform(
    client: DockerClient, image: Image, spare: int, task: Task, on_line: Callable[[str], None], job_key: str = ""
) -> Outcome:
    """Runs a task to its end, in a container that is gone afterwards.

    ``on_line`` gets each line as it comes, ``task.log`` all of them, the outcome the last ones. Raises
    ``EngineError`` where the engine fails or the disk is nearly full.
    """
    tail: deque[str] = deque(maxlen=LAST_LINES)
    writable = [mount.source for mount in task.mounts if mount.writable]
    limits = StopLimits(seconds=task.timeout, places=(*writable, task.log.parent), spare=spare)
    rootless = is_rootless(client)
    with (
        _log(task.log) as keep,
        owned_by_container_user(writable, rootless),
        container(client, _settings(task, image, rootless), job_key) as box,
    ):

        def line_came(line: str) -> None:
            keep(line)
            tail.append(line)
            on_line(line)

        ended = run(box, line_came, limits)
    if ended.ending is Ending.SPACE:
        raise EngineError(
            f"{task.name} was stopped before it filled the disk",
            hint=f"free some space, or set LAYERFORGE_CACHE to a larger disk; the whole log: {task.log}",
            details=tuple(tail),
        )
    return Outcome(
        status=ended.status,
        output="\n".join(tail),
        seconds=ended.seconds,
        timed_out=ended.ending is Ending.TIME,
        out_of_memory=ended.out_of_memory,
    )


def _settings(task: Task, image: Image, rootless: bool) -> dict[str, Any]:  # noqa: FBT001
    # The engine adds the variables of the image and its own to those it is given; env starts from none.
    variables = [f"{name}={value}" for name, value in task.env.items()]
    return LOCKED | {
        "image": image.digest,
        "entrypoint": ["/usr/bin/env", "-i", *variables, *task.argv],
        "hostname": "layerforge",
        "user": "{}:{}".format(*container_user(rootless)),
        "working_dir": task.workdir,
        "mounts": binds(task.mounts),
        "tmpfs": {"/tmp": "size=1g,mode=1777,exec"},  # noqa: S108
        "mem_limit": task.memory,
        "memswap_limit": task.memory,
        "pids_limit": PROCESSES,
    }


def run(box: Container, on_line: Callable[[str], None], limits: StopLimits) -> Ended:
    """Starts a container, passes its lines on as they come, and waits for its end. Raises ``EngineError``."""
    started, over = time.monotonic(), threading.Event()
    with as_engine_error():
        box.start()
    with ThreadPoolExecutor(max_workers=1) as pool:
        try:
            watching = pool.submit(_watch, box, over, limits)
            for line in lines(_chunks(box)):
                on_line(line)
        finally:
            over.set()
    with as_engine_error():
        status = int(box.wait()["StatusCode"])
        box.reload()
    if box.status in {"removing", "dead"}:
        # Its end is then no result of the program: somebody took it away.
        raise failure(NotFound("no such container"))
    ending, seconds = watching.result(), time.monotonic() - started
    return Ended(
        status=_signed(status),
        ending=ending,
        out_of_memory=status != 0 and ran_out_of_memory(box, late=not ending),
        seconds=seconds,
    )


def ran_out_of_memory(box: Container, *, late: bool) -> bool:
    """Whether a container that has ended, and was looked at again since, had a process ended for want of memory.

    The engine hears of that and of the container's end on two ways. Where the end is heard of first, the container
    is never marked and there is an event alone, shortly afterwards: ``late`` waits for it.
    """
    state = box.attrs["State"]
    if state.get("OOMKilled") or not late:
        return bool(state.get("OOMKilled"))
    started, ended = (datetime.fromisoformat(state[name]).timestamp() for name in ("StartedAt", "FinishedAt"))
    chosen = {"container": box.id, "event": "oom"}
    assert box.client is not None, "it was asked for this container"
    try:
        with as_engine_error():
            events = box.client.events(since=math.floor(started), until=math.ceil(ended) + GRACE, filters=chosen)
        with as_engine_error(), closing(events):
            return next(events, None) is not None
    except EngineError:  # some engines tell no such events; that the container failed is known all the same
        return False


def _chunks(box: Container) -> Iterator[bytes]:
    with as_engine_error():
        stream = box.logs(stream=True, follow=True, stdout=True, stderr=True)
    with closing(stream):
        while True:
            with as_engine_error():
                chunk = next(stream, None)
            if chunk is None:
                return
            yield chunk


def lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Chunks of any size as lines. One that does not end comes in pieces."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line.decode("utf-8", "replace").rstrip("\r") for line in whole)
        if len(rest) > _LONGEST_LINE:
            yield rest.decode("utf-8", "replace")
            rest = b""
    if rest:
        yield rest.decode("utf-8", "replace")


def _watch(box: Container, over: threading.Event, limits: StopLimits) -> Ending:
    """Waits for the end, and brings it about where time or space runs out."""
    end = time.monotonic() + limits.seconds
    while not over.wait(min(1.0, max(0.0, end - time.monotonic()))):
        if time.monotonic() >= end:
            return _stop(box, Ending.TIME)
        if any(shutil.disk_usage(place).free < limits.spare for place in limits.places):
            return _stop(box, Ending.SPACE)
    return Ending.BY_ITSELF


def _stop(box: Container, why: Ending) -> Ending:
    # It may have ended meanwhile; where the engine is lost, the stream of lines says so.
    with suppress(*FAILURES):
        box.kill()
    return why


def _signed(status: int) -> int:
    """Shells and engines say 128 and the signal's number where a signal ended a process."""
    return 128 - status if 128 < status <= 192 else status


@contextmanager
def _log(path: Path) -> Iterator[Callable[[str], None]]:
    """Something that writes lines to a file at once."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w", encoding="utf-8", errors="replace", buffering=1)
    except OSError as error:
        raise _unwritable(path, error) from error

    def keep(line: str) -> None:
        try:
            file.write(f"{line}\n")
        except OSError as error:
            raise _unwritable(path, error) from error

    try:
        yield keep
    finally:
        # What a full disk did not take of a line is tried once more, and the failure has been told.
        with suppress(OSError):
            file.close()


def _unwritable(path: Path, error: OSError) -> EngineError:
    return EngineError(
        f"the log {path} cannot be written: {error.strerror or error}",
        hint="free some space, or set LAYERFORGE_CACHE to another disk",
    )
