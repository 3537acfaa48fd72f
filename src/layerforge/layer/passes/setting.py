"""What a pass gets besides the tree, and what it says it did."""

from __future__ import annotations

from dataclasses import dataclass

from layerforge.build.interpreters import Interpreter
from layerforge.core.progress import Progress, Step
from layerforge.core.runtimes import Target
from layerforge.core.store.protocol import Store
from layerforge.layer.ahead import Ahead
from layerforge.layer.tree import Edit
from layerforge.resolve.layer_spec import LayerSpec

UNCOMPILABLE = "does not compile"
"""How the reason begins for which the bytecode pass leaves a source alone."""


@dataclass(frozen=True, kw_only=True)
class LeftAlone:
    """A file that a pass would have changed but left as it was, and why."""

    path: str
    reason: str
    bytes: int = 0
    removable: bool = False
    """Whether a recipe may remove it, who knows that no function reads it."""


@dataclass(frozen=True, kw_only=True)
class PassResult:
    """What one pass did."""

    name: str
    edits: tuple[Edit, ...]
    left: tuple[LeftAlone, ...] = ()

    @property
    def saved(self) -> int:
        """Unzipped bytes that the pass saved."""
        return sum(edit.saved for edit in self.edits)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a pass may look at besides the tree."""

    spec: LayerSpec
    target: Target
    interpreter: Interpreter | None
    store: Store
    step: Step
    progress: Progress
    ahead: Ahead | None = None
    """Modules that are compiled already, where that was begun."""
