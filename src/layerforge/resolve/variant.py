"""Variants: targets that leave parts of packages out in their own layer, and say so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from packaging.utils import canonicalize_name

from layerforge.core import guarded
from layerforge.core.errors import UsageError
from layerforge.core.text import counted


@dataclass(frozen=True, kw_only=True)
class Without:
    """What a variant leaves out of one package, for one reason."""

    package: str
    """Normalised name."""
    what: str
    """What people cannot do then, in their words: ``mmread, mmwrite``."""
    modules: tuple[str, ...] = ()
    """Absolute names. All of a package that is named goes, and a stub that says so takes the place of each module."""
    names: tuple[str, ...] = ()
    """What ``import *`` takes of the compiled modules among them, which no source says."""
    files: tuple[str, ...] = ()
    """Globs below ``python/`` of the package's files that go without a stub."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A layer that is without parts of its packages."""

    name: str
    of: str
    """The target that has everything."""
    says: str
    """What it is for, as the end of a sentence: ``to predict with trained models``."""
    proves: tuple[str, ...] = ()
    """Packages whose own checks are about what is left out too, so that the variant's counts in their place."""
    without: tuple[Without, ...] = ()

    @property
    def packages(self) -> frozenset[str]:
        """Those that parts are left out of."""
        return frozenset(one.package for one in self.without)

    @property
    def told(self) -> str:
        """What is known of it in one sentence."""
        return f"{self.name} is a variant of {self.of}, {self.says}: it is without {'; '.join(self.whats)}"

    @property
    def whats(self) -> tuple[str, ...]:
        """All that people cannot do with it."""
        return tuple(dict.fromkeys(one.what for one in self.without))

    def has(self, module: str) -> bool:
        """Whether a module of that absolute name, with all that it lies in, is left in."""
        gone = {name for one in self.without for name in one.modules}
        parts = module.split(".")
        return gone.isdisjoint(".".join(parts[:count]) for count in range(1, len(parts) + 1))


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A variant, or nothing of the kind, and the requirements that stand in a request beside it."""

    variant: Variant | None = None
    requires: Sequence[str] = ()
    """Without the variant's own."""

    @classmethod
    def of(cls, variant: Variant) -> Asked:
        """A variant by itself."""
        return cls(variant=variant)


def of_layer(asked: Iterable[Asked]) -> Variant | None:
    """The variant that a layer is, which is asked for in several ways.

    Raises ``UsageError`` for two variants, and where a package is asked for that the variant leaves parts out of.
    """
    asked = list(asked)
    found: Mapping[str, Variant] = {one.variant.name: one.variant for one in asked if one.variant}
    if not found:
        return None
    variant, *others = found.values()
    if others:
        names = ", ".join(found)
        raise UsageError(
            f"a layer is one variant at most, and {counted(len(found), 'variant')} are asked for: {names}",
            hint=f"build them one by one; {variant.of} leaves nothing out",
        )
    named = {canonicalize_name(guarded.requirement(text).name) for one in asked for text in one.requires}
    if whole := sorted(named & variant.packages):
        raise UsageError(
            f"{variant.name} leaves parts of {', '.join(whole)} out, and the same layer is to have "
            f"{'it' if len(whole) == 1 else 'them'} whole",
            hint=f"name one of the two: {variant.name}, or what is to be whole",
        )
    return variant
