"""The Lambda runtimes that layers are made for, read from ``data/runtimes.toml``."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any

from layerforge.core import resources
from layerforge.core.errors import UsageError


class Arch(StrEnum):
    """Processor of a function, in Lambda's own words."""

    X86_64 = "x86_64"
    ARM64 = "arm64"

    @property
    def machine(self) -> str:
        """The word of the kernel, of wheels and of markers: ``aarch64``."""
        return _SPELLINGS[self][0]

    @property
    def platform(self) -> str:
        """The word of container engines: ``linux/amd64``."""
        return f"linux/{_SPELLINGS[self][1]}"


_SPELLINGS = {
    Arch.X86_64: ("x86_64", "amd64", "x86-64", "x64"),
    Arch.ARM64: ("aarch64", "arm64", "graviton"),
}
"""How others spell a processor: the kernel first, then container engines, then people."""


def arch_of(word: str) -> Arch | None:
    """The processor that somebody calls ``word``; ``None`` where it is none of Lambda's."""
    return next((arch for arch, words in _SPELLINGS.items() if word.strip().lower() in words), None)


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
    """ISO date after which AWS no longer supports the runtime; empty where AWS has named none."""
    libraries: frozenset[str]
    """Sonames that the runtime itself provides."""
    packages: frozenset[str]
    """Top-level Python packages that the runtime itself provides."""
    programs: frozenset[str]
    """Paths of the programs that may start a script there."""
    versions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Oldest and newest version that it may have of some of them."""
    oldest: Mapping[str, str] = field(default_factory=dict)
    """The oldest version that it may have of some of them, where it may have any newer one."""
    announced: bool = True
    """Whether AWS has said that it comes. What is known of one that is not announced is not confirmed."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A runtime on a processor: what a layer is made for."""

    runtime: Runtime
    arch: Arch

    @property
    def python(self) -> str:
        """The runtime's minor version."""
        return self.runtime.python

    @property
    def has_lazy_imports(self) -> bool:
        """Whether its Python imports lazily where a module says so (PEP 810)."""
        return version(self.python) >= (3, 15)

    @property
    def program(self) -> str:
        """Path of the runtime's own interpreter."""
        return f"/var/lang/bin/python{self.python}"

    @property
    def label(self) -> str:
        """``py313-x86_64``, the tail of a layer's file name."""
        return f"py{self.python.replace('.', '')}-{self.arch}"

    @property
    def cache_tag(self) -> str:
        """``cpython-313``, the tag in the name of a compiled module."""
        return f"cpython-{self.python.replace('.', '')}"


def version(text: str) -> tuple[int, ...]:
    """``"2.34"`` as ``(2, 34)``, to be compared as numbers."""
    return tuple(int(part) for part in text.split("."))


@cache
def runtimes() -> Mapping[str, Runtime]:
    """Every runtime by its Python version, oldest first."""
    data = resources.table("runtimes.toml")
    return {python: _runtime(python, row, data) for python, row in data["runtime"].items()}


def _runtime(python: str, row: Mapping[str, Any], data: Mapping[str, Any]) -> Runtime:
    system = data["os"][row["os"]]
    return Runtime(
        python=python,
        os=row["os"],
        glibc=version(system["glibc"]),
        symbols={family: version(text) for family, text in system["symbols"].items()},
        manylinux=system["manylinux"],
        magic=row["magic"],
        image=data["shared"]["image"].format(python=python),
        deprecated=row["deprecated"].isoformat() if "deprecated" in row else "",
        libraries=frozenset(system["libraries"]),
        packages=frozenset(data["shared"]["packages"]),
        programs=frozenset(path.format(python=python) for path in data["shared"]["programs"]),
        versions={name: tuple(both) for name, both in data["shared"]["versions"].items()},
        oldest=dict(data["shared"]["oldest"]),
        announced=row.get("announced", True),
    )


def announced() -> tuple[str, ...]:
    """The Pythons that AWS has announced, oldest first: those that are chosen where nobody names one."""
    return tuple(python for python, runtime in runtimes().items() if runtime.announced)


def target(python: str, arch: str) -> Target:
    """The target of that name. Raises ``UsageError`` for a Python or processor that Lambda does not run."""
    known, python, arch = runtimes(), lambdas_python(python), lambdas_arch(arch)
    if python not in known:
        raise UsageError(
            f"Lambda has no runtime for Python {python!r}",
            hint=f"--python takes {', '.join(known)}" + _nearest(python.removeprefix("python"), list(known)),
        )
    if arch not in list(Arch):
        raise UsageError(
            f"Lambda has no {arch!r} processor",
            hint=f"--arch takes {' or '.join(Arch)}" + _nearest(arch, list(Arch)),
        )
    return Target(runtime=known[python], arch=Arch(arch))


_PYTHON = re.compile(r"(?:python|py|cpython)?-?(3)\.?(\d{1,2})(?:\.\d{1,3})?", re.ASCII | re.IGNORECASE)


def lambdas_arch(word: str) -> str:
    """Lambda's word for a processor that others call ``word``; the word itself where nobody does."""
    return str(arch_of(word) or word)


def lambdas_python(word: str) -> str:
    """The minor version of a Python however it is written: ``3.12.1``, ``python3.12``; else the word itself."""
    match = _PYTHON.fullmatch(word.strip())
    return f"{match[1]}.{match[2]}" if match else word


def _nearest(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, 1)
    return f"; perhaps you meant {near[0]}" if near else ""
