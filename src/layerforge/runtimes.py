"""The Lambda runtimes that layers are made for, read from ``data/runtimes.toml``."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from layerforge import resources
from layerforge.errors import UsageError
from layerforge.model import SITE, Arch, Runtime, Target

WORK, PREFIX = "/work", "/prefix"
"""Folders of a source step: where it works, and below which each library has one of its own."""

_ON_PATH = re.compile(rf"{SITE}/(?:lib/python3\.\d+/site-packages/)?")

_COMMON = f"-O2 -g0 -ffunction-sections -fdata-sections -ffile-prefix-map={WORK}=."
"""Each function in a section of its own, so that the linker drops what nothing calls; no path of the container."""
FLAGS = {
    # What Lambda guarantees: AVX2 on x86_64, Graviton2 on arm64.
    Arch.X86_64: f"{_COMMON} -march=haswell",
    Arch.ARM64: f"{_COMMON} -mcpu=neoverse-n1",
}
"""What C, C++ and Fortran are compiled with, unless a recipe says more."""
LINK_FLAGS = "-Wl,-O1,-s,--as-needed,--gc-sections,-z,noseparate-code"

_MACHINE = re.compile(r"(?<![\w-])-m(?:arch|cpu)[= ]([\w.+-]+)")
_NATIVE = re.compile(r"target-cpu[= ]native|(?<![\w-])-xHost\b")
"""The same in the words of Rust and of Intel's compilers."""
_COMMAND = re.compile(r"\s-[co]\s")
"""What a command that compiles has. A line that only tells of a flag, such as whether it is known, has not."""


def for_this_machine(flags: str) -> bool:
    """Whether flags make code for the processor that the compiler runs on. Of several, the last one counts."""
    machines = _MACHINE.findall(flags)
    return bool(machines and machines[-1] == "native") or bool(_NATIVE.search(flags))


def compiles_for_this_machine(line: str) -> bool:
    """Whether a line is a command that compiles for the processor that it runs on."""
    return bool(_COMMAND.search(line)) and for_this_machine(line)


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
        deprecated=row["deprecated"].isoformat(),
        libraries=frozenset(system["libraries"]),
        packages=frozenset(data["shared"]["packages"]),
        versions={name: tuple(both) for name, both in data["shared"]["versions"].items()},
    )


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


_ALIASES = {
    "aarch64": Arch.ARM64,
    "graviton": Arch.ARM64,
    "amd64": Arch.X86_64,
    "x64": Arch.X86_64,
    "x86-64": Arch.X86_64,
}
_PYTHON = re.compile(r"(?:python|py|cpython)?-?(3)\.?(\d{1,2})(?:\.\d{1,3})?", re.ASCII | re.IGNORECASE)


def lambdas_arch(word: str) -> str:
    """Lambda's word for a processor that others call ``word``; the word itself where nobody does."""
    plain = word.strip().lower()
    return str(_ALIASES.get(plain, Arch(plain) if plain in list(Arch) else word))


def lambdas_python(word: str) -> str:
    """The minor version of a Python however it is written: ``3.12.1``, ``python3.12``; else the word itself."""
    match = _PYTHON.fullmatch(word.strip())
    return f"{match[1]}.{match[2]}" if match else word


def _nearest(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, 1)
    return f"; perhaps you meant {near[0]}" if near else ""


def site(path: str) -> str:
    """The folder on ``sys.path`` that ``path`` of a layer lies in, with its slash; empty where it lies in none."""
    match = _ON_PATH.match(path)
    return match[0] if match else ""
