"""What a worker of the simulation does: it sleeps instead of compiling, and puts a value into a real far store.

A value depends on its key and on the contents of all that the job needs, so a wrong input makes everything after it
wrong. Each beginning and each end is a line of a log, which tells how often a job was done, and by whom.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from layerforge.build.container.connect import connect
from layerforge.build.container.docker_engine import DockerEngine
from layerforge.build.container.images import find_image
from layerforge.build.engine import Task
from layerforge.build.errors import EngineError
from layerforge.build.graph import Done
from layerforge.core import guarded, runtimes
from layerforge.core.errors import StepError
from layerforge.core.progress import Mark, Step
from layerforge.core.store import keys, places
from layerforge.core.store.far import FarStore
from layerforge.core.store.objects import MOST, FarStoreError, Listed, Objects
from scale_graph import value

KIND = "built"
"""Of which the same key has to be the same bytes, whoever makes them."""

LOG, TROUBLE = "log", "trouble"
SHOP = "scale_shop:shop"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a shop is made of."""

    store: str
    """A folder, or ``s3://bucket/prefix``."""
    key: str
    """The secret key, as its file has it."""
    folder: str
    """Where the log lies, and what troubles the store."""
    image: str = ""
    """Steps sleep in containers of it, where one is named."""

    @property
    def text(self) -> str:
        """As a worker gets it."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """What is wrong with the store for a while."""

    kind: str
    """``error``, ``slow``, ``cut`` or ``gone``."""
    until: float
    """By ``time.monotonic()``, which all processes of a machine share."""
    process: int = 0
    """The only one that it is wrong for; 0 for all."""
    share: float = 1.0
    """Of the calls that it happens to."""


@dataclass(frozen=True)
class TroubledObjects:
    """A place that fails as its folder's file says, below all that a store does against that."""

    objects: Objects
    file: Path

    @property
    def place(self) -> str:
        """As a user names it."""
        return self.objects.place

    def read(self, name: str, most: int = MOST) -> bytes | None:
        """The bytes, or some of them."""
        found = self._troubled()
        data = self.objects.read(name, most)
        return data[: len(data) // 2] if found == "cut" and data else data

    def size(self, name: str) -> int | None:
        """Bytes."""
        self._troubled()
        return self.objects.size(name)

    def create(self, name: str, data: bytes) -> bool:
        """Makes an object, and may say that it did not."""
        found = self._troubled()
        made = self.objects.create(name, data)
        if found == "cut":
            raise FarStoreError(f"{self.place} hung up before it answered")
        return made

    def listed(self, below: str = "") -> Iterator[Listed]:
        """Every object."""
        self._troubled()
        return self.objects.listed(below)

    def remove(self, names: Iterable[str]) -> None:
        """Removes objects."""
        self.objects.remove(names)

    def _troubled(self) -> str:
        try:
            one = guarded.json_as(self.file.read_bytes(), Trouble)
        except (OSError, guarded.Unreadable):
            return ""
        if time.monotonic() > one.until or one.process not in {0, os.getpid()} or random.random() > one.share:
            return ""
        match one.kind:
            case "error":
                raise FarStoreError(f"{self.place} answers 500")
            case "gone":
                time.sleep(0.5)
                raise FarStoreError(f"{self.place} does not answer")
            case "slow":
                time.sleep(0.3)
        return one.kind


class _NoStep:
    """A step that nobody sees."""

    def expect(self, amount: int) -> None:
        """Nothing."""

    def advance(self, amount: int) -> None:
        """Nothing."""

    def takes_long(self, place: str, expected: float | None) -> None:
        """Nothing."""

    def live(self, text: str, expected: float | None) -> None:
        """Nothing."""

    def note(self, text: str, mark: Mark = Mark.GOOD) -> None:
        """Nothing."""


class Silent:
    """Progress that nobody sees."""

    def step(self, _title: str) -> AbstractContextManager[Step]:
        """A step."""
        return nullcontext(_NoStep())

    def say(self, text: str) -> None:
        """Nothing."""

    def aside(self, text: str) -> None:
        """Nothing."""

    def warn(self, text: str) -> None:
        """Nothing."""


class SleepingShop:
    """Does jobs that sleep."""

    def __init__(self, setting: Setting) -> None:
        self.store = opened(setting)
        self.log = os.open(Path(setting.folder) / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.folder = Path(setting.folder)
        self.stops: dict[str, threading.Event] = {}
        self.engine = _engine(setting.image) if setting.image else None

    def perform(self, key: str, task: str, tell: Callable[[str], None]) -> Done:
        """Sleeps for as long as the job's task says, and puts its value into the store."""
        asked = json.loads(task)
        stop = self.stops[key] = threading.Event()
        if self.store.holds(KIND, key):
            return Done(key=key, note="from the store")
        self.write("begin", key)
        tell(f"sleeping for {key}")
        self._sleep(key, stop, asked["seconds"])
        made = value(key, [self._input(need) for need in asked["needs"]])
        self.store.put(KIND, key, made)
        self.write("end", key)
        return Done(key=key, note=f"{len(made)} bytes")

    def _sleep(self, key: str, stop: threading.Event, seconds: float) -> None:
        """Raises ``EngineError`` where it is stopped."""
        if self.engine is not None:
            outcome = replace(self.engine, job_key=key).perform(_asleep(key, seconds, self.folder), _nothing)
            if outcome.status:
                raise StepError(f"{key} ended with {outcome.status}", details=tuple(outcome.output.splitlines()))
        elif stop.wait(seconds):
            self.write("stopped", key)
            raise EngineError("the container was removed while it ran")

    def _input(self, key: str) -> bytes:
        found = self.store.get(KIND, key)
        if found is None:
            raise FarStoreError(f"the store lacks {key}, which was made")
        return found

    def write(self, word: str, key: str) -> None:
        """Adds a line to the log, whole or not at all."""
        os.write(self.log, f"{word} {key} {os.getpid()} {time.monotonic():.3f}\n".encode())

    def stop(self, key: str) -> None:
        """Wakes a job, or ends its container."""
        self.stops[key].set()
        if self.engine is not None:
            replace(self.engine, job_key=key).stop()

    def close(self) -> None:
        """Ends what runs."""
        if self.engine is not None:
            with suppress(EngineError):
                self.engine.stop()
            self.engine.client.close()
        os.close(self.log)


def _engine(image: str) -> DockerEngine:
    client = connect()
    target = runtimes.target("3.13", "x86_64")
    return DockerEngine(client=client, image=find_image(client, target, image, Silent()))


def _asleep(key: str, seconds: float, folder: Path) -> Task:
    """A step that sleeps in a container."""
    return Task(
        name=key[:12],
        argv=("/bin/sh", "-c", f"sleep {seconds:.3f}"),
        env={"PATH": "/usr/bin:/bin"},
        mounts=(),
        workdir="/tmp",
        log=folder / f"{key}.log",
        memory=2**28,
        timeout=600,
    )


def _nothing(_line: str) -> None:
    """What is done with a line that it says."""


def opened(setting: Setting) -> FarStore:
    """The store of a setting, with its troubles."""
    objects = TroubledObjects(places.opened(setting.store), Path(setting.folder) / TROUBLE)
    return FarStore(objects=objects, progress=Silent(), signer=keys.signing_key(setting.key))


def shop(settings: str) -> SleepingShop:
    """The shop that a worker asks for by its dotted name."""
    return SleepingShop(Setting(**json.loads(settings)))


def logged(folder: Path) -> list[tuple[str, str, int]]:
    """Word, key and process of each line of the log."""
    lines = (folder / LOG).read_text().splitlines() if (folder / LOG).exists() else []
    return [(word, key, int(process)) for word, key, process, _ in map(str.split, lines)]
