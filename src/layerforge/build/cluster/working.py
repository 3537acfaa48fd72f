"""What goes on in a worker: its jobs, and how one of them is ended that nobody wants any more."""

from __future__ import annotations

import asyncio
import importlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from distributed import Reschedule, Worker, WorkerPlugin, get_worker

from layerforge.build.cluster import wire
from layerforge.build.cluster.events import TOPIC, line, started
from layerforge.build.errors import ClusterError, EngineError
from layerforge.build.graph import Done, Failed
from layerforge.core import interrupts
from layerforge.core.errors import LayerforgeError, StoreError
from layerforge.core.text import duration

PLUGIN = "layerforge"
LOOKS = 0.25
"""Seconds between two looks at whether jobs are still wanted."""

TELLS = 1.0
"""Fewest seconds between two lines of one job."""

LONGEST_END = 20.0
"""Seconds that a worker which stops waits for its jobs to end."""

Say = Callable[[str], None]


def silent(_text: str) -> None:
    """Says nothing."""


UNWANTED = frozenset({"cancelled", "released", "forgotten"})
"""States of a task that runs and whose result nobody waits for."""


class Shop(Protocol):
    """What does jobs on a worker. Fit for several threads."""

    def perform(self, key: str, task: str, tell: Callable[[str], None]) -> Done:
        """Does a job to its end, whose result the store then has; ``tell`` gets each line for people.

        Raises the ``LayerforgeError`` that it failed with. An ``EngineError`` or a ``StoreError`` is taken for one of
        the machine: the job is tried elsewhere.
        """

    def stop(self, key: str) -> None:
        """Ends what a job runs, so that ``perform`` comes to an end; called again and again until it has."""

    def close(self) -> None:
        """Gives back what it holds; all its jobs have ended, or will never."""


def made(name: str, settings: str) -> Shop:
    """The shop that a function makes of its settings, by its dotted name: ``layerforge.pipeline:shop``."""
    module, _, function = name.partition(":")
    shop: Shop = getattr(importlib.import_module(module), function)(settings)
    return shop


@dataclass(kw_only=True)
class Running:
    """A job that runs here."""

    key: str
    task: str
    """Dask's key of it."""
    stopped: bool = False
    said: str = ""
    """The last line that nobody was told yet."""
    told: float = 0.0
    stopping: threading.Lock = field(default_factory=threading.Lock)
    """Held while it is being stopped: it is over only when nothing of it is on its way out any more."""


@dataclass(kw_only=True)
class Floor:
    """The jobs that run in this worker, and the thread that looks after them."""

    shop: Shop
    worker: Any
    running: dict[str, Running] = field(default_factory=dict)
    closing: threading.Event = field(default_factory=threading.Event)
    """All that runs is to end."""
    over: threading.Event = field(default_factory=threading.Event)
    """Nothing runs, and nothing will."""
    say: Say = silent
    """Gets a line for people when a job is over."""

    def watch(self) -> None:
        """Ends what nobody wants, and passes last lines on, until all is over."""
        while not self.over.wait(LOOKS):
            for one in list(self.running.values()):
                # Whatever cannot be done now is tried again: without this thread nothing would ever be stopped.
                with suppress(Exception):
                    self._look_after(one)

    def _look_after(self, one: Running) -> None:
        self._pass_on(one)
        if self.closing.is_set() or self.worker.status.name in {"closing", "closed"} or self.unwanted(one):
            one.stopped = True
            with one.stopping:
                self.shop.stop(one.key)

    def unwanted(self, one: Running) -> bool:
        """Whether nobody waits for a job any more. While another client does, the scheduler keeps it."""
        task = self.worker.state.tasks.get(one.task)
        return task is None or task.state in UNWANTED

    def _pass_on(self, one: Running) -> None:
        now = time.monotonic()
        if one.said and now - one.told >= TELLS:
            text, one.said, one.told = one.said, "", now
            self.worker.log_event(TOPIC, line(one.key, text))

    @contextmanager
    def job(self, key: str, task: str) -> Iterator[Running]:
        """A job while it runs."""
        one = self.running[task] = Running(key=key, task=task)
        self.worker.log_event(TOPIC, started(key, str(self.worker.name)))
        try:
            yield one
        finally:
            with one.stopping:
                self.running.pop(task, None)

    def perform(self, key: str, title: str, task: str, text: str) -> str:
        """Does one job. Returns how it ended, as JSON; raises ``Reschedule`` where it was stopped."""
        began = time.monotonic()
        where = str(self.worker.name)
        with self.job(key, task) as one:
            try:
                ended: Done | Failed = self._done(one, text)
            except Exception as error:
                if one.stopped:
                    self.say(f"{title}: stopped")
                    # Where somebody wants it again by now, it begins anew.
                    raise Reschedule from error
                if not isinstance(error, LayerforgeError):
                    self.say(f"{title}: {type(error).__name__}: {error}")
                    raise
                ended = Failed(key=key, error=error)
        spent = time.monotonic() - began
        if isinstance(ended, Done):
            self.say(f"{title}: done in {duration(spent)}" + (f", {ended.note}" if ended.note else ""))
            return wire.of_done(Done(key=key, where=where, seconds=ended.seconds or spent, note=ended.note))
        self.say(f"{title}: {ended.error.message}")
        failed = Failed(key=key, error=ended.error, where=where, seconds=spent)
        return wire.of_failure(failed, passing=isinstance(ended.error, EngineError | StoreError | ClusterError))

    def _done(self, one: Running, text: str) -> Done:
        def tell(said: str) -> None:
            one.said = said

        return self.shop.perform(one.key, text, tell)


class WorkerFloor(WorkerPlugin):  # type: ignore[misc]
    """Makes the floor of a worker when it starts, and ends all jobs when it stops."""

    name = PLUGIN

    def __init__(self, shop: str, settings: str, say: Say = silent, *, owned: bool = False) -> None:
        """``owned`` by a process that hears of Ctrl-C and SIGTERM too, and will say what is to be done."""
        self.shop = shop
        self.settings = settings
        self.say = say
        self.owned = owned
        self.floor: Floor | None = None

    async def setup(self, worker: Worker) -> None:
        """Makes the shop; the worker joins the cluster only when it is there."""
        if self.owned:
            interrupts.ignore()
        shop = await asyncio.to_thread(made, self.shop, self.settings)
        self.floor = Floor(shop=shop, worker=worker, say=self.say)
        threading.Thread(target=self.floor.watch, name="layerforge-watch", daemon=True).start()

    async def teardown(self, worker: Worker) -> None:  # noqa: ARG002
        """Ends every job that runs, and waits for that, but not for ever."""
        floor = self.floor
        if floor is None:
            return
        floor.closing.set()
        end = time.monotonic() + LONGEST_END
        while floor.running and time.monotonic() < end:
            await asyncio.sleep(0.05)
        floor.over.set()
        await asyncio.to_thread(floor.shop.close)


def floor_of(worker: Any) -> Floor:
    """The floor of a worker. Raises ``ClusterError`` where it was not started by layerforge."""
    plugin = worker.plugins.get(PLUGIN)
    if plugin is None or plugin.floor is None:
        raise ClusterError(f"the worker {worker.name} does no jobs of layerforge", hint="start it: layerforge worker")
    floor: Floor = plugin.floor
    return floor


def run_job(key: str, title: str, text: str) -> str:
    """What is submitted: does a job in the worker that this runs in."""
    worker = get_worker()
    return floor_of(worker).perform(key, title, str(worker.get_current_task()), text)


def unended(keys: list[str], dask_worker: Any) -> Mapping[str, bool]:
    """By key, which of these jobs run in a worker, and whether somebody still wants them."""
    floor = floor_of(dask_worker)
    found = {one.key: one for one in list(floor.running.values()) if one.key in set(keys)}
    return {key: not floor.unwanted(one) for key, one in found.items()}
