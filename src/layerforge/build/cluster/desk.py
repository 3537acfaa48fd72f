"""Which job goes where next.

Dask binds a job to a worker once all that it needs is done, by what a worker has, not by what is free there, and a
worker that joins later gets none of them. A job may take an hour, so each is sent when a worker has room for it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from layerforge.build.cluster.offers import Amounts, Offer, Release, covers, demanded, missing, offered
from layerforge.build.graph import Demand, Job, longest_ways

DEFAULT_SECONDS = 60.0
"""How long a job is taken to last where nobody knows."""


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A job that was sent to a worker."""

    job: Job
    worker: str
    """Identity of the worker."""


@dataclass(kw_only=True)
class Desk:
    """The jobs of a run that are not done, and where they are."""

    release: Release
    jobs: dict[str, Job]
    ways: Mapping[str, float]
    needs: dict[str, set[str]]
    """By key, what a job still waits for."""
    after: dict[str, list[str]]
    """By key, what waits for a job."""
    ready: dict[Demand, list[tuple[float, int, str]]] = field(default_factory=dict)
    """Heaps: the longest way first, then the order of the call."""
    placed: dict[str, Placed] = field(default_factory=dict)
    shunned: dict[str, set[str]] = field(default_factory=dict)
    """By key, identities of workers whose machine failed it."""
    _numbers: dict[str, int] = field(default_factory=dict)

    @property
    def open(self) -> bool:
        """Whether anything is left to do."""
        return bool(self.jobs)

    def ahead(self, key: str) -> None:
        """A job waits for nothing any more but a worker."""
        entry = (-self.ways[key], self._numbers.setdefault(key, len(self._numbers)), key)
        heapq.heappush(self.ready.setdefault(self.jobs[key].demand, []), entry)

    def done(self, key: str) -> None:
        """A job is done; what waited for it alone is ready."""
        self.jobs.pop(key)
        self.placed.pop(key, None)
        for waiting in self.after.get(key, ()):
            if waiting in self.jobs:
                self.needs[waiting].discard(key)
                if not self.needs[waiting]:
                    self.ahead(waiting)

    def failed(self, key: str) -> list[str]:
        """A job came to nothing. Returns what waits for it, however far away, and is not to be begun."""
        self.jobs.pop(key)
        self.placed.pop(key, None)
        dropped: list[str] = []
        pending = list(self.after.get(key, ()))
        while pending:
            one = pending.pop()
            if self.jobs.pop(one, None) is not None:
                dropped.append(one)
                pending += self.after.get(one, ())
        return dropped

    def again(self, key: str, shunned: str = "") -> None:
        """A job that was sent is to be done once more, and not by the worker that is ``shunned`` if another can."""
        self.placed.pop(key, None)
        if shunned:
            self.shunned.setdefault(key, set()).add(shunned)
        self.ahead(key)

    def assign(self, offers: Sequence[Offer]) -> Iterator[tuple[Job, Offer]]:
        """Jobs that are ready, each with a worker that has room for it now."""
        rooms = Rooms.of([offer for offer in offers if offer.release == self.release], self)
        heaps = [heap for heap in self.ready.values() if heap]
        while heaps:
            heap = min(heaps, key=lambda one: one[0])
            key = heap[0][2]
            found = rooms.take(self.jobs[key].demand, self.shunned.get(key, set())) if key in self.jobs else None
            if key not in self.jobs or found is not None:
                heapq.heappop(heap)
            if found is not None:
                self.placed[key] = Placed(job=self.jobs[key], worker=found.identity)
                yield self.jobs[key], found
            if not heap or (found is None and key in self.jobs):
                heaps.remove(heap)

    def unmet(self, offers: Sequence[Offer]) -> dict[Demand, str]:
        """Demands of jobs that are ready which no worker could ever meet, each with why."""
        found = {demand: missing(demand, offers, self.release) for demand, heap in self.ready.items() if heap}
        return {demand: why for demand, why in found.items() if why}

    def take(self, demand: Demand) -> list[str]:
        """Takes the jobs off that are ready and have this demand."""
        return [key for _, _, key in self.ready.pop(demand, []) if key in self.jobs]

    def remaining(self, offers: Sequence[Offer]) -> float | None:
        """Seconds until all is done, as far as anybody knows; ``None`` without workers."""
        processors = sum(offer.processors for offer in offers)
        if not processors:
            return None
        work = sum((job.seconds or DEFAULT_SECONDS) * max(1, job.demand.processors) for job in self.jobs.values())
        return max(work / processors, max((self.ways[key] for key in self.jobs), default=0.0))


def desk(jobs: Sequence[Job], release: Release) -> Desk:
    """A desk with all jobs of a run. What jobs need that are none of them is there already."""
    known = {job.key: job for job in jobs}
    after: dict[str, list[str]] = {}
    for job in known.values():
        for need in set(job.needs):
            after.setdefault(need, []).append(job.key)
    needs = {key: {need for need in job.needs if need in known} for key, job in known.items()}
    made = Desk(release=release, jobs=known, ways=longest_ways(jobs, DEFAULT_SECONDS), needs=needs, after=after)
    for key in known:
        if not needs[key]:
            made.ahead(key)
    return made


@dataclass(kw_only=True)
class Rooms:
    """What is free on each worker."""

    release: Release
    offers: list[Offer]
    free: dict[str, dict[str, float]]
    held: set[str] = field(default_factory=set)
    """Workers kept for a job that needs more than is free anywhere; else smaller ones would always come first."""

    @classmethod
    def of(cls, offers: list[Offer], of: Desk) -> Rooms:
        """What the jobs that were sent leave of the workers' offers."""
        free = {offer.identity: dict(offered(offer)) for offer in offers}
        made = cls(release=of.release, offers=offers, free=free)
        for placed in of.placed.values():
            if placed.worker in free:
                made._use(placed.worker, demanded(placed.job.demand, of.release))
        return made

    def take(self, demand: Demand, shunned: set[str]) -> Offer | None:
        """The worker with the most processors free of those that have room; ``None`` where none has."""
        needs = demanded(demand, self.release)
        free = [one for one in self.offers if one.identity not in self.held and covers(self.free[one.identity], needs)]
        fitting = [one for one in free if one.identity not in shunned]
        if not fitting:
            able = [offer for offer in self.offers if covers(offered(offer), needs)]
            chosen = [offer for offer in able if offer.identity not in shunned]
            if chosen or not free:
                self._hold(chosen or able)
                return None
            fitting = free
        best = max(fitting, key=self._cpu)
        self._use(best.identity, needs)
        return best

    def _hold(self, able: list[Offer]) -> None:
        """Keeps the one with the most processors free of those that could take a job, until they all are."""
        if able:
            self.held.add(max(able, key=self._cpu).identity)

    def _cpu(self, offer: Offer) -> float:
        return self.free[offer.identity]["cpu"]

    def _use(self, worker: str, needs: Amounts) -> None:
        for name, amount in needs.items():
            self.free[worker][name] = self.free[worker].get(name, 0.0) - amount
