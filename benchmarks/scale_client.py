"""One client of the simulation, as a process of its own, so that its memory and its processor time are its own.

    python benchmarks/scale_client.py ASKED.json

Writes what it found beside that file, as ``….result.json``.
"""

from __future__ import annotations

from layerforge.core import interrupts

if __name__ == "__main__":
    interrupts.leave_at_once()  # what is loaded from here on takes a second

import json
import logging
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from distributed import Client

from layerforge.build.cluster import start
from layerforge.build.cluster.addresses import remote
from layerforge.build.cluster.connect import connected
from layerforge.build.cluster.events import Unwatched
from layerforge.build.cluster.local import processes
from layerforge.build.cluster.offers import Offer, Release
from layerforge.build.cluster.runner import PATIENCE, DaskRunner
from layerforge.build.cluster.worker import Making
from layerforge.build.graph import Failed, Job, Result
from layerforge.core.errors import LayerforgeError
from layerforge.core.runtimes import Arch
from layerforge.core.store.lenient import LenientStore
from scale_graph import graph
from scale_shop import KIND, SHOP, Setting, Silent
from scale_shop import opened as opened_store

RELEASE = Release(store="simulated")
OFFER = Offer(name="here", arch=Arch.X86_64, processors=1, memory=10**9, release=RELEASE)
"""One job at a time."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a client is to do."""

    work: float
    """Seconds of all jobs together."""
    layers: int
    salt: str
    setting: Setting
    workers: int = 0
    """Processes that it starts itself; 0 where it joins a scheduler."""
    address: str = ""
    patience: float = PATIENCE

    @property
    def text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, kw_only=True)
class Ran:
    """How a run went."""

    outcomes: dict[str, int]
    errors: tuple[str, ...]
    wall: float
    cpu: float
    """Seconds of this process, in which the scheduler runs too where it started the workers."""
    peak: int
    """Bytes."""
    idle: int
    """Bytes that it took at most before it began."""
    ended: str = ""
    """What ended it before its time."""


def asked(text: str) -> Asked:
    """What a text asks for."""
    facts = json.loads(text)
    return Asked(**{**facts, "setting": Setting(**facts["setting"])})


@contextmanager
def opened(one: Asked) -> Iterator[Client]:
    """The cluster that a client is to use."""
    if not one.workers:
        with connected(remote(one.address), None, Unwatched()) as client:
            yield client
        return
    with processes(one.workers, OFFER, Making(shop=SHOP, settings=one.setting.text)) as client:
        client.wait_for_workers(one.workers)
        _note_deaths(Path(one.setting.folder) / "nannies.log")
        yield client


def _note_deaths(file: Path) -> None:
    """Has a file tell which workers ended, and how: nothing else says of one that was started again."""
    nannies = logging.getLogger("distributed.nanny")
    nannies.addHandler(logging.FileHandler(file))
    nannies.setLevel(logging.INFO)


def run(one: Asked) -> Ran:
    """Runs all jobs, and measures it."""
    results: list[Result] = []
    ended = ""
    idle, wall, cpu = 0, 0.0, 0.0
    try:
        jobs = lacking(one)
        with opened(one) as client:
            idle = peak()
            wall, cpu = time.perf_counter(), time.process_time()
            # What was done by the time of an error counts all the same.
            results.extend(DaskRunner(client=client, release=release(one), patience=one.patience).run(jobs))
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    except LayerforgeError as error:
        ended = str(error)
    except KeyboardInterrupt:
        ended = "interrupted"
    return Ran(
        outcomes=dict(Counter(type(one).__name__ for one in results)),
        errors=tuple(str(one.error) for one in results if isinstance(one, Failed))[:20],
        wall=wall,
        cpu=cpu,
        peak=peak(),
        idle=idle,
        ended=ended,
    )


def release(one: Asked) -> Release:
    """What the workers have to be of."""
    return RELEASE if one.workers else start.release("", Path(one.setting.folder) / "cache")


def lacking(one: Asked) -> list[Job]:
    """The jobs whose values the store has not, as a build takes the others out of its plan before it begins."""
    made = graph(one.work, one.layers, one.salt).jobs
    if one.workers:
        return list(made)
    store = LenientStore(store=opened_store(one.setting), progress=Silent())
    wanted = {job.key: job for job in made if not store.holds(KIND, job.key)}
    return [replace(job, needs=tuple(need for need in job.needs if need in wanted)) for job in wanted.values()]


def peak() -> int:
    """The most memory that this process has had so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(file: Path) -> None:
    """Does what a file asks for."""
    interrupts.raise_once(lambda: None)
    found = run(asked(file.read_text()))
    partial = file.with_suffix(".part")
    partial.write_text(json.dumps(asdict(found)))
    partial.replace(file.with_suffix(".result.json"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
