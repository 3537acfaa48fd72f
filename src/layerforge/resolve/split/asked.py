"""What a split is asked for, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from layerforge.core.limits import LAMBDA_UNZIPPED_LIMIT

MOST_LAYERS = 5
"""Layers that a function may have."""


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """A package with what it takes of a function's room, and what it cannot do without."""

    name: str
    """Normalised name."""
    version: str = ""
    bytes: int
    """Unzipped, once its layer is optimised."""
    requires: tuple[str, ...] = ()
    """Names of packages that a function with this one has to have too."""
    library: bool = False
    """Whether it is no package of an index, so that no layer is called after it."""


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function that layers are for."""

    name: str
    """Letters, digits, hyphens and underscores."""
    roots: tuple[str, ...]
    """Names of the packages that it asks for itself."""
    room: int = 0
    """Bytes of its own code, and of what else it needs, unzipped."""
    own_layers: int = 0
    """Layers, 0 to 5, that it has besides those which are planned."""

    @property
    def most_layers(self) -> int:
        """Planned layers that it can have."""
        return MOST_LAYERS - self.own_layers

    @property
    def most_bytes(self) -> int:
        """Bytes that these layers may take together."""
        return LAMBDA_UNZIPPED_LIMIT - self.room


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer of a plan."""

    name: str
    packages: tuple[str, ...]
    """Names, sorted."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """By package, where it was planned before and the versions are known."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """All that decides a split."""

    packages: tuple[Weighed, ...]
    functions: tuple[Function, ...]
    ties: tuple[frozenset[str], ...] = ()
    """Names of packages that have to lie in the same layer."""
    last: tuple[Layer, ...] = ()
    """The layers of the last split, which stay as they are where that costs little."""
    reserved: tuple[str, ...] = ()
    """Names that other layers have."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """Which packages lie in which layer, and which function has which layers."""

    layers: tuple[Layer, ...]
    """Sorted: what most functions have comes first."""
    functions: Mapping[str, tuple[str, ...]]
    """Names of its layers by function, in the order of the layers."""
    needed: Mapping[str, int]
    """Bytes by function of what it needs, with what is tied to it."""
    carried: Mapping[str, int]
    """Bytes by function of all its layers."""

    @property
    def waste(self) -> int:
        """Bytes that functions carry and do not need, all functions together."""
        return sum(self.carried.values()) - sum(self.needed.values())
