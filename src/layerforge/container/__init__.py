"""The container engine: finding it, its images, and running source steps and finished layers in it."""

from layerforge.container.connecting import available, connect
from layerforge.container.engine import DockerEngine
from layerforge.container.images import find_image
from layerforge.container.owning import stop_all

__all__ = ["DockerEngine", "available", "connect", "find_image", "stop_all"]
