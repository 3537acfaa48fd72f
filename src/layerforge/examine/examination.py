"""Everything that is known about an archive without running it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from layerforge.core.elf import ElfFacts
from layerforge.layer.distributions import Distribution
from layerforge.layer.pyc import PycFacts


class Kind(StrEnum):
    """What a file of a layer is."""

    NATIVE = "native code"
    PYTHON = "Python source"
    BYTECODE = "bytecode"
    METADATA = "metadata"
    DATA = "data"


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
    started_by: str = ""
    """What starts a script, as its first line names it: a path, or a name on PATH; empty for what is no script."""
    unsafe: str = ""
    """Why the path must not be written to a disk; empty where it may."""


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

    @cached_property
    def by_path(self) -> Mapping[str, Member]:
        """The members by path."""
        return {member.path: member for member in self.members}
