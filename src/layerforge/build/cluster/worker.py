"""A worker of a cluster: Dask's, with what this machine has, until it is told to stop or the scheduler is lost."""

from __future__ import annotations

import asyncio
import os
import platform
import signal
import tempfile
from collections.abc import Awaitable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dask.system import CPU_COUNT
from distributed import Worker
from distributed.system import MEMORY_LIMIT

from layerforge.build.cluster import causes, settings
from layerforge.build.cluster.addresses import Remote, context, security
from layerforge.build.cluster.knock import SECONDS, knock
from layerforge.build.cluster.offers import Offer, OfferedImage, Release, offered
from layerforge.build.cluster.roll import STARTUP, lost, tell, told
from layerforge.build.cluster.working import Say, WorkerFloor
from layerforge.build.errors import ClusterError
from layerforge.core import interrupts
from layerforge.core.errors import UsageError
from layerforge.core.runtimes import Arch, arch_of

THREADS = 16
"""Fewest threads of a worker: its resources decide what it does at the same time, not these."""


@dataclass(frozen=True, kw_only=True)
class Making:
    """How a worker comes by its shop: a function by its dotted name, and the text that it is given."""

    shop: str
    settings: str


def offer(
    release: Release,
    *,
    name: str = "",
    processors: int | None = None,
    memory: int | None = None,
    images: tuple[OfferedImage, ...] = (),
) -> Offer:
    """What this machine offers; ``None`` is all that it, or the container that this runs in, may use.

    Raises ``UsageError`` where it has another processor than functions have.
    """
    arch = arch_of(platform.machine())
    if arch is None:
        raise UsageError(f"no layers are made for {platform.machine()}", hint=f"a worker is {' or '.join(Arch)}")
    return Offer(
        name=name or f"{platform.node() or 'worker'}-{os.getpid()}",
        arch=arch,
        processors=CPU_COUNT if processors is None else processors,
        memory=MEMORY_LIMIT if memory is None else memory,
        images=images,
        release=release,
    )


def options(has: Offer, floor: WorkerFloor) -> dict[str, Any]:
    """What Dask's worker is made with, wherever it runs."""
    return {
        "nthreads": max(THREADS, 2 * has.processors),
        "resources": dict(offered(has)),
        "memory_limit": 0,
        "dashboard": False,
        "dashboard_address": settings.NOWHERE,
        "plugins": (floor,),
        "startup_information": {STARTUP: partial(tell, text=told(has))},
    }


def work(found: Remote, tls: Path | None, has: Offer, making: Making, say: Say) -> None:
    """Works for a scheduler until SIGTERM or Ctrl-C; ``say`` gets a line for people when it has joined, and one a job.

    Raises ``KeyboardInterrupt`` after a signal, when nothing runs any more, and ``ClusterError`` where the scheduler
    cannot be reached or is lost. A second signal leaves at once.
    """
    settings.apply()
    if found.encrypted:
        settings.require_encryption()
    knock(found, context(found, tls, "worker"))
    with tempfile.TemporaryDirectory(prefix="layerforge-worker-") as folder:
        place = {"name": has.name, "local_directory": folder, "security": security(found, tls)}
        made = options(has, WorkerFloor(making.shop, making.settings, say)) | place
        asyncio.run(_worked(found, made, say))


async def _worked(found: Remote, made: dict[str, Any], say: Say) -> None:
    told_to_stop = asyncio.Event()
    _on_signals(told_to_stop)
    worker = await _joined(Worker(found.url, death_timeout=SECONDS, **made), found)
    try:
        say(f"at {worker.address}, for the scheduler at {found.url}")
        await _first(told_to_stop.wait(), worker.finished())
        alone = not told_to_stop.is_set()
    finally:
        await worker.close()
    if alone:
        raise lost(found.url)
    raise KeyboardInterrupt


async def _joined(worker: Worker, found: Remote) -> Worker:
    try:
        return await worker
    except Exception as error:
        if own := causes.own(error):
            raise own from error
        raise ClusterError(
            f"the scheduler at {found.url} does not take this worker",
            hint="is another of the same --name there already? does the scheduler run the same version of Dask?",
            details=tuple(str(error.__cause__ or error).splitlines()),
        ) from error


async def _first(*these: Awaitable[Any]) -> None:
    tasks = [asyncio.ensure_future(one) for one in these]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


def _on_signals(told_to_stop: asyncio.Event) -> None:
    """The first signal sets the event, the second leaves at once: an exception in the loop could end half of it."""

    def stop() -> None:
        if told_to_stop.is_set():
            os._exit(interrupts.INTERRUPTED)
        told_to_stop.set()

    loop = asyncio.get_running_loop()
    for number in interrupts.SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, stop)
