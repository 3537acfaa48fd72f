"""What a call has to do for all its layers, as one graph of jobs that are data; and what runs it, as a Protocol."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Protocol

from layerforge.core.errors import LayerforgeError
from layerforge.core.runtimes import Arch


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What a machine has to have so that a job can be done there."""

    arch: Arch
    image: str = ""
    """Identity of the build image; empty where any will do."""
    processors: int = 1
    memory: int = 0
    """Bytes."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A source step to carry out, or a layer to make of what steps have made. The same key is the same result."""

    key: str
    title: str
    """For people: ``openblas 0.3.30``, ``scikit-learn-py313-x86_64``."""
    needs: tuple[str, ...] = ()
    """Keys of the jobs of this graph whose results it takes from the store."""
    demand: Demand
    seconds: float = 0.0
    """How long it is expected to take; 0 where nobody knows."""
    task: str
    """What is to be done, as JSON. Whoever does it needs nothing else but the store."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """A job whose result the store has."""

    key: str
    where: str = ""
    """The machine that did it; empty for this one."""
    seconds: float = 0.0
    note: str = ""
    """For people: ``15.5 MB``, ``from the store, 15.5 MB``."""


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A job that came to nothing."""

    key: str
    error: LayerforgeError
    where: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """A job that was not begun, since one that it needs failed."""

    key: str
    because: str
    """Key of the job that failed."""


Result = Done | Failed | Skipped


class Runner(Protocol):
    """Something that does jobs: threads of this machine, or a cluster."""

    def run(self, jobs: Sequence[Job], *, fail_fast: bool = False) -> Iterator[Result]:
        """The result of each job, once, as it comes; a job begins when those that it needs are done.

        What needs a job that failed is skipped, and with ``fail_fast`` so is everything that has not ended by then.
        Whoever closes the iterator, or interrupts it, ends what runs, with its containers, before that returns.
        """


def in_order(jobs: Sequence[Job]) -> list[Job]:
    """Jobs so that each comes after those that it needs."""
    by_key = {job.key: job for job in jobs}
    return [by_key[key] for key in TopologicalSorter({job.key: job.needs for job in jobs}).static_order()]


def longest_ways(jobs: Sequence[Job], unknown: float = 60.0) -> Mapping[str, float]:
    """By key, the seconds from a job's start to the end of all that waits for it, on as many machines as one likes.

    What has the longest way to go is begun first. ``unknown``: seconds of a job that nobody knows the time of.
    """
    ways: dict[str, float] = {}
    after: dict[str, float] = {}
    for job in reversed(in_order(jobs)):
        ways[job.key] = (job.seconds or unknown) + after.get(job.key, 0.0)
        for need in job.needs:
            after[need] = max(after.get(need, 0.0), ways[job.key])
    return ways
