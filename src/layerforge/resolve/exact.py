"""Pins of exact versions, with the hashes that an index has for them. Nothing is resolved: what is named is all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from layerforge.core.errors import LayerforgeError
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Target
from layerforge.resolve import locking, uv
from layerforge.resolve.lock import Pin
from layerforge.resolve.uv import PLAIN, WHEELS, Asked
from layerforge.resolve.uv_failures import ANSI, SECRET

NO_VERSION = "no index has this version"
NO_PACKAGE = "no index has a package of that name"
NO_WHEEL = "no index has a wheel of it for this Python and processor, only its source"

_WARNING = re.compile(r"^warning: (.*)", re.MULTILINE)
_UNSATISFIED = re.compile(r"No solution found|was not found in the")


@dataclass(frozen=True, kw_only=True)
class Exact:
    """What became of exact versions."""

    pins: tuple[Pin, ...] = ()
    absent: Mapping[str, str] = field(default_factory=dict)
    """Why there is no pin, by name."""


def exact(versions: Mapping[str, str], target: Target, progress: Progress) -> Exact:
    """The pins of ``versions``, by normalised name, from wheels alone, and which of them cannot be had.

    Raises ``LayerforgeError`` where the index does not answer.
    """
    if not versions:
        return Exact()
    asked = Asked(source="\n".join(f"{name}=={version}" for name, version in versions.items()))
    done = uv.run_compile(asked, target, ["--no-deps", "--generate-hashes", *PLAIN, *WHEELS])
    if not done.status:
        for warning in _WARNING.findall(ANSI.sub("", done.stderr)):
            progress.warn(SECRET.sub("//…@", warning))
        return Exact(pins=locking.understood(done.stdout.decode()).pins)
    if len(versions) == 1:
        return Exact(absent={name: _why(asked, target, done.stderr, done.status) for name in versions})
    names = sorted(versions)
    halves = (names[: len(names) // 2], names[len(names) // 2 :])
    found = [exact({name: versions[name] for name in half}, target, progress) for half in halves]
    return Exact(pins=found[0].pins + found[1].pins, absent={**found[0].absent, **found[1].absent})


def _why(asked: Asked, target: Target, stderr: str, status: int) -> str:
    """Why a single version cannot be had. Raises ``LayerforgeError`` where the index was not asked."""
    said = ANSI.sub("", stderr)
    error: LayerforgeError = uv.failure(stderr, None, status)
    if not _UNSATISFIED.search(said) or not error.message.startswith(("there is no package", "the requirements")):
        raise error
    if error.message.startswith("there is no package"):
        return NO_PACKAGE
    return NO_WHEEL if uv.newest(asked, target, wheels=False) else NO_VERSION
