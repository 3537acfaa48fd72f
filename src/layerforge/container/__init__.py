"""The container engine: finding it, its images, and running source steps and finished layers in it."""

from layerforge.container.connecting import connect, unavailable
from layerforge.container.engine import DockerEngine
from layerforge.container.images import build_image_here, find_image

__all__ = ["DockerEngine", "build_image_here", "connect", "find_image", "unavailable"]
