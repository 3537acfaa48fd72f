"""How the jobs of a cluster go, for people: a line for each that is over, and a live one of what runs."""

from __future__ import annotations

import time
from typing import assert_never

from layerforge.build.graph import Done, Failed, Job, Result, Skipped
from layerforge.core.progress import Progress, Step
from layerforge.core.text import counted, duration

EVERY = 0.5
"""Seconds between two changes of the live line."""


class ClusterView:
    """Shows a run; a ``Watch`` of ``build/cluster``. ``step`` is the one that is open while it goes on."""

    def __init__(self, progress: Progress, step: Step) -> None:
        self._progress = progress
        self._step = step
        self._began = time.monotonic()
        self._shown = 0.0
        self._where: dict[str, str] = {}
        self._workers: set[str] = set()
        self._done = 0
        self._last = ""
        self._share = ""
        self._expected: float | None = None

    @property
    def summary(self) -> str:
        """What was done where: ``12 jobs on 3 workers``."""
        return f"{counted(self._done, 'job')} on {counted(len(self._workers), 'worker')}"

    def started(self, job: Job, where: str) -> None:
        """Counts it among what runs."""
        self._where[job.key] = where
        self._tell(f"{job.title} on {where}")

    def line(self, job: Job, text: str) -> None:
        """Shows it until another comes."""
        self._tell(f"{job.title}: {text}")

    def ended(self, job: Job, result: Result) -> None:
        """One line, of what and where and how."""
        self._where.pop(job.key, None)
        match result:
            case Done():
                self._done += 1
                self._workers |= {result.where} - {""}
                where = f" on {result.where}" if result.where else ""
                note = f", {result.note}" if result.note else ""
                self._progress.say(f"{job.title}{where} in {duration(result.seconds)}{note}")
            case Failed():
                self._progress.warn(f"{job.title} failed: {result.error.message}")
            case Skipped():
                self._progress.aside(f"{job.title} is left out: it needs what failed")
            case _:
                assert_never(result)

    def remaining(self, done: int, total: int, seconds: float | None) -> None:
        """Shows how far it is."""
        left = f", about {duration(seconds)} left" if seconds else ""
        self._share = f"{done:,} of {counted(total, 'job')}{left}"
        self._expected = None if seconds is None else time.monotonic() - self._began + seconds
        self._tell(self._last)

    def say(self, text: str) -> None:
        """A line that asks for attention."""
        self._progress.warn(text)

    def _tell(self, text: str) -> None:
        self._last = text
        now = time.monotonic()
        if now - self._shown >= EVERY:
            self._shown = now
            running = f"{len(self._where):,} running" if self._where else ""
            self._step.live(" · ".join(filter(None, (self._share, running, text[:60]))), self._expected)
