"""Whose file a module came from, and what a recipe calls it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from layerforge.core.paths import below_site
from layerforge.examine.examination import Examination


@dataclass(frozen=True, kw_only=True)
class Owners:
    """A layer's files, by where a function sees them."""

    examination: Examination
    opt: str = "/opt"
    """Where the function sees the layer."""
    waiting: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By file, below ``python/``, the imports that wait in the layer as it is."""

    def path(self, file: str) -> str:
        """What a recipe calls a source: its path below ``python/``; empty for what is none of the layer."""
        return below_site(self._inside(file)) if file.endswith(".py") else ""

    def package(self, file: str) -> str:
        """The package that a source belongs to; empty where it is none of the layer."""
        member = self.examination.by_path.get(self._inside(file)) if file.endswith(".py") else None
        return member.package if member else ""

    def _inside(self, file: str) -> str:
        return next((file.removeprefix(f"{top}/") for top in (self.opt, "/opt") if file.startswith(f"{top}/")), "")
