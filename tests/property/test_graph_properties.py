"""Whatever the graph: each job once, after what it needs; what failed skips exactly what needs it."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from layerforge.build.graph import Demand, Done, Failed, Job, Skipped, in_order, longest_ways
from layerforge.build.threads import ThreadsRunner
from layerforge.core.errors import StepError
from layerforge.core.runtimes import Arch


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Job, ...]:
    """Jobs in any order, each needing some that were drawn before it."""
    size = draw(st.integers(0, 12))
    jobs = [
        Job(
            key=f"j{number}",
            title="",
            needs=tuple(
                f"j{need}" for need in sorted(draw(st.frozensets(st.integers(0, number - 1))) if number else ())
            ),
            demand=Demand(arch=Arch.X86_64),
            seconds=draw(st.sampled_from([0.0, 1.0, 100.0])),
            task="",
        )
        for number in range(size)
    ]
    return tuple(draw(st.permutations(jobs)))


def below(jobs: Mapping[str, Job], key: str) -> set[str]:
    """All that a job needs, and what that needs."""
    return {one for need in jobs[key].needs for one in (need, *below(jobs, need))}


@given(graphs(), st.frozensets(st.integers(0, 11)), st.integers(1, 4))
def test_each_job_has_one_result_and_what_failed_skips_exactly_what_needs_it(
    jobs: tuple[Job, ...], bad: frozenset[int], at_once: int
) -> None:
    by_key = {job.key: job for job in jobs}
    failing = {f"j{number}" for number in bad} & by_key.keys()
    begun: list[str] = []
    ended: set[str] = set()
    lock = threading.Lock()

    def perform(job: Job) -> Done:
        with lock:
            begun.append(job.key)
            assert set(job.needs) <= ended
        if job.key in failing:
            raise StepError(job.key)
        with lock:
            ended.add(job.key)
        return Done(key=job.key)

    results = list(ThreadsRunner(perform=perform, jobs=at_once, stop=lambda: None).run(jobs))
    assert sorted(one.key for one in results) == sorted(by_key)
    assert len(set(begun)) == len(begun)
    for one in results:
        lost = below(by_key, one.key) & failing
        match one:
            case Done():
                assert one.key not in failing
                assert not lost
            case Failed():
                assert one.key in failing
                assert not lost
            case Skipped():
                assert one.because in lost
                assert one.key not in begun


@given(graphs(), st.integers(0, 12), st.integers(1, 4))
def test_whoever_closes_the_results_has_nothing_left_that_runs(jobs: tuple[Job, ...], taken: int, at_once: int) -> None:
    running: set[str] = set()

    def perform(job: Job) -> Done:
        running.add(job.key)
        running.discard(job.key)
        return Done(key=job.key)

    results = ThreadsRunner(perform=perform, jobs=at_once, stop=lambda: None).run(jobs)
    got = [one.key for one, _ in zip(results, range(taken), strict=False)]
    results.close()  # type: ignore[attr-defined]
    assert len(set(got)) == len(got) == min(taken, len(jobs))
    assert not running


@given(graphs())
def test_a_way_is_as_long_as_the_longest_chain_of_what_waits(jobs: tuple[Job, ...]) -> None:
    ways = longest_ways(jobs, unknown=7.0)
    for job in jobs:
        after = [ways[one.key] for one in jobs if job.key in one.needs]
        assert ways[job.key] == (job.seconds or 7.0) + max(after, default=0.0)
    order = [job.key for job in in_order(jobs)]
    assert all(order.index(need) < order.index(job.key) for job in jobs for need in job.needs)
