"""Opens the place of a store by its address."""

from __future__ import annotations

from pathlib import Path

from layerforge.core.store.objects import FolderObjects, Objects


def opened(url: str) -> Objects:
    """The place that a user names."""
    return FolderObjects(root=Path(url).expanduser())
