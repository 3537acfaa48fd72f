"""``layerforge worker`` and ``dask scheduler`` as programs, with certificates, and what goes wrong with them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from layerforge import cli
from layerforge.build.cluster import start
from layerforge.build.cluster.certificates import certificate_file, key_file, make
from layerforge.build.cluster.events import Unwatched, Watch
from layerforge.build.cluster.worker import Making
from layerforge.build.errors import ClusterError
from layerforge.build.graph import Done, Failed, Job, Result, Runner
from layerforge.core.store.keys import new_key, write_new
from shops import a_job, logged

PROGRAMS = Path(sys.executable).parent
TESTS = Path(__file__).parents[3]
NOBODY = Making(shop="", settings="")


def until(happens: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(1200):
        if happens():
            return
        pause.wait(0.05)
    raise AssertionError("it did not come to that")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@dataclass
class Programs:
    """A scheduler and workers, each a process of its own."""

    folder: Path
    port: int = field(default_factory=free_port)
    started: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"tls://127.0.0.1:{self.port}"

    @property
    def tls(self) -> Path:
        return self.folder / "tls"

    @property
    def shop(self) -> Path:
        return self.folder / "shop"

    def start(self, name: str, *argv: str) -> None:
        env = {**os.environ, "PYTHONPATH": str(TESTS), "LAYERFORGE_CACHE": str(self.folder / "cache")}
        with (self.folder / f"{name}.log").open("ab") as log:
            self.started[name] = subprocess.Popen(argv, stdout=log, stderr=log, env=env)

    def scheduler(self) -> None:
        files = {
            "--tls-ca-file": certificate_file(self.tls, "ca"),
            "--tls-cert": certificate_file(self.tls, "scheduler"),
            "--tls-key": key_file(self.tls, "scheduler"),
        }
        options = [str(one) for pair in files.items() for one in pair]
        self.start(
            "scheduler",
            str(PROGRAMS / "dask"),
            "scheduler",
            "--host",
            self.url,
            "--no-dashboard",
            "--dashboard-address",
            "127.0.0.1:0",
            *options,
        )
        until(lambda: "Scheduler at" in self.log("scheduler"))

    def worker(self, name: str, *options: str) -> None:
        shop = ("--shop", "shops:folder_shop", "--shop-settings", str(self.shop))
        own = ("--name", name, "--tls-dir", str(self.tls), "--processors", "2", "--memory", "2GB", *shop)
        self.start(name, str(PROGRAMS / "layerforge"), "worker", self.url, *own, *options)

    def workers(self, *names: str) -> None:
        for name in names:
            self.worker(name)
        for name in names:
            until(lambda name=name: f"for the scheduler at {self.url}" in self.log(name))  # type: ignore[misc]

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def end(self, name: str, number: signal.Signals = signal.SIGTERM) -> int:
        self.started[name].send_signal(number)
        return self.started.pop(name).wait(60)

    @contextmanager
    def runner(self, watch: Watch | None = None, **how: float) -> Iterator[Runner]:
        release = start.release("", self.folder / "cache")
        watch = watch or Unwatched()
        with start.runner_for(
            self.url, release=release, watch=watch, making=NOBODY, tls=self.tls, patience=how.get("patience", 60.0)
        ) as made:
            yield made

    def results(self, jobs: list[Job]) -> dict[str, Result]:
        with self.runner() as made:
            return {one.key: one for one in made.run(jobs)}


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    made = Programs(folder=tmp_path)
    make(made.tls, ())
    made.shop.mkdir()
    yield made
    for one in made.started.values():
        one.kill()
        one.wait()


def test_two_clients_with_the_same_jobs_have_each_done_once(programs: Programs) -> None:
    programs.scheduler()
    programs.workers("one", "two")
    jobs = [a_job(f"j{n}", seconds=0.3) for n in range(12)]
    jobs.append(a_job("last", *[job.key for job in jobs]))
    found: list[dict[str, Result]] = []
    threads = [threading.Thread(target=lambda: found.append(programs.results(jobs))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert all(isinstance(one, Done) for each in found for one in each.values())
    assert Counter(logged(programs.shop, "end")) == Counter(job.key for job in jobs)


def test_whoever_plans_asks_the_workers_what_they_have(programs: Programs) -> None:
    programs.scheduler()
    assert start.offers_at(programs.url, watch=Unwatched(), tls=programs.tls) == []
    programs.workers("one", "two")
    found = start.offers_at(programs.url, watch=Unwatched(), tls=programs.tls)
    assert sorted((one.name, one.processors) for one in found) == [("one", 2), ("two", 2)]
    assert {one.release for one in found} == {start.release("", programs.folder / "cache")}
    assert start.offers_at("local:2", watch=Unwatched()) == []


def test_what_one_client_gives_up_goes_on_while_another_wants_it(programs: Programs) -> None:
    programs.scheduler()
    programs.workers("one")
    with programs.runner() as first, programs.runner() as second:
        given_up = first.run([a_job("shared", seconds=4), a_job("own", seconds=600), a_job("quick", processors=0)])
        assert next(given_up).key == "quick"
        until(lambda: {"shared", "own"} <= set(logged(programs.shop, "begin")))
        wanted = second.run([a_job("shared", seconds=4), a_job("sign", processors=0)])
        assert next(wanted).key == "sign"
        given_up.close()  # type: ignore[attr-defined]
        assert [type(one) for one in wanted] == [Done]
    assert logged(programs.shop, "stopped") == ["own"]
    assert logged(programs.shop, "begin").count("shared") == 1


def test_a_worker_that_is_told_to_stop_ends_its_jobs_which_others_do_again(programs: Programs) -> None:
    programs.scheduler()
    programs.workers("one", "two")
    with programs.runner() as made:
        found = made.run([*(a_job(f"j{n}", seconds=2) for n in range(4)), a_job("sign", processors=0)])
        ended = [next(found).key]
        until(lambda: len(logged(programs.shop, "begin")) >= 4)
        assert programs.end("two") == 130
        ended += [one.key for one in found if isinstance(one, Done)]
    assert sorted(ended) == ["j0", "j1", "j2", "j3", "sign"]
    assert logged(programs.shop, "stopped")
    assert set(logged(programs.shop, "stopped")) <= {"j0", "j1", "j2", "j3"}
    assert "stopped" in programs.log("two")


def kill_scheduler_once(programs: Programs, key: str) -> None:
    until(lambda: key in logged(programs.shop, "begin"))
    programs.end("scheduler", signal.SIGKILL)


def test_when_the_scheduler_is_lost_everything_stops_and_a_second_run_goes_on(programs: Programs) -> None:
    programs.scheduler()
    programs.workers("one")
    jobs = [a_job("before"), a_job("during", "before", seconds=3), a_job("after", "during")]
    with programs.runner() as made:
        found = made.run(jobs)
        assert next(found).key == "before"
        killer = threading.Thread(target=kill_scheduler_once, args=(programs, "during"))
        killer.start()
        with pytest.raises(ClusterError, match="is lost") as lost:
            next(found)
        killer.join()
    assert "run the command again" in lost.value.hint
    assert programs.started.pop("one").wait(60) == 5
    assert "the scheduler at" in programs.log("one")
    assert logged(programs.shop, "stopped") == ["during"]
    programs.scheduler()
    programs.workers("again")
    assert all(isinstance(one, Done) for one in programs.results(jobs).values())
    assert Counter(logged(programs.shop, "end")) == Counter(["before", "during", "after"])


def test_a_client_that_dies_takes_its_jobs_with_it(programs: Programs, tmp_path: Path) -> None:
    programs.scheduler()
    programs.workers("one")
    script = tmp_path / "client.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from test_clusters_of_others import Programs\n"
        "from shops import a_job\n"
        "if __name__ == '__main__':\n"
        "    with Programs(folder=Path(sys.argv[1]), port=int(sys.argv[2])).runner() as runner:\n"
        "        list(runner.run([a_job('orphan', seconds=600)]))\n"
    )
    (tmp_path / "test_clusters_of_others.py").symlink_to(__file__)
    programs.start("client", sys.executable, str(script), str(programs.folder), str(programs.port))
    until(lambda: "orphan" in logged(programs.shop, "begin"))
    programs.end("client", signal.SIGKILL)
    until(lambda: "orphan" in logged(programs.shop, "stopped"))


def test_those_whom_the_authority_does_not_know_are_refused(programs: Programs, tmp_path: Path) -> None:
    programs.scheduler()
    programs.tls.rename(tmp_path / "ours")
    make(programs.tls, ())
    with pytest.raises(ClusterError, match="does not vouch for"), programs.runner():
        pass
    # Whoever trusts the authority without being known to it.
    (programs.tls / "ca.pem").write_bytes((tmp_path / "ours/ca.pem").read_bytes())
    with pytest.raises(ClusterError, match="refuses our certificate"), programs.runner():
        pass
    programs.worker("stranger")
    assert programs.started.pop("stranger").wait(60) == 5
    assert "refuses our certificate" in programs.log("stranger")


def test_workers_of_another_store_are_named_and_not_used(programs: Programs, tmp_path: Path) -> None:
    said: list[str] = []

    class Told(Unwatched):
        def say(self, text: str) -> None:
            said.append(text)

    programs.scheduler()
    write_new(new_key("others"), tmp_path / "others.key")
    programs.worker("other", "--store", str(tmp_path / "theirs"), "--signing-key", str(tmp_path / "others.key"))
    until(lambda: "for the scheduler at" in programs.log("other"))
    with programs.runner(Told(), patience=1.0) as made:
        [found] = made.run([a_job("a")])
    assert isinstance(found, Failed)
    assert "no worker uses the store" in found.error.message
    assert any(line.startswith("the worker other is not used") for line in said)
    assert logged(programs.shop, "begin") == []


def test_certificates_are_made_with_what_to_do_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new"
    assert cli.run(["worker", "--make-certificates", str(folder), "--for", "build.example.org"]) == 0
    assert f"layerforge worker tls://build.example.org:8786 --tls-dir {folder}" in capsys.readouterr().out
    assert cli.run(["worker", "--make-certificates", str(folder)]) == 2
    assert "never written over" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], 2),
        (["tls://127.0.0.1:1"], 5),
        (["tcp://build.example.org"], 5),
        (["local:2"], 5),
        (["tcp://127.0.0.1:1"], 5),
    ],
)
def test_an_address_without_a_scheduler_ends_in_an_error(
    arguments: list[str], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAYERFORGE_CACHE", str(tmp_path))
    assert cli.run(["worker", *arguments]) == code


def test_sizes_are_read_with_their_unit(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["worker", "tcp://127.0.0.1:1", "--memory", "much"]) == 2
    assert "'much' is no size" in capsys.readouterr().err
