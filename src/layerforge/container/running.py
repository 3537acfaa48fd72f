"""Source steps: each runs in a container of its own, with nothing of this machine but its folders."""

from __future__ import annotations

import math
import os
import shutil
import stat
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from docker import DockerClient
from docker.errors import NotFound
from docker.models.containers import Container
from docker.types import LogConfig, Ulimit
from docker.types import Mount as Bind

from layerforge.container.errors import FAILURES, failure, told
from layerforge.container.owning import container
from layerforge.errors import EngineError
from layerforge.model import Image, Mount, Outcome, Task

LAST_LINES = 60
"""How many lines an outcome keeps."""
GRACE = 1
"""Whole seconds after a failed container's end in which the engine may still learn that there was too little memory."""
PROCESSES = 4096
BUILDER = (1000, 1000)
"""User and group of a step where the caller is root: a step never is."""
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
class Limits:
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


def perform(client: DockerClient, image: Image, spare: int, task: Task, on_line: Callable[[str], None]) -> Outcome:
    """Runs a task to its end, in a container that is gone afterwards.

    ``on_line`` gets each line as it comes, ``task.log`` all of them, the outcome the last ones. Raises
    ``EngineError`` where the engine fails or the disk is nearly full.
    """
    tail: deque[str] = deque(maxlen=LAST_LINES)
    writable = [mount.source for mount in task.mounts if mount.writable]
    limits = Limits(seconds=task.timeout, places=(*writable, task.log.parent), spare=spare)
    rootless = _rootless(client)
    with _log(task.log) as keep, _lent(writable, rootless), container(client, _settings(task, image, rootless)) as box:

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
        "user": "{}:{}".format(*_user(rootless)),
        "working_dir": task.workdir,
        "mounts": binds(task.mounts),
        "tmpfs": {"/tmp": "size=1g,mode=1777,exec"},  # noqa: S108
        "mem_limit": task.memory,
        "memswap_limit": task.memory,
        "pids_limit": PROCESSES,
    }


def binds(mounts: Iterable[Mount]) -> list[Bind]:
    """The SDK's words for mounts."""
    return [
        Bind(target=mount.target, source=str(mount.source.resolve()), type="bind", read_only=not mount.writable)
        for mount in mounts
    ]


@cache
def _rootless(client: DockerClient) -> bool:
    """Whether the engine runs as a plain user, who is root in its containers and nowhere else."""
    with told():
        return any("rootless" in option for option in client.info().get("SecurityOptions") or [])


def _user(rootless: bool) -> tuple[int, int]:  # noqa: FBT001
    if rootless:
        return 0, 0
    return (os.getuid(), os.getgid()) if os.getuid() else BUILDER


# --- a container from its start to its end


def run(box: Container, on_line: Callable[[str], None], limits: Limits) -> Ended:
    """Starts a container, passes its lines on as they come, and waits for its end. Raises ``EngineError``."""
    started, over = time.monotonic(), threading.Event()
    with told():
        box.start()
    with ThreadPoolExecutor(max_workers=1) as pool:
        try:
            watching = pool.submit(_watch, box, over, limits)
            for line in lines(_chunks(box)):
                on_line(line)
        finally:
            over.set()
    with told():
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
        with told():
            events = box.client.events(since=math.floor(started), until=math.ceil(ended) + GRACE, filters=chosen)
        with told(), closing(events):
            return next(events, None) is not None
    except EngineError:  # some engines tell no such events; that the container failed is known all the same
        return False


def _chunks(box: Container) -> Iterator[bytes]:
    with told():
        stream = box.logs(stream=True, follow=True, stdout=True, stderr=True)
    with closing(stream):
        while True:
            with told():
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


def _watch(box: Container, over: threading.Event, limits: Limits) -> Ending:
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


# --- this machine's side


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

    with file:
        yield keep


def _unwritable(path: Path, error: OSError) -> EngineError:
    return EngineError(
        f"the log {path} cannot be written: {error.strerror or error}",
        hint="free some space, or set LAYERFORGE_CACHE to another disk",
    )


@contextmanager
def _lent(folders: Sequence[Path], rootless: bool) -> Iterator[None]:  # noqa: FBT001
    """Gives folders to the user of the container, and takes them back with all that is in them, readable."""
    uid, gid = _user(rootless)
    own = os.getuid(), os.getgid()
    if not rootless and own[0] == 0:
        _hand_over(folders, uid, gid)
    try:
        yield
    finally:
        _hand_over(folders, *own)


def _hand_over(folders: Iterable[Path], uid: int, gid: int) -> None:
    for folder in folders:
        _give(folder, uid, gid)
        for root, below, files in os.walk(folder):
            # Folders first: one without rights could not be walked into.
            for name in (*below, *files):
                _give(Path(root, name), uid, gid)


def _give(path: Path, uid: int, gid: int) -> None:
    facts = path.lstat()
    if (facts.st_uid, facts.st_gid) != (uid, gid) and os.getuid() == 0:
        os.lchown(path, uid, gid)
    needed = stat.S_IRWXU if stat.S_ISDIR(facts.st_mode) else stat.S_IRUSR | stat.S_IWUSR
    if not stat.S_ISLNK(facts.st_mode) and facts.st_mode & needed != needed:
        path.chmod(stat.S_IMODE(facts.st_mode) | needed)
