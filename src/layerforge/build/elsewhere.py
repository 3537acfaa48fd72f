"""What runs steps and layers on other machines, as far as planning on this one needs it: this one runs nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from layerforge.build.engine import FUNCTION_MEMORY, Image, Job, Outcome, Task, container_identity
from layerforge.build.errors import ClusterError
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Target

REFUSAL = "it is run on the cluster alone"
"""Why this machine does not run a layer. A verdict for that reason is about no engine, so nobody keeps it."""

_OWN = "plan it on a machine with a container engine and that image"


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """An engine and a builder of other machines. What is planned with it has the keys that they give it."""

    image: Image
    memory: int = FUNCTION_MEMORY
    """Bytes of the function that checks run in."""
    name: str = "docker"
    has_runtime_packages: bool = True

    @property
    def identity(self) -> str:
        """That of the workers' engine, so that a verdict of theirs is found."""
        return container_identity(self.image, self.memory)

    def refusal(self, target: Target) -> str:  # noqa: ARG002
        """Why nothing is run here."""
        return REFUSAL

    def run(self, job: Job) -> Outcome:
        """Raises ``ClusterError``."""
        self._refuse(f"a layer for {job.target.label} was to be run on this machine")

    def equipped(self, packages: tuple[str, ...], progress: Progress) -> Elsewhere:  # noqa: ARG002
        """Raises ``ClusterError`` where there are packages: what comes of an image with them only its engine knows."""
        if not packages:
            return self
        raise ClusterError(
            f"the steps need packages that are installed into the image first: {', '.join(packages)}",
            hint=f"{_OWN}, where they can be installed; or let the workers' image have them and take them out of the "
            "recipe's [build] packages",
            details=(f"the workers' image is {self.image.reference} ({self.image.digest})",),
        )

    def perform(self, task: Task, on_line: Callable[[str], None]) -> Outcome:  # noqa: ARG002
        """Raises ``ClusterError``."""
        self._refuse(f"{task.name} was to be run on this machine")

    def copy_out(self, path: str, into: Path) -> None:  # noqa: ARG002
        """Raises ``ClusterError``."""
        self._refuse(f"{path} was to be copied out of an image that is not on this machine")

    def stop(self) -> None:
        """Nothing runs here."""

    def _refuse(self, what: str) -> NoReturn:
        raise ClusterError(
            f"{what}, which has but planned with the workers' image {self.image.reference}",
            hint=f"{_OWN}, or let a cluster do it (--cluster)",
        )
