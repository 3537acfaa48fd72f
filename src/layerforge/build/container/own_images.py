"""The build images that a machine has, told so that another process of it finds them again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from docker import DockerClient

from layerforge.build.container.connect import connect
from layerforge.build.container.docker_engine import DockerEngine
from layerforge.build.container.images import find_image
from layerforge.build.engine import Image
from layerforge.core import runtimes
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Arch


@dataclass(frozen=True, kw_only=True)
class OwnImage:
    """A build image of this machine."""

    python: str
    arch: Arch
    reference: str = ""
    """Its name; empty for the one that is made here for that Python and processor."""

    def found(self, client: DockerClient, progress: Progress) -> Image:
        """The image itself. Raises ``EngineError`` where it is not there."""
        return find_image(client, runtimes.target(self.python, str(self.arch)), self.reference or None, progress)


def engines(images: Iterable[OwnImage], progress: Progress) -> dict[str, DockerEngine]:
    """By identity of its image, an engine for each. Raises ``EngineError`` where one is not there."""
    client = connect()
    found = [one.found(client, progress) for one in images]
    return {image.identity: DockerEngine(client=client, image=image) for image in found}
