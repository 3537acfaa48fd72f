"""What native code is compiled with, and how flags are found out that fit one machine only."""

from __future__ import annotations

import re

from layerforge.core.runtimes import Arch

WORK, PREFIX = "/work", "/prefix"
"""Folders of a source step: where it works, and below which each library has one of its own."""

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
