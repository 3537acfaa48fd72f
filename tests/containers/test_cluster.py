"""Jobs of a cluster in real containers: cancelled, killed and interrupted, none of them stays behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from layerforge.build.cluster import start
from layerforge.build.cluster.certificates import certificate_file, key_file, make
from layerforge.build.cluster.events import Unwatched
from layerforge.build.cluster.worker import Making
from layerforge.build.graph import Done, Failed, Job, Runner
from shops import a_job, logged

TESTS = Path(__file__).parents[1]
PROGRAMS = Path(sys.executable).parent
LOCAL = """
import sys
from pathlib import Path
from layerforge.build.cluster import start
from layerforge.build.cluster.events import Unwatched
from layerforge.build.cluster.worker import Making
from layerforge.core import interrupts
from shops import a_job

if __name__ == "__main__":
    interrupts.raise_once(lambda: None)
    folder, settings = Path(sys.argv[1]), sys.argv[2]
    making = Making(shop="container_shops:container_shop", settings=settings)
    release = start.release("", folder)
    try:
        with start.runner_for("local:2", release=release, watch=Unwatched(), making=making) as runner:
            jobs = [a_job(f"long{n}", processors=0, script="echo on the way; sleep 600") for n in range(2)]
            list(runner.run(jobs))
    except KeyboardInterrupt:
        sys.exit(130)
"""


def until(happens: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(600):
        if happens():
            return
        pause.wait(0.1)
    raise AssertionError("it did not come to that")


def containers(key: str) -> list[str]:
    argv = ["docker", "ps", "--all", "--quiet", "--filter", f"label=layerforge.job={key}"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()


@pytest.fixture
def settings(standin: str, tmp_path: Path) -> str:
    return json.dumps([standin, str(tmp_path)])


@pytest.fixture
def runner(settings: str, tmp_path: Path) -> Iterator[Runner]:
    making = Making(shop="container_shops:container_shop", settings=settings)
    release = start.release("", tmp_path)
    with start.runner_for("local:2", release=release, watch=Unwatched(), making=making) as made:
        yield made


def step(key: str, script: str, *needs: str) -> Job:
    """A step of its own name, so that runs at the same time do not see each other's containers."""
    return a_job(key, *needs, processors=0, script=script)


def test_steps_run_in_containers_of_workers_and_one_that_fails_is_told(runner: Runner, tmp_path: Path) -> None:
    jobs = [step("good", "echo fine"), step("bad", "echo broken; exit 3"), step("next", "true", "good")]
    found = {one.key: one for one in runner.run(jobs)}
    assert isinstance(found["good"], Done)
    assert found["good"].note == "fine"
    failed = found["bad"]
    assert isinstance(failed, Failed)
    assert failed.error.message == "bad ended with 3"
    assert failed.error.details == ("broken",)
    assert isinstance(found["next"], Done)
    assert logged(tmp_path, "begin").count("bad") == 1


def test_closing_the_results_removes_the_containers_of_that_run_alone(runner: Runner) -> None:
    me = str(os.getpid())
    jobs = [step(f"sign{me}", "true"), *(step(f"given-up{me}-{n}", "sleep 600") for n in range(2))]
    found = runner.run(jobs)
    assert next(found).key == f"sign{me}"
    until(lambda: all(containers(f"given-up{me}-{n}") for n in range(2)))
    found.close()  # type: ignore[attr-defined]
    assert not any(containers(f"given-up{me}-{n}") for n in range(2))


def test_what_a_killed_worker_left_is_removed_and_done_again(runner: Runner, tmp_path: Path) -> None:
    key = f"killed{os.getpid()}"
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.extend(runner.run([step(key, "sleep 12")])))
    thread.start()
    until(lambda: bool(containers(key)))
    [first] = containers(key)
    label = '{{index .Config.Labels "layerforge.pid"}}'
    owner = subprocess.run(["docker", "inspect", "-f", label, first], capture_output=True, text=True, check=True)
    os.kill(int(owner.stdout), signal.SIGKILL)
    thread.join()
    assert [type(one) for one in found] == [Done]
    assert logged(tmp_path, "begin") == [key, key]
    assert containers(key) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("whole_group", [False, True], ids=["the process", "its group"])
def test_an_interrupted_run_leaves_no_process_and_no_container(
    number: signal.Signals, whole_group: bool, settings: str, tmp_path: Path
) -> None:
    script = tmp_path / "run.py"
    script.write_text(LOCAL.replace("long{n}", f"long{os.getpid()}-{{n}}"))
    env = {**os.environ, "PYTHONPATH": str(TESTS)}
    with (tmp_path / "output").open("wb") as output:
        argv = [sys.executable, str(script), str(tmp_path), settings]
        run = subprocess.Popen(argv, env=env, stdout=output, stderr=output, start_new_session=True)
    keys = [f"long{os.getpid()}-{n}" for n in range(2)]
    until(lambda: all(containers(key) for key in keys))
    workers = psutil.Process(run.pid).children(recursive=True)
    assert len(workers) >= 2
    (os.killpg if whole_group else os.kill)(run.pid, number)
    assert run.wait(60) == 130, (tmp_path / "output").read_text()
    assert not any(containers(key) for key in keys)
    until(lambda: not any(one.is_running() for one in workers))


def test_a_worker_of_a_real_scheduler_ends_a_container_that_nobody_wants_any_more(
    settings: str, tmp_path: Path
) -> None:
    tls, key = tmp_path / "tls", f"remote{os.getpid()}"
    make(tls, ())
    env = {**os.environ, "PYTHONPATH": str(TESTS), "LAYERFORGE_CACHE": str(tmp_path / "cache")}
    files = {
        "--tls-ca-file": certificate_file(tls, "ca"),
        "--tls-cert": certificate_file(tls, "scheduler"),
        "--tls-key": key_file(tls, "scheduler"),
    }
    log = tmp_path / "programs.log"
    options = [str(one) for pair in files.items() for one in pair]
    own = ("--shop", "container_shops:container_shop", "--shop-settings", settings, "--tls-dir", str(tls))
    with log.open("ab") as output:
        argv = [
            str(PROGRAMS / "dask"),
            "scheduler",
            "--host",
            "tls://127.0.0.1:0",
            "--no-dashboard",
            "--dashboard-address",
            "127.0.0.1:0",
            *options,
        ]
        scheduler = subprocess.Popen(argv, env=env, stdout=output, stderr=output)
        until(lambda: "Scheduler at:" in log.read_text())
        url = log.read_text().split("Scheduler at:")[1].split()[0]
        argv = [str(PROGRAMS / "layerforge"), "worker", url, *own]
        worker = subprocess.Popen(argv, env=env, stdout=output, stderr=output)
    try:
        release = start.release("", tmp_path / "cache")
        making = Making(shop="", settings="")
        with start.runner_for(url, release=release, watch=Unwatched(), making=making, tls=tls) as runner:
            found = runner.run([step("sign", "true"), step(key, "sleep 600")])
            assert next(found).key == "sign"
            until(lambda: bool(containers(key)))
            found.close()  # type: ignore[attr-defined]
            assert containers(key) == []
            # One more, which the worker ends when it is told to stop.
            last = runner.run([step("sign2", "true"), step(f"{key}-last", "sleep 600")])
            assert next(last).key == "sign2"
            until(lambda: bool(containers(f"{key}-last")))
            worker.terminate()
            assert worker.wait(60) == 130
            assert containers(f"{key}-last") == []
    finally:
        for one in (worker, scheduler):
            one.kill()
            one.wait()
