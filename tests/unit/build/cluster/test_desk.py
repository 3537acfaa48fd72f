from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from layerforge.build.cluster.desk import Desk, desk
from layerforge.build.cluster.offers import Offer, Release
from layerforge.build.graph import Job
from layerforge.core.runtimes import Arch
from shops import a_job

RELEASE = Release(store="here")
SMALL = Offer(
    name="small", arch=Arch.X86_64, processors=2, memory=4 * 10**9, release=RELEASE, address="a", identity="small"
)
LARGE = replace(SMALL, name="large", processors=8, memory=16 * 10**9, address="b", identity="large")


def sent(made: Desk, *offers: Offer) -> dict[str, str]:
    return {job.key: offer.name for job, offer in made.assign(offers)}


def lasting(seconds: float, job: Job) -> Job:
    return replace(job, seconds=seconds)


def test_what_has_the_longest_way_to_the_end_goes_first() -> None:
    jobs = [lasting(5, a_job("short")), lasting(1, a_job("root")), lasting(9, a_job("leaf", "root"))]
    made = desk(jobs, RELEASE)
    assert list(sent(made, replace(SMALL, processors=1))) == ["root"]


def test_a_job_waits_for_all_that_it_needs() -> None:
    made = desk([a_job("a"), a_job("b"), a_job("c", "a", "b")], RELEASE)
    assert set(sent(made, LARGE)) == {"a", "b"}
    made.done("a")
    assert sent(made, LARGE) == {}
    made.done("b")
    assert set(sent(made, LARGE)) == {"c"}


def test_a_need_that_is_named_twice_makes_no_job_go_twice() -> None:
    made = desk([a_job("a"), a_job("b", "a", "a")], RELEASE)
    sent(made, LARGE)
    made.done("a")
    assert [job.key for job, _ in made.assign([LARGE])] == ["b"]
    assert made.failed("b") == []


def test_no_worker_gets_more_than_it_has() -> None:
    made = desk([a_job(f"j{n}", processors=2, memory=5 * 10**9) for n in range(9)], RELEASE)
    assert set(sent(made, SMALL, LARGE).values()) == {"large"}
    assert len(made.placed) == 3
    made.done(next(iter(made.placed)))
    assert len(sent(made, SMALL, LARGE)) == 1


def test_a_large_job_is_not_passed_over_for_ever_by_small_ones() -> None:
    jobs = [lasting(100, a_job("first")), lasting(50, a_job("wide", processors=8)), lasting(1, a_job("later"))]
    made = desk(jobs, RELEASE)
    assert set(sent(made, LARGE)) == {"first"}
    made.done("first")
    assert set(sent(made, LARGE)) == {"wide"}


def test_a_failure_takes_what_needs_it_with_it_and_nothing_else() -> None:
    made = desk([a_job("a"), a_job("b", "a"), a_job("c", "b"), a_job("d")], RELEASE)
    sent(made, LARGE)
    assert set(made.failed("a")) == {"b", "c"}
    assert set(made.jobs) == {"d"}


def test_a_job_goes_to_another_worker_than_the_one_that_failed_it_where_there_is_one() -> None:
    made = desk([a_job("a")], RELEASE)
    assert sent(made, SMALL, LARGE) == {"a": "large"}
    made.again("a", shunned="large")
    assert sent(made, SMALL, LARGE) == {"a": "small"}
    made.again("a", shunned="small")
    assert set(sent(made, SMALL, LARGE)) == {"a"}


def test_workers_of_another_release_get_nothing() -> None:
    made = desk([a_job("a")], RELEASE)
    assert sent(made, replace(LARGE, release=Release(store="elsewhere"))) == {}


def test_what_nobody_could_take_is_known_only_once_it_is_ready() -> None:
    made = desk([a_job("a"), a_job("fat", "a", memory=10**12)], RELEASE)
    assert made.unmet([LARGE]) == {}
    sent(made, LARGE)
    made.done("a")
    [(demand, why)] = made.unmet([LARGE]).items()
    assert "1000.0 GB" in why
    assert made.take(demand) == ["fat"]


def test_what_is_left_takes_as_long_as_its_work_and_at_least_as_its_longest_way() -> None:
    jobs = [lasting(10, a_job("a")), lasting(10, a_job("b", "a")), *(lasting(10, a_job(f"x{n}")) for n in range(6))]
    made = desk(jobs, RELEASE)
    assert made.remaining([LARGE]) == 20
    assert made.remaining([replace(LARGE, processors=2)]) == 40
    assert made.remaining([]) is None


@given(st.data())
def test_every_job_is_sent_once_and_in_order_and_no_worker_is_ever_too_full(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 25))
    jobs = [
        a_job(
            f"j{n}",
            *data.draw(st.sets(st.sampled_from([f"j{m}" for m in range(n)]), max_size=3) if n else st.just(set())),
            processors=data.draw(st.integers(1, 4)),
        )
        for n in range(count)
    ]
    made = desk(jobs, RELEASE)
    offers = [replace(SMALL, identity=f"w{n}", processors=4) for n in range(data.draw(st.integers(1, 3)))]
    done: list[str] = []
    running: dict[str, str] = {}
    while made.open:
        for job, offer in made.assign(offers):
            assert set(job.needs) <= set(done)
            assert job.key not in running
            running[job.key] = offer.identity
        for offer in offers:
            used = sum(made.jobs[key].demand.processors for key, worker in running.items() if worker == offer.identity)
            assert used <= offer.processors
        assert running
        key = data.draw(st.sampled_from(sorted(running)))
        running.pop(key)
        done.append(key)
        made.done(key)
    assert sorted(done) == sorted(job.key for job in jobs)
