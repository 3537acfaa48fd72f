"""What runs programs: an ``Engine`` as Lambda would, a ``Builder`` the steps of a plan. Both are Protocols."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from layerforge.core.limits import FULL_CPU_MB, MIB
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Arch, Target


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
    """Variables of the function, beyond those that every function has, which count before these. On the host, an
    interpreter ignores its own."""
    memory: int | None = None
    """Bytes of the function, where functions have a size; ``None`` is the engine's own."""
    processors: float | None = None
    """How much of the machine's processors the function gets; ``None`` goes by its memory, in whole ones."""
    invocations: int = 1
    """How often the program is run, where functions are invoked; elsewhere once."""
    runtime: Path | None = None
    """Folder with the packages of Lambda's own Python, where the program is to have them and the engine has none."""
    code: Path | None = None
    """Folder that stands for ``/var/task``, which every user can read: a function's own code, that the program can
    import before all else; ``None`` where there is none."""


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
    made_of: str = ""
    """Digest of all that decides what is in it, for one that was made on this machine; empty for one that came whole,
    or of which it is not known."""
    base: str = ""
    """Identity of the image that it was made on with more packages; empty where it is as it came."""

    @property
    def identity(self) -> str:
        """What keys are made from: the same on every machine that has the same image, or one made of the same."""
        return self.made_of or self.digest


FUNCTION_MEMORY = FULL_CPU_MB * MIB
"""Bytes of the function that layers are checked in, where nobody says otherwise."""


def container_identity(image: Image, memory: int) -> str:
    """``Engine.identity`` of a container engine: the image, and the bytes of the function."""
    return f"{image.identity} {memory}"


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

    @property
    def has_runtime_packages(self) -> bool:
        """Whether programs find the packages of Lambda's own Python, such as boto3."""

    def refusal(self, target: Target) -> str:
        """Why this engine cannot run the target's code; empty where it can."""

    def run(self, job: Job) -> Outcome:
        """Runs a job to its end."""
