"""A shop for workers of tests whose jobs run in real containers."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from fakes import FakeProgress, target
from layerforge.build.container.connect import connect
from layerforge.build.container.docker_engine import DockerEngine
from layerforge.build.container.images import find_image
from layerforge.build.engine import Task
from layerforge.build.errors import EngineError
from layerforge.build.graph import Done
from layerforge.core.errors import StepError


@dataclass(frozen=True)
class ContainerShop:
    """Runs the shell lines that its jobs are, each in a container of its own."""

    engine: DockerEngine
    folder: Path

    def perform(self, key: str, task: str, tell: Callable[[str], None]) -> Done:
        with (self.folder / "log").open("a") as log:
            log.write(f"begin {key}\n")
        ran = Task(
            name=key,
            argv=("/bin/sh", "-c", json.loads(task)["script"]),
            env={"PATH": "/usr/bin:/bin"},
            mounts=(),
            workdir="/tmp",
            log=self.folder / f"{key}.log",
            memory=2**28,
            timeout=600,
        )
        outcome = replace(self.engine, job_key=key).perform(ran, tell)
        if outcome.status:
            raise StepError(f"{key} ended with {outcome.status}", details=tuple(outcome.output.splitlines()))
        return Done(key=key, note=outcome.output)

    def stop(self, key: str) -> None:
        replace(self.engine, job_key=key).stop()

    def close(self) -> None:
        with suppress(EngineError):
            self.engine.stop()
        self.engine.client.close()


def container_shop(settings: str) -> ContainerShop:
    """The shop of an image and a folder."""
    image, folder = json.loads(settings)
    client = connect()
    return ContainerShop(
        engine=DockerEngine(client=client, image=find_image(client, target(), image, FakeProgress())),
        folder=Path(folder),
    )
