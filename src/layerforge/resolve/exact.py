"""Pins of exact versions, with the hashes that an index has for them. Nothing is resolved: what is named is all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from packaging.utils import canonicalize_name

from layerforge.core.errors import LayerforgeError
from layerforge.core.process import Completed
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Target
from layerforge.resolve import lock, resolution, uv
from layerforge.resolve.lock import Pin
from layerforge.resolve.uv import PLAIN, WHEELS, Asked
from layerforge.resolve.uv_failures import ANSI, SECRET

NO_VERSION = "no index has this version for this Python and processor"
NO_PACKAGE = "no index has a package of that name"
NO_WHEEL = "no index has a wheel of this version for this Python and processor, only its source"

_WARNING = re.compile(r"^warning: (.*)", re.MULTILINE)
_UNSATISFIED = re.compile(r"No solution found|was not found in the")


@dataclass(frozen=True, kw_only=True)
class Exact:
    """What became of exact versions."""

    pins: tuple[Pin, ...] = ()
    absent: Mapping[str, str] = field(default_factory=dict)
    """Why there is no pin, by name."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A package in one version."""

    name: str
    """Normalised."""
    version: str
    requires: tuple[str, ...] = ()
    """Names of what it requires."""

    @property
    def line(self) -> str:
        """As uv reads it."""
        return f"{self.name}=={self.version}"


def exact(wanted: Sequence[Wanted], target: Target, progress: Progress) -> Exact:
    """The pins of what is wanted, from wheels alone, and which of it cannot be had.

    Raises ``LayerforgeError`` where the index does not answer.
    """
    if not wanted:
        return Exact()
    asked = Asked(source="\n".join(one.line for one in wanted))
    done = _compiled(asked, target, "--no-deps")
    if not done.status:
        for warning in _WARNING.findall(ANSI.sub("", done.stderr)):
            progress.warn(SECRET.sub("//…@", warning))
        hashed = done.stdout.decode()
        return Exact(pins=tuple(_pin(one, hashed, target) for one in wanted))
    if len(wanted) == 1:
        return Exact(absent={wanted[0].name: _why(asked, target, done.stderr, done.status)})
    half = len(wanted) // 2
    first, second = exact(wanted[:half], target, progress), exact(wanted[half:], target, progress)
    return Exact(pins=first.pins + second.pins, absent={**first.absent, **second.absent})


def _compiled(asked: Asked, target: Target, *options: str) -> Completed:
    return uv.run_compile(asked, target, [*options, "--generate-hashes", *PLAIN, *WHEELS])


def _pin(wanted: Wanted, text: str, target: Target) -> Pin:
    """The pin of a package in uv's text. Of an index that says no hashes, uv only tells them where it may look into the
    wheel for what that requires.
    """
    lines = dict(_named(text))
    if "--hash" not in lines.get(wanted.name, ""):
        alone = Asked(source=wanted.line, excludes=tuple(sorted(set(wanted.requires) - {wanted.name})))
        done = _compiled(alone, target)
        if done.status:
            raise uv.failure(done.stderr, target, done.status)
        lines = dict(_named(done.stdout.decode()))
    return resolution.understood(lines[wanted.name]).pins[0]


def _named(text: str) -> Iterator[tuple[str, str]]:
    """Each line of a lock by the name of its package."""
    for _, line in lock.logical_lines(text):
        yield canonicalize_name(re.split(r"[=@\[; ]", line, maxsplit=1)[0]), line


def _why(asked: Asked, target: Target, stderr: str, status: int) -> str:
    """Why a single version cannot be had. Raises ``LayerforgeError`` where the index was not asked."""
    said = ANSI.sub("", stderr)
    error: LayerforgeError = uv.failure(stderr, None, status)
    if not _UNSATISFIED.search(said) or not error.message.startswith(("there is no package", "the requirements")):
        raise error
    if error.message.startswith("there is no package"):
        return NO_PACKAGE
    return NO_WHEEL if uv.newest(asked, target, wheels=False) else NO_VERSION
