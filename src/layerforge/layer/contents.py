"""What a layer holds, whether it was just built or is read from a zip."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol


class Contents(Protocol):
    """The files of a layer by their paths. A ``Tree`` is one, and so is a zip that is read."""

    @property
    def paths(self) -> Collection[str]:
        """Every path of the layer."""

    def read(self, path: str) -> bytes | None:
        """The bytes of a file; ``None`` where there is none."""
