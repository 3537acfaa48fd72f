"""The build images that a machine has, told so that another process of it finds them again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from docker import DockerClient
from docker.errors import ImageNotFound

from layerforge.build.container.connect import connect, unavailable
from layerforge.build.container.docker_engine import DockerEngine
from layerforge.build.container.errors import as_engine_error
from layerforge.build.container.images import build_image_here, find_image
from layerforge.build.engine import Image
from layerforge.build.errors import EngineError
from layerforge.core import runtimes
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Arch, Target


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


def engine_here(target: Target, reference: str, progress: Progress) -> DockerEngine | None:
    """This machine's engine with the image that ``reference`` names, or with the target's own; ``None`` where there is
    no engine, or no such image that it could run. Nothing is pulled or made for it.
    """
    if unavailable():
        return None
    client = connect()
    try:
        if _lies_here(client, target, reference):
            return DockerEngine(client=client, image=find_image(client, target, reference or None, progress))
    except EngineError as error:
        progress.aside(error.message)
    client.close()
    return None


def _lies_here(client: DockerClient, target: Target, reference: str) -> bool:
    if not reference:
        return build_image_here(client, target)
    with as_engine_error():
        try:
            client.images.get(reference)
        except ImageNotFound:
            return False
    return True
