"""Does jobs in threads of this machine."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass

from layerforge.build.errors import EngineError
from layerforge.build.graph import Done, Failed, Job, Result, Skipped, in_order, longest_ways
from layerforge.core import process
from layerforge.core.errors import LayerforgeError

_PATIENCE = 0.5
"""Seconds between two attempts to end what still runs."""


class Waiting:
    """The jobs that have not begun: which may begin, the one with the longest way to go first."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._left = {job.key: job for job in in_order(jobs)}
        self._needs = {key: set(job.needs) for key, job in self._left.items()}
        self._users: dict[str, list[str]] = {key: [] for key in self._left}
        for job in self._left.values():
            for need in job.needs:
                self._users[need].append(job.key)
        self._ways = longest_ways(jobs)
        self._ready: list[tuple[float, int, str]] = []
        self._order = {key: place for place, key in enumerate(self._left)}
        for key, needs in self._needs.items():
            if not needs:
                self._push(key)

    def __len__(self) -> int:
        return len(self._left)

    def _push(self, key: str) -> None:
        heapq.heappush(self._ready, (-self._ways[key], self._order[key], key))

    def next(self) -> Job | None:
        """A job that may begin, which no longer waits from now on; ``None`` where each of them needs another one."""
        while self._ready:
            job = self._left.pop(heapq.heappop(self._ready)[2], None)
            if job is not None:
                return job
        return None

    def done(self, key: str) -> None:
        """Has what needs a job wait for it no longer."""
        for user in self._users[key]:
            self._needs[user].discard(key)
            if not self._needs[user] and user in self._left:
                self._push(user)

    def lost(self, key: str) -> Iterator[str]:
        """The keys of all that needs a job, or needs what needs it; none of these waits from now on."""
        for user in self._users[key]:
            if self._left.pop(user, None):
                yield user
                yield from self.lost(user)

    def drop(self) -> list[str]:
        """The keys of all that waits; nothing does from now on."""
        keys = list(self._left)
        self._left.clear()
        return keys


@dataclass(frozen=True, kw_only=True)
class ThreadsRunner:
    """Does jobs here, ``jobs`` of them at a time."""

    perform: Callable[[Job], Done]
    """Does one, in whatever thread. Raises ``LayerforgeError`` where it fails; every other exception is a bug."""
    jobs: int
    stop: Callable[[], None]
    """Ends the containers that run, so that threads which wait for one come to an end."""

    def run(self, jobs: Sequence[Job], *, fail_fast: bool = False) -> Iterator[Result]:
        """See ``Runner``."""
        waiting = Waiting(jobs)
        running: dict[Future[Done | Failed], Job] = {}
        with ThreadPoolExecutor(max_workers=self.jobs) as pool:
            try:
                while waiting or running:
                    while len(running) < self.jobs and (job := waiting.next()):
                        running[pool.submit(self._one, job)] = job
                    finished, _ = wait(running, return_when=FIRST_COMPLETED)
                    results = [future.result() for future in finished]
                    for future in finished:
                        del running[future]
                    yield from results
                    failed = [result for result in results if isinstance(result, Failed)]
                    if fail_fast and failed:
                        self._end(pool, running)
                        left = [*(job.key for job in running.values()), *waiting.drop()]
                        yield from (Skipped(key=key, because=failed[0].key) for key in left)
                        return
                    for result in results:
                        yield from _after(result, waiting)
            except BaseException:
                self._end(pool, running)
                raise

    def _one(self, job: Job) -> Done | Failed:
        started = time.monotonic()
        try:
            return self.perform(job)
        except LayerforgeError as error:
            return Failed(key=job.key, error=error, seconds=time.monotonic() - started)

    def _end(self, pool: ThreadPoolExecutor, running: Iterable[Future[Done | Failed]]) -> None:
        """Ends what runs, containers and children, and waits for its threads."""
        pool.shutdown(wait=False, cancel_futures=True)
        # Again and again, since a thread may have been just about to start its container.
        while not all(future.done() for future in running):
            with suppress(EngineError):
                self.stop()
            process.stop_all()
            wait(running, timeout=_PATIENCE)


def _after(result: Result, waiting: Waiting) -> Iterator[Skipped]:
    """What does not begin since a job failed."""
    if isinstance(result, Done):
        waiting.done(result.key)
    else:
        yield from (Skipped(key=key, because=result.key) for key in waiting.lost(result.key))
