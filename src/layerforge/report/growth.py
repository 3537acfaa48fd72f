"""How much a layer may grow, and what has grown beyond that."""

from __future__ import annotations

from dataclasses import dataclass

from layerforge.core.text import megabytes
from layerforge.report.diff import Changes, Delta


@dataclass(frozen=True, kw_only=True)
class GrowthLimit:
    """Growth that is allowed: a share of what was before, or bytes."""

    share: float | None = None
    size: int | None = None

    @property
    def text(self) -> str:
        """``2%`` or ``500.0 kB``."""
        return f"{self.share * 100:.10g}%" if self.share is not None else megabytes(self.size or 0)

    def allows(self, delta: Delta) -> bool:
        """Whether the growth stays within."""
        most = delta.before * self.share if self.share is not None else self.size or 0
        return delta.change <= most


def growth_beyond(changes: Changes, limit: GrowthLimit) -> tuple[tuple[str, Delta], ...]:
    """Which of the layer's two sizes grew beyond ``limit``."""
    sizes = (("unzipped", changes.unzipped), ("zipped", changes.zipped))
    return tuple((name, delta) for name, delta in sizes if not limit.allows(delta))
