"""A builder that runs nothing, and what it is given to make."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from layerforge.build.engine import Image, Outcome, Task
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Arch
from layerforge.resolve.recipe import Library, Settings, Source

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
