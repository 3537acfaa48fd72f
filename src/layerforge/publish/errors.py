"""The error of publishing."""

from __future__ import annotations

from layerforge.core.errors import LayerforgeError


class PublishError(LayerforgeError):
    """Publishing failed, wholly or in some Region."""

    exit_code = 8
    title = "publish"
