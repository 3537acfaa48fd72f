"""Faults on the simulated cluster: what may happen to processes and to the store, at random but by a seed.

The scheduler is Dask's, the workers are ``layerforge worker``, the clients are processes too. What is lost is started
again, as a person or systemd would do it, until as many faults have happened as were asked for and all steps are done.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import scale_s3
from aws.proxy import Proxy
from layerforge.core import interrupts
from layerforge.core.store import keys
from scale_client import Asked
from scale_graph import Graph, expected, graph
from scale_shop import KIND, SHOP, TROUBLE, Setting, Trouble, logged, opened

HERE = Path(__file__).parent
PROGRAMS = Path(sys.executable).parent
CLIENT = HERE / "scale_client.py"
LONGEST = 300.0
"""Seconds after which a client that has not ended is taken to hang."""
PROMPT = 60.0
"""Seconds that a client has to end in that was interrupted, or whose scheduler is gone."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be tried."""

    seed: int
    faults: int
    workers: int = 4
    layers: int = 1600
    work: float = 600.0
    """Seconds of all jobs of a graph together."""
    pause: tuple[float, float] = (0.2, 2.5)
    """Seconds between a fault and the next, at least and at most."""
    store: str = ""
    """``s3://…`` instead of a folder."""
    image: str = ""
    """Steps run in containers of it."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What came of it."""

    faults: Mapping[str, int]
    graphs: int
    steps: int
    clients: Mapping[str, int]
    """How many ended how."""
    wrong: int
    """Values that are not what they have to be."""
    missing: int
    twice: int
    """Steps that were finished more than once though no worker was lost that did one of these."""
    again: int
    """Steps that were begun once more, since their worker was lost or they were interrupted."""
    hung: int
    """Clients, workers or schedulers that did not end in time."""
    containers: int
    """That were left."""
    failures: Mapping[str, int]
    """What clients were told."""
    seconds: float

    @property
    def sound(self) -> bool:
        """Whether all is as it has to be."""
        return not (self.wrong or self.missing or self.twice or self.hung or self.containers)


@dataclass
class Yard:
    """The processes, and what happens to them."""

    plan: Plan
    folder: Path
    chance: random.Random
    setting: Setting
    port: int
    made: Graph
    served: Proxy | None = None
    """What stands before S3, where values are kept there."""
    salt: str = "0"
    started: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    clients: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    since: dict[str, float] = field(default_factory=dict)
    """When a client was started, or was told to end."""
    lost: set[int] = field(default_factory=set)
    """Workers that were killed, or ended with their scheduler."""
    happened: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    paused: list[tuple[float, subprocess.Popen[bytes]]] = field(default_factory=list)
    finished: list[Graph] = field(default_factory=list)
    hung: int = 0
    number: int = 0

    @property
    def url(self) -> str:
        """Where the scheduler is."""
        return f"tcp://127.0.0.1:{self.port}"

    # --- starting what is to be there

    def keep_up(self) -> None:
        """Starts what has ended or never began."""
        if "scheduler" not in self.started or self.started["scheduler"].poll() is not None:
            self._start_scheduler()
        for number in range(self.plan.workers):
            name = f"worker{number}"
            if name not in self.started or self.started[name].poll() is not None:
                self._start_worker(name)

    def _start(self, name: str, *argv: str) -> None:
        if old := self.started.get(name):
            self.lost.add(old.pid)
        paths = f"{HERE}{os.pathsep}{HERE.parent / 'tests'}"
        env = {**os.environ, "PYTHONPATH": paths, "LAYERFORGE_CACHE": str(self.folder / "cache")}
        with (self.folder / f"{name}.log").open("ab") as log:
            self.started[name] = subprocess.Popen(argv, stdout=log, stderr=log, env=env)

    def _start_scheduler(self) -> None:
        where = ("--host", self.url, "--no-dashboard", "--dashboard-address", "127.0.0.1:0")
        self._start("scheduler", str(PROGRAMS / "dask"), "scheduler", *where)
        until(lambda: answers(self.port), 60)

    def _start_worker(self, name: str) -> None:
        shop = ("--shop", SHOP, "--shop-settings", self.setting.text)
        own = ("--name", f"{name}-{self.number}", "--processors", "1", "--memory", "2GB")
        self.number += 1
        self._start(name, str(PROGRAMS / "layerforge"), "worker", self.url, *own, *shop)

    def start_client(self) -> None:
        """One more client with the present graph."""
        name = f"client{self.number}"
        self.number += 1
        file = self.folder / f"{name}.json"
        plan = self.plan
        asked = Asked(
            work=plan.work, layers=plan.layers, salt=self.salt, setting=self.setting, address=self.url, patience=90.0
        )
        file.write_text(asked.text)
        with (self.folder / f"{name}.log").open("ab") as log:
            argv = [sys.executable, str(CLIENT), str(file)]
            self.clients[name] = subprocess.Popen(argv, stdout=log, stderr=log)
        self.since[name] = time.monotonic()

    # --- looking after it

    def look(self) -> bool:
        """Wakes what was paused, collects clients that have ended; returns whether the graph is done."""
        now = time.monotonic()
        for until_, process in [one for one in self.paused if one[0] <= now]:
            self.paused.remove((until_, process))
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
        done = False
        for name, process in list(self.clients.items()):
            if process.poll() is not None:
                del self.clients[name]
                done |= self._collect(name, process)
            elif now - self.since[name] > LONGEST:
                self.hung += 1
                process.kill()
                process.wait()
                del self.clients[name]
                self.ended["hung"] += 1
        return done

    def _collect(self, name: str, process: subprocess.Popen[bytes]) -> bool:
        file = self.folder / f"{name}.result.json"
        if process.returncode == interrupts.INTERRUPTED:
            self.ended["interrupted at once"] += 1
            return False
        if not file.exists():
            log = (self.folder / f"{name}.log").read_text().splitlines()
            raise RuntimeError(f"{name} ended with {process.returncode}: {' '.join(log[-3:])}")
        found: dict[str, Any] = json.loads(file.read_text())
        outcomes = found["outcomes"]
        for text in found["errors"]:
            plain = text.split(":")[-1 if text.startswith("s3:") else 0].replace(self.setting.store, "the store")
            self.failures[re.sub("[0-9a-f]{64}", "KEY", plain).strip()[:100]] += 1
        if found["ended"]:
            self.ended[found["ended"].split(" at ")[0][:60]] += 1
            return False
        whole = not (outcomes.get("Failed") or outcomes.get("Skipped"))
        self.ended["all done" if whole else "some failed"] += 1
        return whole

    # --- faults

    def fault(self) -> None:
        """Lets one thing go wrong."""
        kind = self.chance.choices(list(FAULTS), [weight for weight, _ in FAULTS.values()])[0]
        if FAULTS[kind][1](self):
            self.happened[kind] += 1

    def a_worker(self) -> subprocess.Popen[bytes] | None:
        """One that runs."""
        alive = [one for name, one in self.started.items() if name.startswith("worker") and one.poll() is None]
        return self.chance.choice(alive) if alive else None

    def trouble(self, kind: str, seconds: float, process: int = 0, share: float = 1.0) -> None:
        """Troubles the store for a while."""
        if self.served is not None and not process:
            scale_s3.broken(self.served, kind, self.chance)
            return
        one = Trouble(kind=kind, until=time.monotonic() + seconds, process=process, share=share)
        partial = self.folder / f".{TROUBLE}"
        partial.write_text(json.dumps(asdict(one)))
        partial.replace(self.folder / TROUBLE)


def killed(yard: Yard) -> bool:
    """A worker is killed."""
    if (worker := yard.a_worker()) is None:
        return False
    yard.lost.add(worker.pid)
    worker.kill()
    return True


def told_to_stop(yard: Yard) -> bool:
    """A worker is told to stop."""
    if (worker := yard.a_worker()) is None:
        return False
    worker.terminate()
    return True


def paused(yard: Yard) -> bool:
    """A worker stands still for a while."""
    if (worker := yard.a_worker()) is None:
        return False
    worker.send_signal(signal.SIGSTOP)
    yard.paused.append((time.monotonic() + yard.chance.uniform(0.5, 5), worker))
    return True


def partitioned(yard: Yard) -> bool:
    """A worker does not reach the store."""
    if (worker := yard.a_worker()) is None:
        return False
    yard.trouble("gone", yard.chance.uniform(1, 4), process=worker.pid)
    return True


def erring(yard: Yard) -> bool:
    """The store answers 500 to some calls."""
    yard.trouble("error", yard.chance.uniform(0.5, 3), share=yard.chance.uniform(0.1, 0.6))
    return True


def slow(yard: Yard) -> bool:
    """The store is slow."""
    yard.trouble("slow", yard.chance.uniform(1, 4), share=yard.chance.uniform(0.2, 1))
    return True


def cut(yard: Yard) -> bool:
    """The store cuts answers short."""
    yard.trouble("cut", yard.chance.uniform(0.5, 3), share=yard.chance.uniform(0.1, 0.6))
    return True


def scheduler_killed(yard: Yard) -> bool:
    """The scheduler is killed."""
    scheduler = yard.started["scheduler"]
    scheduler.kill()
    scheduler.wait()
    workers = [one for name, one in yard.started.items() if name.startswith("worker")]
    for one in workers:
        yard.lost.add(one.pid)
        with suppress(ProcessLookupError):
            one.send_signal(signal.SIGCONT)
    yard.paused.clear()
    for one in [*workers, *yard.clients.values()]:
        try:
            one.wait(PROMPT)
        except subprocess.TimeoutExpired:
            yard.hung += 1
            one.kill()
    return True


def another_client(yard: Yard) -> bool:
    """A second client wants the same."""
    if len(yard.clients) > 1:
        return False
    yard.start_client()
    return True


def interrupted(yard: Yard) -> bool:
    """Ctrl-C in a client."""
    alive = [name for name, one in yard.clients.items() if one.poll() is None]
    if not alive:
        return False
    name = yard.chance.choice(alive)
    yard.clients[name].send_signal(signal.SIGINT)
    yard.since[name] = time.monotonic() - LONGEST + PROMPT
    return True


FAULTS: Mapping[str, tuple[float, Callable[[Yard], bool]]] = {
    "worker killed": (5, killed),
    "worker told to stop": (1, told_to_stop),
    "worker paused": (4, paused),
    "worker partitioned from the store": (4, partitioned),
    "store answers 500": (4, erring),
    "store slow": (3, slow),
    "store cuts answers": (3, cut),
    "scheduler killed": (1, scheduler_killed),
    "another client": (3, another_client),
    "client interrupted": (2, interrupted),
}
"""How often each happens, and what it is."""


def run(
    plan: Plan, folder: Path, say: Callable[[str], None] = lambda _text: None, served: Proxy | None = None
) -> Found:
    """Tries a plan out in a new folder."""
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with running(plan, folder) as yard:
        yard.served = served
        while sum(yard.happened.values()) < plan.faults or yard.clients:
            if yard.look():
                say(f"{sum(yard.happened.values())} faults, {len(yard.finished) + 1} graphs, {dict(yard.ended)}")
                _next(yard)
            enough = sum(yard.happened.values()) >= plan.faults
            yard.keep_up()
            if not yard.clients and not (enough and yard.finished and yard.made is yard.finished[-1]):
                yard.start_client()
            if not enough:
                yard.fault()
            time.sleep(yard.chance.uniform(*plan.pause))
        _end(yard)
        return _found(yard, time.monotonic() - began)


def _next(yard: Yard) -> None:
    """Goes on with a new graph, or ends."""
    yard.finished.append(yard.made)
    for name, one in list(yard.clients.items()):
        # The other client wants the same, which is there: it has to end too.
        try:
            one.wait(PROMPT)
        except subprocess.TimeoutExpired:
            continue
        yard._collect(name, yard.clients.pop(name))  # noqa: SLF001
    if sum(yard.happened.values()) < yard.plan.faults:
        yard.salt = str(len(yard.finished))
        yard.made = graph(yard.plan.work, yard.plan.layers, yard.salt)


@contextmanager
def running(plan: Plan, folder: Path) -> Iterator[Yard]:
    """The yard of a plan; nothing of it is left after it."""
    store = plan.store or str(folder / "store")
    setting = Setting(store=store, key=keys.new_key("bench").text, folder=str(folder), image=plan.image)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = int(server.getsockname()[1])
    made = graph(plan.work, plan.layers, "0")
    yard = Yard(plan=plan, folder=folder, chance=random.Random(plan.seed), setting=setting, port=port, made=made)
    try:
        yield yard
    finally:
        for one in (*yard.started.values(), *yard.clients.values()):
            one.kill()
            one.wait()


def _end(yard: Yard) -> None:
    """Tells the workers to end, and the scheduler."""
    if yard.served is not None:
        yard.served.reset()
    (yard.folder / TROUBLE).unlink(missing_ok=True)
    for _, process in yard.paused:
        process.send_signal(signal.SIGCONT)
    for name in sorted(yard.started, reverse=True):
        one = yard.started[name]
        one.terminate()
        try:
            one.wait(PROMPT)
        except subprocess.TimeoutExpired:
            yard.hung += 1


def _found(yard: Yard, seconds: float) -> Found:
    store = opened(replace(yard.setting, folder=str(yard.folder / "none")))
    right = [(key, value) for made in yard.finished for key, value in expected(made.jobs).items()]
    values = {key: store.get(KIND, key) for key, _ in right}
    ends: dict[str, list[int]] = {}
    begun: Counter[str] = Counter()
    for word, key, process in logged(yard.folder):
        if word == "end":
            ends.setdefault(key, []).append(process)
        begun[key] += word == "begin"
    sound = [[one for one in pids if one not in yard.lost] for pids in ends.values()]
    return Found(
        faults=dict(yard.happened),
        graphs=len(yard.finished),
        steps=len(right),
        clients=dict(yard.ended),
        wrong=sum(values[key] not in {None, value} for key, value in right),
        missing=sum(value is None for value in values.values()),
        twice=sum(len(one) > 1 for one in sound),
        again=sum(number - 1 for number in begun.values()),
        hung=yard.hung,
        containers=len(left(yard)),
        failures=dict(yard.failures),
        seconds=seconds,
    )


def left(yard: Yard) -> list[str]:
    """Containers of steps of this run that are there still."""
    if not yard.plan.image:
        return []
    argv = ["docker", "ps", "--all", "--filter", "label=layerforge.job", "--format", '{{.Label "layerforge.job"}}']
    known = {job.key for made in yard.finished for job in made.jobs}
    return [
        key for key in subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split() if key in known
    ]


def until(happens: Callable[[], bool], seconds: float) -> None:
    """Waits for something. Raises ``TimeoutError``."""
    end = time.monotonic() + seconds
    while not happens():
        if time.monotonic() > end:
            raise TimeoutError("it did not come to that")
        time.sleep(0.05)


def answers(port: int) -> bool:
    """Whether somebody listens at a port of this machine."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
