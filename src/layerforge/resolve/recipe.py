"""What is known of packages: the nouns of a recipe. Sizes are bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from packaging.specifiers import SpecifierSet

from layerforge.resolve.variant import Variant

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


class Columns(StrEnum):
    """Whether the bytecode tells the columns of what runs besides its line; a traceback marks them below the source."""

    KEEP = "keep"
    DROP = "drop"


class Compression(StrEnum):
    """How much time deflate may take."""

    FAST = "fast"
    SMALL = "small"
    MAX = "max"


EVERY_FILE = "**"
"""Glob of all files of a package."""


@dataclass(frozen=True, kw_only=True)
class CodeRules:
    """How the modules of one package are compiled."""

    docstrings: Docstrings = Docstrings.KEEP
    keep_docstrings: tuple[str, ...] = ()
    """Globs below ``python/`` of the package's files whose docstrings stay where its others are dropped."""
    columns: Columns = Columns.KEEP
    """What becomes of columns where the sources are there. Nothing could show them where they are not."""
    optimize: int = 0
    defer: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Modules whose imports wait until something uses them, by the file below ``python/`` that imports them."""
    lazy: tuple[str, ...] = ()
    """Globs below ``python/`` of the package's files whose imports are lazy (PEP 810), for Python 3.15 and later;
    ``EVERY_FILE`` alone where it is all of them.
    """

    def decided(self, docstrings: Docstrings) -> CodeRules:
        """The same with what a person says of docstrings, which level 2 would leave out too."""
        optimize = min(self.optimize, 1) if docstrings is Docstrings.KEEP else self.optimize
        return replace(self, docstrings=docstrings, optimize=optimize)


@dataclass(frozen=True, kw_only=True)
class Bytecode:
    """How a layer's modules are compiled."""

    mode: BytecodeMode = BytecodeMode.BESIDE
    docstrings: Docstrings = Docstrings.KEEP
    """Of packages that ``packages`` does not name."""
    packages: Mapping[str, CodeRules] = field(default_factory=dict)
    """By package, where a recipe says it."""

    def rules_of(self, package: str) -> CodeRules:
        """What counts for the modules of a package."""
        return self.packages.get(package) or CodeRules(docstrings=self.docstrings)

    @property
    def waits(self) -> bool:
        """Whether an import of some module waits until something uses it."""
        return self.mode is not BytecodeMode.NONE and any(one.defer or one.lazy for one in self.packages.values())

    def drops_columns(self, rules: CodeRules) -> bool:
        """Whether what is compiled by ``rules`` tells no columns."""
        return self.mode is BytecodeMode.ONLY or rules.columns is Columns.DROP

    @property
    def told(self) -> str:
        """What becomes of docstrings, in words: ``keep``, ``drop``, or ``drop in numpy, scipy``."""
        others = [name for name, one in sorted(self.packages.items()) if one.docstrings is not self.docstrings]
        other = Docstrings.KEEP if self.docstrings is Docstrings.DROP else Docstrings.DROP
        return f"{other} in {', '.join(others)}" if others else str(self.docstrings)

    @property
    def told_of_columns(self) -> str:
        """What becomes of columns, in the same words."""
        if self.mode is BytecodeMode.ONLY:
            return str(Columns.DROP)
        dropping = [name for name, one in sorted(self.packages.items()) if self.drops_columns(one)]
        return f"{Columns.DROP} in {', '.join(dropping)}" if dropping else str(Columns.KEEP)

    def decided(self, docstrings: Docstrings) -> Bytecode:
        """The same with what a person says of every package's docstrings; what has to keep them does."""
        packages = {name: one.decided(docstrings) for name, one in self.packages.items()}
        return replace(self, docstrings=docstrings, packages=packages)


@dataclass(frozen=True, kw_only=True)
class Prune:
    """What of a package goes beyond the default rules, and what stays in spite of them. Globs below ``python/``."""

    remove: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CheckScript:
    """A program that proves a package."""

    package: str
    text: str


@dataclass(frozen=True, kw_only=True)
class WarmUp:
    """A module that does for the first time, before a snapshot is taken, what a package's functions do."""

    package: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Check:
    """How a finished layer, or what it holds of one package, proves itself."""

    imports: tuple[str, ...] = ()
    covered: tuple[str, ...] = ()
    """Packages whose modules ``imports`` names; of the others what their files tell is imported."""
    scripts: tuple[CheckScript, ...] = ()
    """Run one after another, in one process."""
    single: tuple[str, ...] = ()
    """Globs of library file names of which the layer may hold one copy at most."""
    excused: Mapping[str, str] = field(default_factory=dict)
    """Why a package's own tests may fail on the layer alone, by glob of the test's id."""


def checks_together(checks: Iterable[Check]) -> Check:
    """What several checks prove together."""
    checks = list(checks)
    return Check(
        imports=tuple(sorted({name for one in checks for name in one.imports})),
        covered=tuple(sorted({name for one in checks for name in one.covered})),
        scripts=tuple(script for one in checks for script in one.scripts),
        single=tuple(sorted({glob for one in checks for glob in one.single})),
        excused={glob: why for one in checks for glob, why in one.excused.items()},
    )


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
    module_flags: Mapping[str, str] = field(default_factory=dict)
    """Flags that are added to the commands that make single files, by glob of the file; of several, all in turn."""


@dataclass(frozen=True, kw_only=True)
class Need:
    """Another recipe that something is compiled with, and that the layer needs with it."""

    name: str
    versions: str = ""
    """Those that will do, as in a requirement; any where it is empty."""

    def allows(self, version: str) -> bool:
        """Whether a version will do."""
        return SpecifierSet(self.versions).contains(version, prereleases=True)


@dataclass(frozen=True, kw_only=True)
class Library:
    """Native code that is compiled with a script of its recipe."""

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
    minutes: float = 0.0
    """How long it took on two processors; 0 where nobody knows."""


@dataclass(frozen=True, kw_only=True)
class SourcePackage:
    """A Python package that is compiled from its source distribution."""

    name: str
    needs: tuple[str, ...] = ()
    settings: Settings = Settings()
    arch_settings: Mapping[str, Settings] = field(default_factory=dict)
    """By processor, beyond ``settings``."""
    build_requires: tuple[str, ...] = ()
    """What it is compiled with, beyond what it declares itself."""
    shares_declared: bool = False
    """Whether what it declares to be compiled with has the layer's version: where no recipe says what it needs."""
    build_lock: Path | None = None
    """Where its build environment is locked for the versions that this says; ``None`` where its recipe has none."""
    minutes: float = 0.0
    """How long it took on two processors; 0 where nobody knows."""


@dataclass(frozen=True, kw_only=True)
class Data:
    """A file that no wheel carries, or an archive of such files."""

    package: str
    """Whose recipe brings it."""
    name: str
    """Of the file, as its address ends."""
    source: Source
    into: str
    """Folder below ``/opt``."""
    unpack: bool = False
    """Whether it is a zip or tar whose files are wanted."""
    files: tuple[str, ...] = ()
    """Globs of the archive's files that are wanted; all of them where it is empty."""


@dataclass(frozen=True, kw_only=True)
class Patch:
    """A change of a package's installed files."""

    package: str
    name: str
    """Of its file in the recipe's ``patches/``."""
    text: str
    """A unified diff whose paths are those below ``python/``."""


@dataclass(frozen=True, kw_only=True)
class Linked:
    """An archive of the build image that is linked into native code of a package, where that is compiled."""

    package: str
    """Normalised name of the package whose files it is about."""
    name: str
    licence: str
    """SPDX expression."""
    into: str
    """Glob below ``python/`` of the files that hold it."""
    unless: str = ""
    """Soname of the library that does the same: a file which is linked to that does not hold the archive."""


@dataclass(frozen=True, kw_only=True)
class TargetLayer:
    """What makes a recipe a target of its own."""

    requires: tuple[str, ...]
    leave_out: tuple[str, ...] = ()
    """Packages that stay out, and what only they need."""
    budget: Budget = Budget()


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What is known of one Python package or one native library. It speaks of that one's own files alone.

    A variant is about no package of its own, and says what its own layer is without.
    """

    name: str
    """Normalised name of the package, library or variant."""
    folder: Path
    versions: str = ""
    """Of the package, that this was proved for (PEP 440); empty for a library, which has one of its own."""
    part: Library | SourcePackage | None = None
    """What is compiled; ``None`` where the package always comes from its wheel."""
    needs: tuple[Need, ...] = ()
    build_packages: tuple[str, ...] = ()
    """Packages of the image's own system (dnf, yum or apt) that compiling needs beside what the image has."""
    system: tuple[str, ...] = ()
    """Sonames of the image's own libraries that the layer ships."""
    arch_system: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """More of them, by processor."""
    prune: Prune = Prune()
    bytecode: CodeRules = CodeRules()
    check: Check = Check()
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables of the function."""
    data: tuple[Data, ...] = ()
    patches: tuple[Patch, ...] = ()
    linked: tuple[Linked, ...] = ()
    prime: WarmUp | None = None
    layer: TargetLayer | None = None
    variant: Variant | None = None

    @property
    def kind(self) -> str:
        """What it is about: a ``package``, a ``library``, or a ``variant`` of a layer."""
        return "variant" if self.variant else "library" if isinstance(self.part, Library) else "package"

    @property
    def of_package(self) -> bool:
        """Whether it is about a Python package."""
        return self.kind == "package"

    @property
    def compiles(self) -> bool:
        """Whether its package is compiled where that can be done."""
        return isinstance(self.part, SourcePackage)
