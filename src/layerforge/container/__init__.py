"""The container engine: finding it, its images, and running source steps and finished layers in it."""

from layerforge.container.connecting import available, connect
from layerforge.container.engine import DockerEngine
from layerforge.container.images import find_image

__all__ = ["DockerEngine", "available", "connect", "find_image"]
