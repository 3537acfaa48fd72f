"""The nouns of layerforge: frozen records, enums and the Protocols that hold the parts together.

Standard library only. Sizes are bytes, durations seconds, digests lower-case hexadecimal SHA-256. A path inside a
layer is a POSIX string relative to ``/opt``, such as ``python/numpy/__init__.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

LAMBDA_UNZIPPED_LIMIT = 262_144_000
"""Bytes that a function and all its layers may take once unpacked."""

DIRECT_UPLOAD_LIMIT = 52_428_800
"""Zipped bytes up to which a layer can be published without a bucket."""

SITE = "python"
"""Folder of a layer that Lambda puts on ``sys.path`` as ``/opt/python``."""


UNCOMPILABLE = "does not compile"
"""How the reason begins for which the bytecode pass leaves a source alone."""

SYSTEM = "system libraries"
"""Name of the step that takes libraries out of the image."""


# --- what is asked for -----------------------------------------------------------------------------------------------


class Arch(StrEnum):
    """Processor of a function, in Lambda's own words."""

    X86_64 = "x86_64"
    ARM64 = "arm64"


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
class Runtime:
    """What one Lambda runtime offers to a layer. One table of ``data/runtimes.toml``."""

    python: str
    """Minor version, ``3.13``."""
    os: str
    glibc: tuple[int, ...]
    symbols: Mapping[str, tuple[int, ...]]
    """Newest symbol version by family: ``GLIBC``, ``GLIBCXX``, ``CXXABI``, ``GCC``."""
    manylinux: str
    """Newest manylinux policy of the runtime that uv can resolve for, ``manylinux_2_34``."""
    magic: int
    """Magic number of the interpreter's bytecode, without its two line-end bytes."""
    image: str
    deprecated: str
    """ISO date after which AWS no longer supports the runtime."""
    libraries: frozenset[str]
    """Sonames that the runtime itself provides."""
    packages: frozenset[str]
    """Top-level Python packages that the runtime itself provides."""
    versions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Oldest and newest version that it may have of some of them."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A runtime on a processor: what a layer is made for."""

    runtime: Runtime
    arch: Arch

    @property
    def python(self) -> str:
        return self.runtime.python

    @property
    def label(self) -> str:
        """``py313-x86_64``, the tail of a layer's file name."""
        return f"py{self.python.replace('.', '')}-{self.arch}"

    @property
    def cache_tag(self) -> str:
        """``cpython-313``, the tag in the name of a compiled module."""
        return f"cpython-{self.python.replace('.', '')}"


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


# --- lock and plan ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Pin:
    """One line of a lock: an exact version, the hashes it may have, and when it applies."""

    name: str
    """Normalised name."""
    version: str
    """Exact version; empty for a pin to an address."""
    hashes: tuple[str, ...]
    """``sha256:…``, sorted."""
    marker: str = ""
    address: str = ""
    """Where a direct reference points to; empty for a package of an index."""
    extras: tuple[str, ...] = ()
    """Extras that are asked for, sorted, so that a lock without what they need is found out."""


@dataclass(frozen=True, kw_only=True)
class Lock:
    """Exact versions with hashes, in pip's own format."""

    pins: tuple[Pin, ...]
    oldest_python: str = ""
    """Minor version that the lock was resolved for; empty where it does not say."""


@dataclass(frozen=True, kw_only=True)
class WheelStep:
    """Install one locked wheel."""

    pin: Pin


@dataclass(frozen=True, kw_only=True)
class LibraryStep:
    """Compile a library."""

    library: Library
    settings: Settings
    key: str
    """Digest of all that can change the result."""


@dataclass(frozen=True, kw_only=True)
class PackageStep:
    """Compile a package from its locked source distribution."""

    package: SourcePackage
    pin: Pin
    settings: Settings
    build_pins: tuple[Pin, ...]
    """What the build environment holds besides the packages that this one needs."""
    key: str


@dataclass(frozen=True, kw_only=True)
class SystemStep:
    """Take libraries out of the image."""

    sonames: tuple[str, ...]
    key: str


SourceStep = LibraryStep | PackageStep | SystemStep
PlanStep = WheelStep | SourceStep


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that decides the bytes of a layer, before anything happens."""

    recipe: Recipe
    target: Target
    compression: Compression
    interpreter: str
    """Full version of the interpreter that compiles the modules; empty where none does."""
    steps: tuple[PlanStep, ...]
    """In an order in which each finds what it needs."""
    epoch: int
    """Date of every entry of the archive, in unix seconds."""
    key: str
    """Digest of all that can change the result."""
    indexes: tuple[str, ...] = field(default=(), repr=False)
    """Options of a requirements file that say where wheels are looked for. They decide no byte, since every hash is
    enforced, and are written nowhere, since they may hold passwords."""

    @property
    def pins(self) -> tuple[Pin, ...]:
        """Every package of the layer, whether it comes from a wheel or is compiled."""
        return tuple(step.pin for step in self.steps if isinstance(step, WheelStep | PackageStep))


@dataclass(frozen=True, kw_only=True)
class Built:
    """Where the results of a plan's source steps lie, by name."""

    wheels: Mapping[str, Path] = field(default_factory=dict)
    shipped: Mapping[str, Path] = field(default_factory=dict)
    """Folders with what the layer gets as it is."""


# --- tree and edits --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Blob:
    """Bytes of a file, in memory or on disk, with their digest."""

    sha256: str
    size: int
    source: Path | bytes = field(repr=False)

    def read(self) -> bytes:
        """The bytes themselves."""
        return self.source if isinstance(self.source, bytes) else self.source.read_bytes()


@dataclass(frozen=True, kw_only=True)
class File:
    """A regular file of a layer."""

    path: str
    blob: Blob
    executable: bool = False
    package: str = ""
    """Distribution that the file came with, normalised; empty where no RECORD lists it."""

    @property
    def size(self) -> int:
        return self.blob.size


@dataclass(frozen=True, kw_only=True)
class Link:
    """A symbolic link of a layer."""

    path: str
    target: str
    """Relative to the folder of the link."""
    package: str = ""

    @property
    def size(self) -> int:
        return len(self.target.encode())


Entry = File | Link


@dataclass(frozen=True, kw_only=True)
class Package:
    """A distribution of a layer."""

    name: str
    """Normalised name."""
    version: str
    info: str
    """Path of its ``.dist-info`` folder."""
    origin: str = "wheel"
    """``wheel`` or ``compiled``."""
    licence: str = ""


@dataclass(frozen=True, kw_only=True)
class Tree:
    """Files of a layer, sorted by path, each path once."""

    entries: tuple[Entry, ...]
    packages: tuple[Package, ...] = ()

    @property
    def size(self) -> int:
        """Unzipped bytes, as Lambda counts them."""
        return sum(entry.size for entry in self.entries)

    @property
    def files(self) -> tuple[File, ...]:
        return tuple(entry for entry in self.entries if isinstance(entry, File))


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One proposed change of a tree: what stands at ``path`` becomes ``entry``, or goes where that is ``None``."""

    path: str
    entry: Entry | None
    reason: str
    """Why, as a short phrase that groups with others: ``tests``, ``symbols and debug sections``."""
    saved: int
    """Unzipped bytes won; negative where the edit adds some."""


@dataclass(frozen=True, kw_only=True)
class Left:
    """A file that a pass would have changed but left as it was, and why."""

    path: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class PassResult:
    """What one pass did."""

    name: str
    edits: tuple[Edit, ...]
    left: tuple[Left, ...] = ()

    @property
    def saved(self) -> int:
        return sum(edit.saved for edit in self.edits)


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """A CPython on this machine."""

    path: Path
    version: str
    """Full version, ``3.13.0``."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a pass may look at besides the tree."""

    recipe: Recipe
    target: Target
    interpreter: Interpreter | None
    store: Store
    step: Step


# --- facts about a finished archive ----------------------------------------------------------------------------------


class Kind(StrEnum):
    """What a file of a layer is."""

    NATIVE = "native code"
    PYTHON = "Python source"
    BYTECODE = "bytecode"
    METADATA = "metadata"
    DATA = "data"


@dataclass(frozen=True, kw_only=True)
class ElfFacts:
    """What the loader would read of an ELF file, taken from its segments."""

    machine: str
    """``x86_64``, ``arm64``, or another machine's ELF name in lower case."""
    bits: int
    soname: str
    needed: tuple[str, ...]
    runpath: tuple[str, ...]
    """Entries of DT_RUNPATH, else of DT_RPATH."""
    versions: Mapping[str, tuple[str, ...]]
    """Symbol versions needed, by the library they are needed from: ``{"libc.so.6": ("GLIBC_2.17",)}``."""
    stripped: bool
    """No symbol table and no debug section."""
    aligned: bool
    """Every PT_LOAD has ``p_offset ≡ p_vaddr (mod p_align)`` and lies inside the file."""
    init: str = ""
    """Name after ``PyInit_`` where the file is an extension module."""


class PycState(StrEnum):
    """Whether Lambda's interpreter would use a ``.pyc``."""

    VALID = "valid"
    STALE = "stale"
    """Bound to the date or the bytes of a source that it does not match."""
    CHECKED = "checked"
    """Valid, but every import reads and hashes the source."""
    FOREIGN = "foreign"
    """Made by another version of Python."""
    BROKEN = "broken"


@dataclass(frozen=True, kw_only=True)
class PycFacts:
    """What a ``.pyc`` says of itself."""

    state: PycState
    magic: int
    filename: str = ""
    """``co_filename`` of its module, where it could be read."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """One entry of an archive, as examined."""

    path: str
    mode: int
    size: int
    zipped: int
    sha256: str
    kind: Kind
    package: str
    link: str = ""
    """Target of a symbolic link; empty for a file."""
    elf: ElfFacts | None = None
    damaged: str = ""
    """Why an ELF file could not be read; empty where it could or is none."""
    foreign: str = ""
    """Format of native code that is no ELF file: ``Mach-O`` (macOS) or ``PE`` (Windows)."""
    pyc: PycFacts | None = None
    unsafe: str = ""
    """Why the path must not be written to a disk; empty where it may."""


@dataclass(frozen=True, kw_only=True)
class RecordRow:
    """One line of a RECORD: path relative to ``python/``, digest in hexadecimal or empty, size or ``None``."""

    path: str
    sha256: str
    size: int | None


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """A distribution as found in an archive."""

    name: str
    version: str
    info: str
    record: tuple[RecordRow, ...] | None
    """``None`` where it has no RECORD."""
    licence: str = ""
    """As its METADATA declares it; empty where that says nothing."""


@dataclass(frozen=True, kw_only=True)
class Examination:
    """Everything that is known about an archive without running it."""

    path: Path
    sha256: str
    content_sha256: str
    zipped: int
    unzipped: int
    members: tuple[Member, ...]
    """Files and links, sorted by path."""
    distributions: tuple[Distribution, ...]
    folders: tuple[Member, ...] = ()
    """The archive's own entries for folders, which hold no bytes; their paths end in ``/``."""


class Severity(StrEnum):
    """An error fails the build; a warning is shown."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something wrong with a layer."""

    rule: str
    """``LF101``; explained in docs/rules.md."""
    severity: Severity
    path: str
    """File it is about; empty where it is about the whole layer."""
    message: str
    hint: str


# --- results ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A finished zip and its measures."""

    sha256: str
    content_sha256: str
    zipped: int
    unzipped: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class EditGroup:
    """The edits of one pass that share a reason."""

    name: str
    """Of the pass."""
    reason: str
    bytes: int
    """Unzipped bytes saved."""
    files: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What stands beside a layer: how it was made and what it is. Holds no date and no path of a machine."""

    name: str
    python: str
    arch: Arch
    engine: str
    interpreter: str
    compression: Compression
    bytecode: Bytecode
    budget: Budget
    check: Check
    requires: tuple[str, ...]
    sha256: str
    content_sha256: str
    zip_bytes: int
    unzipped_bytes: int
    packages: tuple[Package, ...]
    edits: tuple[EditGroup, ...]
    left: tuple[Left, ...]
    key: str
    """Of the plan."""
    layerforge: str
    """Version that made the layer."""

    @property
    def uncompilable(self) -> frozenset[str]:
        """Sources that no bytecode can be made of."""
        return frozenset(left.path for left in self.left if left.reason.startswith(UNCOMPILABLE))


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What a layer took where its check ran; ``None`` where that was not measured."""

    init_ms: float | None = None
    """Milliseconds of Lambda's init phase, which is when the imports happen."""
    peak_memory: int | None = None
    """Most bytes that imports and check held at once."""
    import_seconds: float | None = None
    """Seconds of the imports alone, by the clock."""
    import_cpu_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What verification found."""

    engine: str
    """The engine that ran the check; empty where none could."""
    skipped: str
    """Why the check was not run; empty where it was."""
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    figures: Figures = Figures()


# --- Protocols -------------------------------------------------------------------------------------------------------


class Mark(StrEnum):
    """How a step of the work went."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    """Done, with something that a person should look at."""
    UNDONE = "undone"
    """Left out, so that nothing is known."""
    BAD = "bad"
    UNTOLD = "untold"
    """Nothing is shown of it; somebody else says how it went."""


class Step(Protocol):
    """One visible step of the work."""

    def expect(self, amount: int) -> None:
        """Raises the step's total by ``amount``."""

    def advance(self, amount: int) -> None:
        """Says that ``amount`` more of the step's total is done."""

    def note(self, text: str, mark: Mark = Mark.GOOD) -> None:
        """Sets what stands on the step's line when it ends, ``11.9 MB saved in 96 files``, and how it went."""


class Progress(Protocol):
    """Where the work is shown. Knows nothing of what is shown."""

    def step(self, title: str) -> AbstractContextManager[Step]:
        """Opens a step; its line gets the duration when it closes."""

    def say(self, text: str) -> None:
        """One line for people."""

    def aside(self, text: str) -> None:
        """One line that few people need."""

    def warn(self, text: str) -> None:
        """One line that asks for attention."""


class Store(Protocol):
    """Values by the digest of all that made them. A value that was damaged on disk reads as absent."""

    def get(self, kind: str, key: str) -> bytes | None:
        """The value, or ``None``."""

    def put(self, kind: str, key: str, value: bytes) -> None:
        """Keeps a value; safe against a second process and against being killed."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A Python program to run against an unpacked layer."""

    target: Target
    opt: Path
    """Folder that stands for ``/opt``."""
    program: str
    """Source text."""
    timeout: float
    """Seconds."""
    init: str = ""
    """Source text that runs before the program, in the same namespace: in Lambda's init phase, where there is one."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables of the function, beyond those that every function has. On the host, an interpreter ignores its own."""
    memory: int | None = None
    """Bytes of the function, where functions have a size; ``None`` is the engine's own."""
    processors: float | None = None
    """How much of the machine's processors the function gets; ``None`` goes by its memory, in whole ones."""
    invocations: int = 1
    """How often the program is run, where functions are invoked; elsewhere once."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a job ended."""

    status: int
    """Exit status; the negated signal number where one ended it."""
    output: str
    seconds: float
    timed_out: bool = False
    out_of_memory: bool = False
    init_ms: float | None = None
    """Milliseconds of Lambda's init phase; ``None`` where the engine has none."""
    peak_memory: int | None = None
    """Most bytes that the program held at once; ``None`` where that is not known."""
    init_cpu_ms: float | None = None
    """Milliseconds of processor time that the program's process took until it was ready to be invoked."""
    invoke_ms: tuple[float, ...] = ()
    """Milliseconds of each invocation that the program's process lived through; empty where there are none."""
    open: str = ""
    """What of the machine the program could see though no function would; empty where that was nothing."""
    foreign: tuple[str, ...] = ()
    """Libraries of the machine that the program had loaded, though no function would find them."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """A container image that is there."""

    reference: str
    """As the user or a tag names it."""
    digest: str
    """Of its contents, ``sha256:…``, as the engine gives it."""
    arch: Arch
    sources: str = ""
    """Folder in it with source archives, for closed networks; empty where it has none."""


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A folder of this machine inside a container."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True, kw_only=True)
class Task:
    """A program to run in a container of its own: no network, no rights, nothing of this machine but the mounts."""

    name: str
    """For people, ``openblas 0.3.30``."""
    argv: tuple[str, ...]
    env: Mapping[str, str]
    """The whole environment."""
    mounts: tuple[Mount, ...]
    workdir: str
    log: Path
    """File that gets every line the program writes."""
    memory: int
    """Most bytes it may use."""
    timeout: float
    """Seconds."""


class Builder(Protocol):
    """Something that can run the source steps of a plan."""

    @property
    def image(self) -> Image:
        """What the steps run in."""

    def equipped(self, packages: tuple[str, ...], progress: Progress) -> Builder:
        """A builder whose image has more packages of its system, installed where it is not there yet."""

    def perform(self, task: Task, on_line: Callable[[str], None]) -> Outcome:
        """Runs a task to its end; ``on_line`` gets each line as it comes, and ``Outcome.output`` the last of them."""

    def copy_out(self, path: str, into: Path) -> None:
        """Copies a folder of the image into a folder of this machine."""

    def stop(self) -> None:
        """Ends every task that runs, so that threads which wait for one come to an end."""


class Engine(Protocol):
    """Something that can run programs as Lambda would."""

    @property
    def name(self) -> str:
        """``host`` or ``docker``."""

    @property
    def identity(self) -> str:
        """Changes with whatever may change how a program fares, and is known without running anything."""

    def refusal(self, target: Target) -> str:
        """Why this engine cannot run the target's code; empty where it can."""

    def run(self, job: Job) -> Outcome:
        """Runs a job to its end."""
