"""What one layer is to be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from layerforge.resolve.left_out import LeftOut
from layerforge.resolve.recipe import (
    Budget,
    Bytecode,
    Check,
    Data,
    Library,
    Linked,
    Patch,
    Prune,
    SourcePackage,
    WarmUp,
)
from layerforge.resolve.variant import Variant


@dataclass(frozen=True, kw_only=True)
class LayerSpec:
    """What a person wants of a layer and, once it is composed, what the recipes of its packages say of it."""

    name: str
    requires: tuple[str, ...]
    folder: Path | None = None
    """Of the recipe that is the target, where one is."""
    leave_out: tuple[str, ...] = ()
    """Packages that stay out, and what only they need; ``runtime`` stands for what Lambda's own Python has."""
    left_out: tuple[LeftOut, ...] = ()
    """The packages that do stay out, once the layer is locked."""
    exact: bool = False
    """Whether it holds its pins and nothing else, whatever these require: the layer of a zip that is built again. It
    decides no bytes.
    """
    budget: Budget = field(default_factory=Budget)
    bytecode: Bytecode = field(default_factory=Bytecode)
    prune: Mapping[str, Prune] = field(default_factory=dict)
    """By package."""
    check: Check = field(default_factory=Check)
    libraries: tuple[Library, ...] = ()
    packages: tuple[SourcePackage, ...] = ()
    """Packages that are compiled."""
    build_packages: tuple[str, ...] = ()
    """Packages of the image's own system (dnf, yum or apt) that its steps need beside what the image has."""
    system: tuple[str, ...] = ()
    """Sonames of the image's own libraries that the layer ships."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables of the function, where the files are there that they name."""
    data: tuple[Data, ...] = ()
    patches: tuple[Patch, ...] = ()
    linked: tuple[Linked, ...] = ()
    """Archives of the image that are linked into what is compiled."""
    prime: tuple[WarmUp, ...] = ()
    """What runs before a snapshot of a function is taken."""
    variant: Variant | None = None
    """What the layer is without, where it is a variant."""

    @property
    def compiled(self) -> frozenset[str]:
        """Names of the packages that are compiled."""
        return frozenset(part.name for part in self.packages)

    def compiling(self, names: Iterable[str]) -> LayerSpec:
        """The spec that compiles the packages of these names too."""
        wanted = dict.fromkeys(name for name in names if name not in self.compiled)
        more = tuple(SourcePackage(name=name, shares_declared=True) for name in wanted)
        return replace(self, packages=(*self.packages, *more))
