"""Runs jobs on a Dask cluster: each is sent by key when a worker has room for it, and tells how it ended."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from distributed import Client, Future, as_completed

from layerforge.build.cluster import wire
from layerforge.build.cluster.desk import Desk, desk
from layerforge.build.cluster.eager import eager
from layerforge.build.cluster.events import TOPIC, Unwatched, Watch, pass_on
from layerforge.build.cluster.offers import Offer, Release, demanded
from layerforge.build.cluster.roll import Roll, lost
from layerforge.build.cluster.working import run_job, unended
from layerforge.build.errors import ClusterError
from layerforge.build.graph import Demand, Done, Failed, Job, Result, Skipped
from layerforge.core import guarded
from layerforge.core.errors import LayerforgeError
from layerforge.core.text import counted, duration

PATIENCE = 60.0
"""Seconds for which a job waits for a worker that could take it."""

TRIES = 3
"""How often a job is done whose machine fails it."""

LOSSES = 10
"""Workers that a job may lose before it is taken for what ends them."""

ENDING = 30.0
"""Seconds that an interrupted run waits for the containers of its jobs to end."""

SETTLED = 5.0
"""Seconds after which what still looks wanted is: just after it was let go of, every job does."""

_TICK = 0.1
_TOLD_EVERY = 2.0


@dataclass(frozen=True, kw_only=True)
class DaskRunner:
    """A ``Runner`` on the cluster that a client is connected to."""

    client: Client
    release: Release
    watch: Watch = field(default_factory=Unwatched)
    patience: float = PATIENCE
    """Seconds for which a job waits for a worker that could take it."""

    def run(self, jobs: Sequence[Job], *, fail_fast: bool = False) -> Iterator[Result]:
        """The result of each job, as it comes; see ``Runner``. Raises ``ClusterError`` where the scheduler is lost."""
        if not jobs:
            return
        with Roll(client=self.client) as roll:
            run = _Run(runner=self, roll=roll, desk=desk(jobs, self.release), total=len(jobs), fail_fast=fail_fast)
            try:
                yield from eager(run.results(), run.ending.set)
            finally:
                run.end()


@dataclass(kw_only=True)
class _Sent:
    """A job that a worker has."""

    future: Future
    worker: str
    """Identity of the worker that it was sent to. Another has it where another client was first."""
    seen: int
    """The last look at which a worker had it, or after which it was sent."""


@dataclass(kw_only=True)
class _Run:
    runner: DaskRunner
    roll: Roll
    desk: Desk
    total: int
    fail_fast: bool
    sent: dict[str, _Sent] = field(default_factory=dict)
    sendings: dict[str, int] = field(default_factory=dict)
    former: dict[str, list[Future]] = field(default_factory=dict)
    """By key, what was sent for a job before, as long as it is not done. Another client that comes by then learns from
    these how it went, and joins what was sent last instead of beginning the job beside it."""
    tries: dict[str, int] = field(default_factory=dict)
    losses: dict[str, int] = field(default_factory=dict)
    unmet: dict[Demand, float] = field(default_factory=dict)
    """Since when nobody could take jobs of a demand."""
    offers: Sequence[Offer] = ()
    moved: bool = True
    told: float = 0.0
    warned: set[str] = field(default_factory=set)
    events: deque[Any] = field(default_factory=deque)
    ending: threading.Event = field(default_factory=threading.Event)
    """Set once nobody takes results any more."""
    jobs: dict[str, Job] = field(init=False)
    completed: Any = field(init=False)

    def __post_init__(self) -> None:
        self.jobs = dict(self.desk.jobs)
        self.completed = as_completed(loop=self.runner.client.loop, with_results=True, raise_errors=False)

    def results(self) -> Iterator[Result]:
        """Sends and receives until nothing is left."""
        self.runner.client.subscribe_topic(TOPIC, lambda event: self.events.append(event[1]))
        while self.desk.open and not self.ending.is_set():
            self.roll.refuse_lost()
            offers = self.roll.offers
            # Where nothing has ended since, and nobody has come or gone, nothing can be sent.
            if self.moved or offers is not self.offers:
                self.moved, self.offers = False, offers
                yield from self._told(self._lost())
                yield from self._told(self._hopeless(offers))
                self._send(offers)
            yield from self._told(self._received())
            self._tell(offers)
        self._tell(self.roll.offers, now=True)

    def _told(self, results: Iterator[Result]) -> Iterator[Result]:
        """Results that the watch knows of; after the first failure of a run that ends with it, all others' too."""
        for result in results:
            self.runner.watch.ended(self.jobs[result.key], result)
            yield result
            if self.fail_fast and isinstance(result, Failed):
                yield from self._told(self._skip_all(result.key))

    def _send(self, offers: Sequence[Offer]) -> None:
        for job, offer in self.desk.assign(offers):
            sendings = self.sendings[job.key] = self.sendings.get(job.key, 0) + 1
            future = self.runner.client.submit(
                run_job,
                job.key,
                job.title,
                job.task,
                # Another client may still hold how it went before.
                key=f"lf-{job.key}" + (f"-{sendings}" if sendings > 1 else ""),
                pure=True,
                workers=[offer.address],
                resources=dict(demanded(job.demand, self.runner.release)),
                priority=round(self.desk.ways[job.key]),
            )
            self.sent[job.key] = _Sent(future=future, worker=offer.identity, seen=self.roll.looks)
            self.completed.add(future)

    def _received(self) -> Iterator[Result]:
        """What has ended; waits a moment where nothing has."""
        if not self.completed.has_ready():
            with self.completed.thread_condition:
                self.completed.thread_condition.wait(_TICK)
        for future, result in self.completed.next_batch(block=False):
            key = next((key for key, one in self.sent.items() if one.future is future), None)
            if key is not None:
                yield from self._settled(key, future, result)

    def _settled(self, key: str, future: Future, result: Any) -> Iterator[Result]:
        self.moved = True
        worker = self.sent.pop(key).worker
        self.former.setdefault(key, []).append(future)
        status = future.status
        if status == "cancelled":
            self.roll.refuse_lost()
            raise lost(self.runner.client.scheduler.address)
        if status == "error":
            yield from self._failed(Failed(key=key, error=_unexpected(self.jobs[key], result[1])))
            return
        ended, passing = _ended(key, result)
        self.tries[key] = self.tries.get(key, 0) + 1
        if isinstance(ended, Done):
            self.desk.done(key)
            self._let_go(key)
            yield ended
        elif passing and self.tries[key] < TRIES:
            self.desk.again(key, shunned=worker)
            self.runner.watch.say(f"{self.jobs[key].title} is tried again: {ended.error.message} ({ended.where})")
        else:
            yield from self._failed(ended)

    def _failed(self, failed: Failed) -> Iterator[Result]:
        dropped = self.desk.failed(failed.key)
        self._let_go(failed.key)
        yield failed
        yield from (Skipped(key=key, because=failed.key) for key in dropped)

    def _let_go(self, key: str) -> None:
        """A job is over: nothing that was sent for it is wanted any more."""
        for future in self.former.pop(key, ()):
            future.release()

    def _skip_all(self, because: str) -> Iterator[Result]:
        left = list(self.desk.jobs)
        self.end()
        self.desk.jobs.clear()
        self.desk.placed.clear()
        yield from (Skipped(key=key, because=because) for key in left)

    def _lost(self) -> Iterator[Result]:
        """Sends elsewhere what no worker has any more, though it has not ended."""
        looks, processing = self.roll.looks, self.roll.processing
        for key, one in list(self.sent.items()):
            if one.future.key in processing or one.future.done():
                one.seen = looks
            # The next look may have begun before it was sent.
            elif looks - one.seen >= 2:
                self.former.setdefault(key, []).append(self.sent.pop(key).future)
                times = self.losses[key] = self.losses.get(key, 0) + 1
                if times >= LOSSES:
                    yield from self._failed(Failed(key=key, error=_deadly(self.jobs[key], times)))
                else:
                    self.runner.watch.say(f"{self.jobs[key].title} begins anew: its worker is lost")
                    self.desk.again(key)

    def _hopeless(self, offers: Sequence[Offer]) -> Iterator[Result]:
        """Fails what no worker could take for too long."""
        unmet, now = self.desk.unmet(offers), time.monotonic()
        self.unmet = {demand: self.unmet.get(demand, now) for demand in unmet}
        for demand, since in list(self.unmet.items()):
            if now - since >= self.runner.patience:
                for key in self.desk.take(demand):
                    error = _untaken(self.jobs[key], unmet[demand], self.runner.patience)
                    yield from self._failed(Failed(key=key, error=error))

    def _tell(self, offers: Sequence[Offer], *, now: bool = False) -> None:
        while self.events:
            pass_on(self.events.popleft(), self.desk.jobs, self.runner.watch)
        if now or time.monotonic() - self.told >= _TOLD_EVERY:
            for line in set(_strangers(offers, self.roll.foreign, self.runner.release)) - self.warned:
                self.warned.add(line)
                self.runner.watch.say(line)
            self.told = time.monotonic()
            ours = [offer for offer in offers if offer.release == self.runner.release]
            left = len(self.desk.jobs)
            self.runner.watch.remaining(self.total - left, self.total, self.desk.remaining(ours))

    def end(self) -> None:
        """Lets go of every job that was sent, and waits until those that nobody else wants have ended."""
        keys = list(self.sent)
        for key in keys:
            self.former.setdefault(key, []).append(self.sent.pop(key).future)
        for key in list(self.former):
            self._let_go(key)
        if keys and self.runner.client.status == "running":
            waiting = threading.Thread(target=_until_ended, args=(self.runner.client, keys), daemon=True)
            waiting.start()
            waiting.join(ENDING)


def _until_ended(client: Client, keys: list[str]) -> None:
    """Waits until no worker runs these jobs, but for those that another client wants."""
    end, settled = time.monotonic() + ENDING, time.monotonic() + SETTLED
    # A scheduler that is lost ends its workers.
    while time.monotonic() < end and client.status == "running":
        if _over(client, keys, settled=time.monotonic() > settled):
            return
        time.sleep(0.2)


def _over(client: Client, keys: list[str], *, settled: bool) -> bool:
    """Whether nothing of these jobs runs; what is wanted does not count where it is ``settled`` that it is."""
    try:
        told = client.run(unended, keys, on_error="return").values()
    except Exception:  # whatever it is, nothing is known
        return False
    if any(isinstance(one, Exception) and not isinstance(one, ClusterError) for one in told):
        return False
    wanted = [each for one in told if isinstance(one, Mapping) for each in one.values()]
    return not wanted or (settled and all(wanted))


def _ended(key: str, text: Any) -> tuple[Done | Failed, bool]:
    try:
        return wire.ended(str(text))
    except guarded.Unreadable as error:
        raise ClusterError(
            f"a worker's answer on {key} cannot be read: {error}", hint="is it of this release?"
        ) from error


def _unexpected(job: Job, error: BaseException) -> LayerforgeError:
    """What it means that a worker raised what no job should."""
    return ClusterError(
        f"{job.title} failed on its worker: {type(error).__name__}: {error}",
        hint="this is a mistake in layerforge, or a worker with other packages; the worker's own output says more",
    )


def _deadly(job: Job, times: int) -> ClusterError:
    return ClusterError(
        f"{job.title} lost {counted(times, 'worker')}: each ended while it did the job",
        hint="it may take more memory than the machines have; the kernel's log of one of them says so",
    )


def _untaken(job: Job, why: str, patience: float) -> ClusterError:
    return ClusterError(
        f"no worker can take {job.title}: {why}",
        hint=f"start one that can with `layerforge worker`; it was waited for {duration(patience)}",
    )


def _strangers(offers: Sequence[Offer], foreign: Sequence[str], release: Release) -> Iterator[str]:
    for name in foreign:
        yield f"the worker {name} is not used: it was not started with `layerforge worker`"
    for offer in offers:
        if offer.release.said != release.said:
            yield f"the worker {offer.name} is not used: it is of {offer.release.said}, this is {release.said}"
        elif offer.release != release:
            yield f"the worker {offer.name} is not used: it uses another store, {offer.release.store or 'its own'}"
