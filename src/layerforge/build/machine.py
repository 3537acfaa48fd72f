"""The machine that layerforge runs on, as far as it decides whether a target's code can run there."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass

from layerforge.core.runtimes import version


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What decides whether a machine can run a target's code."""

    system: str
    """``linux``, as in ``sys.platform``."""
    processor: str
    """The kernel's word, ``x86_64`` or ``aarch64``."""
    glibc: tuple[int, ...] | None
    """Version of the GNU C library; ``None`` where there is another or none."""


def this_machine() -> Machine:
    """The machine that layerforge runs on."""
    return Machine(system=sys.platform, processor=platform.machine(), glibc=_glibc())


def _glibc() -> tuple[int, ...] | None:
    try:
        name, _, number = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
        return version(number) if name == "glibc" else None
    except (AttributeError, ValueError, OSError):
        return None
