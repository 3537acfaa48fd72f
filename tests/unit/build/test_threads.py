from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from layerforge.build.errors import EngineError
from layerforge.build.graph import Demand, Done, Failed, Job, Result, Skipped
from layerforge.build.threads import ThreadsRunner
from layerforge.core.errors import StepError
from layerforge.core.runtimes import Arch


def a_job(key: str, *needs: str, seconds: float = 10.0) -> Job:
    return Job(key=key, title=key, needs=needs, demand=Demand(arch=Arch.X86_64), seconds=seconds, task="")


@dataclass
class Work:
    """Does jobs, of which some fail and some run until they are stopped."""

    failing: frozenset[str] = frozenset()
    endless: frozenset[str] = frozenset()
    begun: list[str] = field(default_factory=list)
    started: threading.Event = field(default_factory=threading.Event)
    stopped: threading.Event = field(default_factory=threading.Event)
    stops: int = 0
    deaf: int = 0
    """How many attempts to stop it nothing comes of, as where a container is just about to start."""
    bug: Exception | None = None

    def perform(self, job: Job) -> Done:
        self.begun.append(job.key)
        if job.key in self.endless:
            self.started.set()
            assert self.stopped.wait(60)
            raise StepError(f"{job.key} was ended")
        if job.key in self.failing:
            assert not self.endless or self.started.wait(60)
            raise self.bug or StepError(f"{job.key} failed")
        return Done(key=job.key, note=job.title)

    def stop(self) -> None:
        self.stops += 1
        if self.stops <= self.deaf:
            raise EngineError("it does not answer")
        self.stopped.set()

    def runner(self, jobs: int = 1) -> ThreadsRunner:
        return ThreadsRunner(perform=self.perform, jobs=jobs, stop=self.stop)


def results(work: Work, jobs: Sequence[Job], at_once: int = 1, *, fail_fast: bool = False) -> dict[str, Result]:
    found = list(work.runner(at_once).run(jobs, fail_fast=fail_fast))
    assert len({one.key for one in found}) == len(found)
    return {one.key: one for one in found}


def test_what_has_the_longest_way_to_go_is_first_and_nothing_before_what_it_needs() -> None:
    jobs = [a_job("short"), a_job("end", "middle"), a_job("long", seconds=30), a_job("middle", "start"), a_job("start")]
    work = Work()
    assert set(results(work, jobs)) == {"short", "end", "long", "middle", "start"}
    assert work.begun == ["long", "start", "middle", "short", "end"]


def test_a_job_that_fails_skips_what_needs_it_and_the_others_go_on() -> None:
    jobs = [a_job("a"), a_job("b", "a"), a_job("c", "b"), a_job("x"), a_job("y", "x"), a_job("z", "x", "a")]
    work = Work(failing=frozenset({"a"}))
    found = results(work, jobs)
    failed = found["a"]
    assert isinstance(failed, Failed)
    assert failed.error.message == "a failed"
    assert {key for key, one in found.items() if isinstance(one, Done)} == {"x", "y"}
    assert [found[key] for key in "bcz"] == [Skipped(key=key, because="a") for key in "bcz"]
    assert work.begun == ["a", "x", "y"]
    assert work.stops == 0


def test_with_fail_fast_what_runs_is_ended_and_nothing_more_begins() -> None:
    work = Work(failing=frozenset({"a"}), endless=frozenset({"runs"}), deaf=2)
    found = results(
        work, [a_job("runs", seconds=99), a_job("a", seconds=50), a_job("b"), a_job("c", "b")], 2, fail_fast=True
    )
    assert isinstance(found["a"], Failed)
    assert {found[key] for key in ("runs", "b", "c")} == {Skipped(key=key, because="a") for key in ("runs", "b", "c")}
    assert work.stops > work.deaf
    assert work.begun == ["runs", "a"]


@pytest.mark.parametrize("leaving", [GeneratorExit, KeyboardInterrupt])
def test_whoever_leaves_early_ends_what_runs_before_that_returns(leaving: type[BaseException]) -> None:
    work = Work(endless=frozenset({"runs"}), deaf=1)
    running = work.runner(2).run([a_job("runs", seconds=99), a_job("a"), a_job("b", "a", "runs")])
    assert next(running).key == "a"
    assert not work.stopped.is_set()
    with pytest.raises(leaving):
        running.throw(leaving())  # type: ignore[attr-defined]
    assert work.stopped.is_set()
    assert work.begun == ["runs", "a"]


def test_an_error_that_nobody_foresaw_ends_all_and_is_raised() -> None:
    work = Work(failing=frozenset({"a"}), endless=frozenset({"runs"}), bug=ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError, match="a bug"):
        results(work, [a_job("runs", seconds=99), a_job("a")], 2)
    assert work.stopped.is_set()


@dataclass
class Meeting:
    """Jobs that end only together."""

    barrier: threading.Barrier

    def perform(self, job: Job) -> Done:
        self.barrier.wait(60)
        return Done(key=job.key)


def test_as_many_jobs_run_at_the_same_time_as_may() -> None:
    meeting = Meeting(threading.Barrier(3))
    runner = ThreadsRunner(perform=meeting.perform, jobs=3, stop=lambda: None)
    assert {one.key for one in runner.run([a_job(key) for key in "abc"])} == {"a", "b", "c"}


def test_no_more_jobs_run_at_the_same_time_than_may() -> None:
    lock, running, most = threading.Lock(), 0, 0

    def perform(job: Job) -> Done:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        with lock:
            running -= 1
        return Done(key=job.key)

    runner = ThreadsRunner(perform=perform, jobs=2, stop=lambda: None)
    assert len(list(runner.run([a_job(str(number)) for number in range(50)]))) == 50
    assert most <= 2


def test_no_jobs_are_no_results() -> None:
    unused: Callable[[Job], Done] = Work().perform
    assert list(ThreadsRunner(perform=unused, jobs=1, stop=lambda: None).run([])) == []
