"""What is known of packages: the nouns of a recipe. Sizes are bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

LONGEST_NAME = 100
"""Characters of a recipe's name: the target comes behind it in what Lambda is told."""


class BytecodeMode(StrEnum):
    """Where compiled modules stand: ``__pycache__`` beside the source, instead of the source, or nowhere."""

    BESIDE = "beside"
    ONLY = "only"
    NONE = "none"


class Docstrings(StrEnum):
    """Whether the bytecode keeps docstrings or has them emptied to ``''``. Sources always stay whole."""

    KEEP = "keep"
    DROP = "drop"


class Compression(StrEnum):
    """How much time deflate may take."""

    FAST = "fast"
    SMALL = "small"
    MAX = "max"


@dataclass(frozen=True, kw_only=True)
class Bytecode:
    """How modules are compiled."""

    mode: BytecodeMode = BytecodeMode.BESIDE
    docstrings: Docstrings = Docstrings.KEEP
    keep_docstrings: tuple[str, ...] = ()
    """Globs below ``python/`` whose docstrings stay where the others are dropped."""
    optimize: int = 0


@dataclass(frozen=True, kw_only=True)
class Prune:
    """What a recipe removes beyond the default rules, and what it keeps in spite of them. Globs below ``python/``."""

    remove: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Check:
    """How a finished layer proves itself."""

    imports: tuple[str, ...] = ()
    script: str = ""
    """Source text of the recipe's ``check.py``; empty where there is none."""
    single: tuple[str, ...] = ()
    """Globs of library file names of which the layer may hold one copy at most."""
    excused: Mapping[str, str] = field(default_factory=dict)
    """Why a package's own tests may fail on the layer alone, by glob of the test's id."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Most bytes that a recipe allows its layer; ``None`` is no limit."""

    unzipped: int | None = None
    zipped: int | None = None

    def exceeded(self, unzipped: int, zipped: int) -> tuple[tuple[str, int, int], ...]:
        """Name, bytes and most bytes of each size of a layer that is above its budget."""
        rows = (("unzipped", unzipped, self.unzipped), ("zipped", zipped, self.zipped))
        return tuple((name, size, most) for name, size, most in rows if most is not None and size > most)


@dataclass(frozen=True, kw_only=True)
class Source:
    """An archive of sources and what it has to be."""

    url: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a recipe sets for one step."""

    env: Mapping[str, str] = field(default_factory=dict)
    """Variables, in the place of the step's own."""
    flags: Mapping[str, str] = field(default_factory=dict)
    """What is added to variables, such as to ``CFLAGS``."""
    config: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Settings for the package's build backend (PEP 517)."""


@dataclass(frozen=True, kw_only=True)
class Library:
    """Native code that a recipe compiles with a script of its own."""

    name: str
    version: str
    source: Source
    script: str
    needs: tuple[str, ...] = ()
    settings: Settings = Settings()
    arch_settings: Mapping[str, Settings] = field(default_factory=dict)
    """By processor, beyond ``settings``."""
    ship: tuple[str, ...] = ()
    """Globs below the library's prefix that the layer gets."""


@dataclass(frozen=True, kw_only=True)
class SourcePackage:
    """A Python package that a recipe compiles from its source distribution."""

    name: str
    needs: tuple[str, ...] = ()
    settings: Settings = Settings()
    arch_settings: Mapping[str, Settings] = field(default_factory=dict)
    """By processor, beyond ``settings``."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What differs from "install the locked wheels". A bare requirement makes an otherwise empty one."""

    name: str
    requires: tuple[str, ...]
    folder: Path | None = None
    budget: Budget = Budget()
    bytecode: Bytecode = Bytecode()
    prune: Prune = Prune()
    check: Check = Check()
    libraries: tuple[Library, ...] = ()
    packages: tuple[SourcePackage, ...] = ()
    """Packages that are compiled where a container engine is used, and come from their wheels elsewhere."""
    build_requires: tuple[str, ...] = ()
    """What the packages are compiled with, beyond what they declare themselves."""
    build_packages: tuple[str, ...] = ()
    """Packages of the image's own system (dnf, yum or apt) that its steps need beside what the image has."""
    system: tuple[str, ...] = ()
    """Sonames of the image's own libraries that the layer ships."""
    arch_system: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """More of them, by processor."""

    @property
    def compiled(self) -> frozenset[str]:
        """Names of the packages that are compiled."""
        return frozenset(part.name for part in self.packages)

    def compiling(self, names: Iterable[str]) -> Recipe:
        """The recipe that compiles the packages of these names too."""
        more = tuple(SourcePackage(name=name) for name in dict.fromkeys(names) if name not in self.compiled)
        return replace(self, packages=(*self.packages, *more))
