"""What does the jobs of a cluster on one machine: it has the image and the engine of each, and can end one alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from layerforge.build import interpreters, wire
from layerforge.build.container.docker_engine import DockerEngine
from layerforge.build.container.own_images import OwnImage, engines
from layerforge.build.engine import Builder, Engine
from layerforge.build.errors import ClusterError, EngineError
from layerforge.build.graph import Done
from layerforge.build.host import HostEngine
from layerforge.build.session import Session
from layerforge.build.work import LayerWork, StepWork
from layerforge.core import guarded
from layerforge.core.progress import Mark, Progress, Step
from layerforge.core.runtimes import Target
from layerforge.core.store import disk, sharing
from layerforge.core.store.disk import DiskStore
from layerforge.core.store.protocol import Store
from layerforge.core.store.sharing import Sharing
from layerforge.core.watched import Watched
from layerforge.perform import perform

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Equipment:
    """What a shop is made of. It stays on its machine: what it shares may hold a secret key."""

    near: str
    """Root of the machine's own store."""
    sharing: Sharing = field(default_factory=Sharing)
    images: tuple[OwnImage, ...] = ()

    @property
    def text(self) -> str:
        """As JSON."""
        return msgspec.json.encode(self).decode()


@dataclass(frozen=True, kw_only=True)
class Telling:
    """Progress whose lines go to whoever looks at the job."""

    tell: Tell

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Tells of its beginning, and of its end what is noted."""
        self.tell(title)
        yield TellingStep(title=title, tell=self.tell)

    def say(self, text: str) -> None:
        """A line."""
        self.tell(text)

    def aside(self, text: str) -> None:
        """A line."""
        self.tell(text)

    def warn(self, text: str) -> None:
        """A line."""
        self.tell(text)


@dataclass(frozen=True, kw_only=True)
class TellingStep:
    """A step of such progress."""

    title: str
    tell: Tell

    def expect(self, amount: int) -> None:
        """Nobody sees a bar."""

    def advance(self, amount: int) -> None:
        """Nobody sees a bar."""

    def takes_long(self, place: str, expected: float | None) -> None:
        """Whoever looks knows better."""

    def live(self, text: str, expected: float | None) -> None:
        """Whoever looks knows better."""

    def note(self, text: str, mark: Mark = Mark.GOOD) -> None:  # noqa: ARG002
        """One line."""
        self.tell(f"{self.title}: {text}")


@dataclass(frozen=True, kw_only=True)
class _Running:
    ending: threading.Event
    engine: DockerEngine | None


@dataclass(frozen=True, kw_only=True)
class JobShop:
    """A ``Shop`` of the cluster. Fit for several threads."""

    near: DiskStore
    behind: Store | None
    """What the cluster shares beyond the folder of ``near``. What fails there fails the job, which goes elsewhere."""
    engine: DockerEngine | None
    """With the first image; ``None`` where there is none."""
    engines: Mapping[str, DockerEngine]
    """By identity of their image."""
    running: dict[str, _Running] = field(default_factory=dict)

    def perform(self, key: str, task: str, tell: Tell) -> Done:
        """Does a job to its end. Raises the ``LayerforgeError`` that it failed with."""
        work = wire.work_of(task)
        found = self._engine(work)
        own = replace(found, job_key=key) if found else None
        one = self.running[key] = _Running(ending=threading.Event(), engine=own)
        try:
            progress = Watched(progress=Telling(tell=tell), ending=one.ending)
            return perform(task, self._session(work, own, progress), on_line=tell)
        except KeyboardInterrupt as error:
            # That is how work hears of its end. A worker's loop would take it for its own.
            raise ClusterError("the job was stopped", hint="nobody waits for it any more") from error
        finally:
            self.running.pop(key, None)

    def stop(self, key: str) -> None:
        """Ends what a job runs. Raises ``EngineError`` where its container cannot be ended now."""
        one = self.running.get(key)
        if one is not None:
            one.ending.set()
            if one.engine is not None:
                one.engine.stop()

    def close(self) -> None:
        """Ends every container that is left."""
        if self.engine is not None:
            with suppress(EngineError):
                self.engine.stop()
            self.engine.client.close()

    def _session(self, work: StepWork | LayerWork, engine: DockerEngine | None, progress: Progress) -> Session:
        store = replace(self.near, progress=progress, behind=self.behind)
        runs: Engine = engine or _host(work.plan.target if isinstance(work, LayerWork) else work.target)
        builder: Builder | None = engine
        return Session(store=store, progress=progress, engine=runs, builder=builder)

    def _engine(self, work: StepWork | LayerWork) -> DockerEngine | None:
        """What a job runs in: the image that it names, or one that it is made on; ``None`` where it names none.

        Raises ``EngineError`` where there is no such image.
        """
        if not work.base_image:
            return None
        found = self.engines.get(work.base_image)
        if found is None:
            raise EngineError(
                f"this worker has not the image {work.base_image}",
                hint="name it with `layerforge worker --image`, or `layerforge build --image` another that all have",
            )
        return found


def _host(target: Target) -> HostEngine:
    """This machine, with its interpreter of a target's minor version, if it has one."""
    return HostEngine(interpreter=interpreters.find(target.python, own=disk.pythons()))


def shop(settings: str) -> JobShop:
    """A shop with the equipment that a text tells. Raises ``LayerforgeError`` where something of it is not there."""
    equipment = guarded.json_as(settings, Equipment)
    progress = Telling(tell=lambda _line: None)
    near = DiskStore(root=Path(equipment.near), progress=progress)
    far = sharing.opened(equipment.sharing, progress) if equipment.sharing.place else None
    found = engines(equipment.images, progress) if equipment.images else {}
    return JobShop(near=near, behind=far, engine=next(iter(found.values()), None), engines=found)
