"""The error of container engines."""

from __future__ import annotations

from layerforge.core.errors import LayerforgeError


class EngineError(LayerforgeError):
    """The container engine is missing or failed."""

    exit_code = 5
    title = "engine"
