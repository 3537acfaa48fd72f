"""Jobs over two real worker processes of this machine."""

from __future__ import annotations

import os
import random
import signal
import ssl
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from distributed import Client

from layerforge.build.cluster.addresses import Remote
from layerforge.build.cluster.knock import knock
from layerforge.build.cluster.local import processes
from layerforge.build.cluster.offers import Offer, Release
from layerforge.build.cluster.runner import DaskRunner
from layerforge.build.cluster.worker import Making
from layerforge.build.errors import ClusterError, EngineError
from layerforge.build.graph import Done, Failed, Job, Result, Skipped
from layerforge.core.errors import StepError
from layerforge.core.runtimes import Arch
from shops import a_job, logged

RELEASE = Release(store="of a test")
OFFER = Offer(name="here", arch=Arch.X86_64, processors=2, memory=4 * 10**9, release=RELEASE)


@dataclass
class Seen:
    """A watch that keeps what it is told."""

    begun: list[tuple[str, str]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    left: list[tuple[int, int, float | None]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def started(self, job: Job, where: str) -> None:
        self.begun.append((job.key, where))

    def line(self, job: Job, text: str) -> None:
        self.lines.append(text)

    def ended(self, job: Job, result: Result) -> None:
        self.results.append(result)

    def remaining(self, done: int, total: int, seconds: float | None) -> None:
        self.left.append((done, total, seconds))

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shop")


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[Any]:
    with processes(2, OFFER, Making(shop="shops:folder_shop", settings=str(folder))) as made:
        yield made


@pytest.fixture
def runner(client: Any) -> DaskRunner:
    return DaskRunner(client=client, release=RELEASE, watch=Seen(), patience=2.0)


def results(runner: DaskRunner, jobs: list[Job], **how: bool) -> dict[str, Result]:
    found = list(runner.run(jobs, **how))
    assert len({one.key for one in found}) == len(found)
    return {one.key: one for one in found}


def watched(runner: DaskRunner) -> Seen:
    assert isinstance(runner.watch, Seen)
    return runner.watch


def until(happens: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(1200):
        if happens():
            return
        pause.wait(0.05)
    raise AssertionError("it did not come to that")


def test_each_job_is_done_once_and_after_those_that_it_needs(runner: DaskRunner, folder: Path) -> None:
    jobs = [a_job(f"once{n}", seconds=0.1) for n in range(9)]
    last = a_job("once-last", *[job.key for job in jobs])
    found = results(runner, [last, *jobs])
    assert all(isinstance(one, Done) for one in found.values())
    begun = [key for key in logged(folder, "begin") if key.startswith("once")]
    assert Counter(begun) == Counter(list(found))
    assert begun[-1] == "once-last"
    assert {one.where for one in found.values() if isinstance(one, Done)} == {"here-0", "here-1"}


def test_what_needs_a_failed_job_is_skipped_and_the_rest_goes_on(runner: DaskRunner, folder: Path) -> None:
    jobs = [a_job("bad", fails=True), a_job("next", "bad"), a_job("far", "next"), a_job("good", seconds=0.1)]
    found = results(runner, jobs)
    assert found["next"] == Skipped(key="next", because="bad")
    assert found["far"] == Skipped(key="far", because="bad")
    assert isinstance(found["good"], Done)
    failed = found["bad"]
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, StepError)
    assert (failed.error.hint, failed.error.details) == ("read the log", ("line 1", "line 2"))
    assert logged(folder, "begin").count("bad") == 1


def test_a_job_whose_engine_is_lost_is_done_again(runner: DaskRunner, folder: Path) -> None:
    assert isinstance(results(runner, [a_job("engine", engine=True)])["engine"], Done)
    assert logged(folder, "begin").count("engine") == 2
    assert any("is tried again" in line for line in watched(runner).said)


def test_a_client_that_comes_while_a_job_is_tried_again_joins_that_try(
    client: Any, runner: DaskRunner, folder: Path
) -> None:
    jobs = [a_job("again", engine=True, seconds=1.5)]
    late: list[Result] = []

    def come() -> None:
        until(lambda: logged(folder, "begin").count("again") == 2)
        with Client(client.scheduler.address, security=client.security, set_as_default=False) as other:
            late.extend(DaskRunner(client=other, release=RELEASE).run(jobs))

    thread = threading.Thread(target=come)
    thread.start()
    found = results(runner, jobs)
    thread.join()
    assert isinstance(found["again"], Done)
    assert [type(one) for one in late] == [Done]
    assert logged(folder, "begin").count("again") == 2


def test_with_fail_fast_what_runs_is_ended(runner: DaskRunner, folder: Path) -> None:
    jobs = [a_job("first-bad", fails=True, seconds=1.0), *(a_job(f"endless{n}", seconds=600) for n in range(5))]
    found = results(runner, jobs, fail_fast=True)
    assert all(found[f"endless{n}"] == Skipped(key=f"endless{n}", because="first-bad") for n in range(5))
    assert len([key for key in logged(folder, "stopped") if key.startswith("endless")]) == 3


def test_only_the_jobs_of_a_killed_worker_are_done_again(runner: DaskRunner, folder: Path) -> None:
    jobs = [a_job(f"kept{n}", seconds=0.3) for n in range(8)] + [a_job("deadly", dies=True)]
    jobs.append(a_job("all", *[job.key for job in jobs]))
    found = results(runner, jobs)
    assert all(isinstance(one, Done) for one in found.values())
    ended = [key for key in logged(folder, "end") if key in found]
    assert Counter(ended) == Counter(list(found))
    begun = Counter(key for key in logged(folder, "begin") if key in found)
    assert begun["deadly"] == 2
    assert sum(begun.values()) <= len(jobs) + 2


def test_a_job_that_no_worker_can_take_is_named_and_the_rest_goes_on(runner: DaskRunner) -> None:
    jobs = [
        a_job("graviton", arch=Arch.ARM64),
        a_job("graviton-next", "graviton"),
        a_job("fat", memory=8_600_000_000),
        a_job("plain"),
    ]
    found = results(runner, jobs)
    assert isinstance(found["plain"], Done)
    assert found["graviton-next"] == Skipped(key="graviton-next", because="graviton")
    said = {}
    for key in ("graviton", "fat"):
        failed = found[key]
        assert isinstance(failed, Failed)
        assert isinstance(failed.error, ClusterError)
        said[key] = failed.error.message
    assert said["graviton"] == "no worker can take the graviton: no worker is for arm64"
    assert said["fat"].endswith("it needs 8.6 GB of memory, the largest worker offers 4.0 GB")


def test_closing_the_results_ends_what_runs(runner: DaskRunner, folder: Path) -> None:
    # Of no processors, so that all are sent before the first result is waited for.
    jobs = [a_job("short", processors=0), *(a_job(key, processors=0, seconds=600) for key in ("closed", "closed2"))]
    found = runner.run(jobs)
    assert next(found).key == "short"
    until(lambda: {"closed", "closed2"} <= set(logged(folder, "begin")))
    found.close()  # type: ignore[attr-defined]
    assert {"closed", "closed2"} <= set(logged(folder, "stopped"))


def test_a_watch_is_told_where_jobs_run_and_what_they_say(runner: DaskRunner) -> None:
    results(runner, [a_job("told", seconds=1.5), a_job("told2", "told", seconds=0.2)])
    seen = watched(runner)
    assert [key for key, _ in seen.begun] == ["told", "told2"]
    assert "working on told" in seen.lines
    assert [one.key for one in seen.results] == ["told", "told2"]
    assert seen.left[-1] == (2, 2, 0.0)


def workers() -> list[psutil.Process]:
    """Dask's worker processes that live."""
    found = []
    for one in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it ended, or is a zombie that nobody has waited for yet
            if "spawn_main" in str(one.cmdline()):
                found.append(one)
    return found


def test_workers_that_die_at_any_time_make_nothing_wrong(client: Any, folder: Path) -> None:
    """Jobs with needs of every kind, while workers are killed and paused: each ends once, and nothing else happens."""
    chance = random.Random(13)
    jobs = [
        a_job(f"r{n}", *[f"r{chance.randrange(n)}" for _ in range(chance.randrange(3) if n > 9 else 0)], seconds=0.05)
        for n in range(150)
    ]
    over = threading.Event()

    def hurt() -> None:
        for _ in range(4):
            over.wait(chance.uniform(0.5, 1.5))
            found = workers()
            if found and not over.is_set():
                victim = chance.choice(found)
                with suppress(psutil.NoSuchProcess):
                    victim.kill() if chance.random() < 0.7 else victim.suspend()
                    over.wait(0.5)
                    victim.resume()

    thread = threading.Thread(target=hurt)
    thread.start()
    found = results(DaskRunner(client=client, release=RELEASE), jobs)
    over.set()
    thread.join()
    assert all(isinstance(one, Done) for one in found.values())
    ended = [key for key in logged(folder, "end") if key.startswith("r")]
    assert Counter(ended) == Counter(found.keys())


def test_workers_that_cannot_do_anything_say_why_and_are_gone(folder: Path) -> None:
    before = set(psutil.Process().children(recursive=True))
    making = Making(shop="shops:no_shop", settings="")
    with pytest.raises(EngineError, match="no container engine answers"), processes(1, OFFER, making):
        pass
    until(lambda: not [one for one in psutil.Process().children(recursive=True) if one not in before])


def test_nothing_is_left_of_workers_of_this_machine(tmp_path: Path) -> None:
    before = set(psutil.Process().children(recursive=True))
    with processes(2, OFFER, Making(shop="shops:folder_shop", settings=str(tmp_path))) as client:
        assert len(list(DaskRunner(client=client, release=RELEASE).run([a_job("a"), a_job("b")]))) == 2
        assert len(set(psutil.Process().children(recursive=True)) - before) >= 2
    until(lambda: not [one for one in psutil.Process().children(recursive=True) if one not in before])
    assert len((tmp_path / "log").read_text().split("closed")) == 3


def test_workers_of_this_machine_take_nobody_without_their_certificate(client: Any) -> None:
    addresses = [client.scheduler.address, *client.scheduler_info()["workers"]]
    for each in addresses:
        place = urlsplit(each)
        assert place.scheme == "tls"
        assert place.hostname
        assert place.port
        strange = ssl.create_default_context()
        strange.check_hostname, strange.verify_mode = False, ssl.CERT_NONE
        for context in (None, strange):
            with pytest.raises(ClusterError):
                knock(Remote(host=place.hostname, port=place.port, encrypted=context is not None), context)


def test_interrupted_while_workers_start_nothing_is_left_of_them(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(STARTED)
    argv = [sys.executable, str(script), str(tmp_path)]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
        of_run = psutil.Process(run.pid)
        until(lambda: run.poll() is not None or len(of_run.children(recursive=True)) >= 2)
        workers = of_run.children(recursive=True)
        run.send_signal(signal.SIGINT)
        assert run.stdout
        assert run.stdout.read() == "interrupted\nclosed\n"
        assert run.wait(60) == 0
    until(lambda: not any(one.is_running() for one in workers))


STARTED = """
import sys
import time
from pathlib import Path

from layerforge.build.cluster.local import processes
from layerforge.build.cluster.offers import Offer, Release
from layerforge.build.cluster.worker import Making
from layerforge.core.runtimes import Arch

if __name__ == "__main__":
    offer = Offer(name="here", arch=Arch.X86_64, processors=2, memory=4 * 10**9, release=Release(store="of a test"))
    try:
        with processes(2, offer, Making(shop="shops:slow_shop", settings=sys.argv[1])):
            time.sleep(60)
    except KeyboardInterrupt:
        print("interrupted")
        if (Path(sys.argv[1]) / "log").read_text().count("closed") == 2:
            print("closed")
"""
