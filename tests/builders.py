"""A builder that runs nothing, and what it is given to make."""

from __future__ import annotations

import hashlib
import io
import itertools
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from layerforge.build import wire
from layerforge.build.durations import Compiled, SharedClock
from layerforge.build.engine import Builder, Image, Outcome, Task
from layerforge.build.graph import Done, Failed, Job
from layerforge.build.jobs import lacking, step_job
from layerforge.build.plan import Built, Plan
from layerforge.build.steps import carry_out, collected
from layerforge.build.task import MEMORY, TIMEOUT, StepContext
from layerforge.build.threads import ThreadsRunner
from layerforge.build.work import LackingError, StepWork
from layerforge.core.errors import LayerforgeError
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Arch
from layerforge.resolve.recipe import Library, Settings, Source
from layerforge.resolve.sources import Search

IMAGE = Image(reference="test", digest="sha256:1", arch=Arch.X86_64)
FINE = Outcome(status=0, output="done", seconds=0.1)


def an_archive(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


ARCHIVE = an_archive({"demo-1/configure": b"#!/bin/sh\n"})
SHA256 = hashlib.sha256(ARCHIVE).hexdigest()


@dataclass
class FakeBuilder:
    """Writes files where a task would install them, and remembers the tasks."""

    makes: Mapping[str, Mapping[str, bytes]]
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    tasks: list[Task] = field(default_factory=list)
    image: Image = IMAGE
    log: str = "a line\n"

    def equipped(self, packages: tuple[str, ...], progress: Progress) -> Self:
        raise AssertionError(packages)

    def copy_out(self, path: str, into: Path) -> None:
        """The image carries one archive."""
        assert path == self.image.sources
        into.mkdir()
        (into / "demo.tar.gz").write_bytes(ARCHIVE)

    def stop(self) -> None:
        """Nothing runs longer than the call."""

    def perform(self, task: Task, on_line: Callable[[str], None]) -> Outcome:
        self.tasks.append(task)
        outs = [mount for mount in task.mounts if mount.writable and mount.target != "/work"]
        for name, data in self.makes.get(task.name, {}).items():
            path = outs[0].source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        on_line("a line")
        task.log.write_text(self.log)
        return self.outcomes.get(task.name, FINE)


def a_library(name: str, *needs: str, ship: tuple[str, ...] = ("lib/*.so",), script: str = "make install") -> Library:
    return Library(
        name=name,
        version="1.0",
        source=Source(url="https://nowhere.invalid/demo.tar.gz", sha256=SHA256),
        script=script,
        needs=needs,
        ship=ship,
        settings=Settings(env={"LEVEL": "1"}, flags={"CFLAGS": "-DMORE"}),
        arch_settings={"x86_64": Settings(env={"LEVEL": "2"}), "arm64": Settings(env={"LEVEL": "3"})},
    )


@dataclass(frozen=True, kw_only=True)
class BuildContext:
    """What the source steps of one plan are carried out with."""

    plan: Plan
    builder: Builder
    search: Search
    workspace: Path
    logs: Path
    memory: int = MEMORY
    timeout: float = TIMEOUT
    clock: SharedClock = field(default_factory=SharedClock)


def build(context: BuildContext, jobs: int) -> Built:
    """Carries out the source steps of a plan as a call for its layer does, and raises what one of them failed with."""
    search, planned = context.search, context.plan
    again: tuple[str, ...] = ()
    for _ in range(2):
        made = _carried_out(context, jobs, again)
        try:
            return collected(planned, search.store, context.workspace, search.progress, made)
        except LackingError as error:
            again = error.keys
            (context.workspace / "built").rename(context.workspace / "damaged")
    raise AssertionError("what was made again is not there")


def _carried_out(context: BuildContext, jobs: int, again: tuple[str, ...]) -> frozenset[str]:
    """The keys of the steps that were made."""
    search, planned = context.search, context.plan
    wanted = lacking(planned, search.store, again)
    graph = [step_job(planned, step, context.builder.image, wanted, search) for step in wanted.values()]
    numbers, total = itertools.count(1), sum(isinstance(step, Compiled) for step in wanted.values())

    def perform(job: Job) -> Done:
        work = wire.work_of(job.task)
        assert isinstance(work, StepWork)
        step = StepContext(
            builder=context.builder,
            search=search,
            workspace=Path(tempfile.mkdtemp(dir=context.workspace)),
            logs=context.logs,
            memory=context.memory,
            timeout=context.timeout,
            clock=context.clock,
        )
        return Done(key=job.key, note=carry_out(work, step, lambda: f"{next(numbers)} of {total}"))

    runner = ThreadsRunner(perform=perform, jobs=jobs, stop=context.builder.stop)
    errors: list[LayerforgeError] = []
    for result in runner.run(graph, fail_fast=True):
        errors += [result.error] if isinstance(result, Failed) else []
    if errors:
        raise errors[0]
    return frozenset(wanted)
