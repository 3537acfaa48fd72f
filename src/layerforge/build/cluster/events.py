"""What workers tell while they work, to every client that listens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from layerforge.build.graph import Job, Result

TOPIC = "layerforge"
LONGEST_LINE = 500


class Watch(Protocol):
    """Somebody who is told how a run goes. All calls come from the thread that takes the results."""

    def started(self, job: Job, where: str) -> None:
        """A worker has begun a job; once more where it is begun again."""

    def line(self, job: Job, text: str) -> None:
        """What a job wrote last."""

    def ended(self, job: Job, result: Result) -> None:
        """A job is over."""

    def remaining(self, done: int, total: int, seconds: float | None) -> None:
        """How far it is, and how many seconds are left as far as anybody knows."""

    def say(self, text: str) -> None:
        """One line for people about the cluster itself."""


class Unwatched:
    """A watch that nobody looks at."""

    def started(self, job: Job, where: str) -> None:
        """Nothing."""

    def line(self, job: Job, text: str) -> None:
        """Nothing."""

    def ended(self, job: Job, result: Result) -> None:
        """Nothing."""

    def remaining(self, done: int, total: int, seconds: float | None) -> None:
        """Nothing."""

    def say(self, text: str) -> None:
        """Nothing."""


def started(key: str, where: str) -> Mapping[str, str]:
    """A worker has begun a job."""
    return {"key": key, "where": where}


def line(key: str, text: str) -> Mapping[str, str]:
    """A job has written a line."""
    return {"key": key, "line": text[:LONGEST_LINE]}


def pass_on(event: Any, jobs: Mapping[str, Job], watch: Watch) -> None:
    """Tells a watch what a worker told, where that is about one of its jobs."""
    told = event if isinstance(event, Mapping) else {}
    job = jobs.get(str(told.get("key", "")))
    if job is None:
        return
    if "where" in told:
        watch.started(job, str(told["where"]))
    if "line" in told:
        watch.line(job, str(told["line"]))
