"""The engine that runs source steps and finished layers in containers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from docker import DockerClient

from layerforge.build.container import function, images, sandbox
from layerforge.build.container.cleanup import stop_all
from layerforge.build.container.run import perform
from layerforge.build.engine import FUNCTION_MEMORY, Image, Job, Outcome, Task, container_identity
from layerforge.build.function import FunctionAnswer, FunctionCall
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Target

SPARE = 512 * 2**20


@dataclass(frozen=True, kw_only=True)
class DockerEngine:
    """A container engine with the image that everything runs in. Fit for several threads."""

    client: DockerClient
    image: Image
    memory: int = FUNCTION_MEMORY
    """Bytes of the function that checks run in."""
    spare: int = SPARE
    """Bytes of the disk that a source step may not take."""
    job_key: str = ""
    """Which job of this process its containers belong to, where that does several; ``stop`` ends these alone."""
    name: str = "docker"
    has_runtime_packages: bool = True

    @property
    def processors(self) -> int:
        """How many the engine's machine has. Raises ``EngineError``."""
        return sandbox.machine(self.client)

    @property
    def identity(self) -> str:
        """The image and the function's memory."""
        return container_identity(self.image, self.memory)

    def refusal(self, target: Target) -> str:
        """Why the image cannot run the target's code; empty where it can. Raises ``EngineError``."""
        if self.image.arch is not target.arch:
            return f"the image {self.image.reference} is for {self.image.arch}, the layer for {target.arch}"
        return sandbox.lacking(self.client, self.image, target.python)

    def run(self, job: Job) -> Outcome:
        """Runs a job as Lambda would run it. Raises ``EngineError``."""
        return sandbox.invoke(self.client, self.image, self.memory, job, self.job_key)

    def invoke(self, call: FunctionCall) -> FunctionAnswer:
        """Invokes a function as Lambda would. Raises ``EngineError``."""
        return function.invoke(self.client, self.image, call, self.job_key)

    def equipped(self, packages: tuple[str, ...], progress: Progress) -> DockerEngine:
        """The engine with an image that has more packages of its system. Raises ``EngineError``."""
        return replace(self, image=images.with_packages(self.client, self.image, packages, progress))

    def perform(self, task: Task, on_line: Callable[[str], None]) -> Outcome:
        """Runs a source step in a container of its own. Raises ``EngineError``."""
        return perform(self.client, self.image, self.spare, task, on_line, self.job_key)

    def copy_out(self, path: str, into: Path) -> None:
        """Copies a folder of the image to this machine. Raises ``EngineError``."""
        images.copy_out(self.client, self.image, path, into)

    def stop(self) -> None:
        """Ends every source step that runs; of one job, where it is one's. Raises ``EngineError``."""
        stop_all(self.client, self.job_key)
