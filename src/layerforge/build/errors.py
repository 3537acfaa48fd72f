"""The errors of container engines and of clusters."""

from __future__ import annotations

from layerforge.core.errors import LayerforgeError


class EngineError(LayerforgeError):
    """The container engine is missing or failed."""

    exit_code = 5
    title = "engine"


class ClusterError(LayerforgeError):
    """A cluster of workers is missing, refuses, or has no worker that could take a job."""

    exit_code = 5
    title = "cluster"
