"""How long source steps took on this machine, as the store keeps it, and how long they are expected to take."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum

from layerforge.build.plan import LibraryStep, PackageStep, name_of
from layerforge.core import digest, guarded
from layerforge.core.runtimes import Arch
from layerforge.core.store.protocol import Store

KIND = "step-seconds"
"""What the store calls them."""

Compiled = LibraryStep | PackageStep
"""Steps that take minutes; to take a library out of the image takes a second."""


@dataclass(frozen=True, kw_only=True)
class Duration:
    """How long a step took."""

    seconds: float
    """From its start to its end."""
    share: float
    """Seconds of these that are its own: of a second in which three steps ran, each has a third."""


class Basis(StrEnum):
    """What an expectation rests on."""

    MEASURED = "measured"
    """On how long it took here."""
    RECIPE = "recipe"
    """On what the recipe says."""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """How long a step is expected to take."""

    duration: Duration
    basis: Basis


class SharedClock:
    """Measures steps that run at the same time; safe from any thread. The shares of all add up to the time spent."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._running = 0
        self._now = clock()
        self._each = 0.0

    @contextmanager
    def running(self) -> Iterator[Callable[[], Duration]]:
        """Measures a step; what it gives says how long that took so far."""
        started, each = self._turned(1)

        def spent() -> Duration:
            now, each_now = self._turned(0)
            return Duration(seconds=now - started, share=each_now - each)

        try:
            yield spent
        finally:
            self._turned(-1)

    def _turned(self, more: int) -> tuple[float, float]:
        """The time, and what each step would have had that ran all along; then there are ``more`` of them."""
        with self._lock:
            now = self._clock()
            self._each += (now - self._now) / max(self._running, 1)
            self._now = now
            self._running += more
            return now, self._each


def keep(step: Compiled, arch: Arch, duration: Duration, store: Store) -> None:
    """Keeps how long a step took: for itself, and for what is most like it."""
    for key in (step.key, _likeness(step, arch)):
        store.put(KIND, key, json.dumps(asdict(duration)).encode())


def expected(step: Compiled, arch: Arch, store: Store) -> Expected | None:
    """How long a step will take: as long as last time, or else as another of its name and version, or else as its
    recipe says; ``None`` where nobody knows.
    """
    for key in (step.key, _likeness(step, arch)):
        if found := _kept(key, store):
            return Expected(duration=found, basis=Basis.MEASURED)
    seconds = _minutes(step) * 60
    return Expected(duration=Duration(seconds=seconds, share=seconds), basis=Basis.RECIPE) if seconds else None


def asked(step: Compiled, arch: Arch) -> Iterator[tuple[str, str]]:
    """Kind and key of what ``expected`` asks a store for."""
    yield from ((KIND, key) for key in (step.key, _likeness(step, arch)))


def version_of(step: Compiled) -> str:
    """The version of what a step compiles."""
    return step.library.version if isinstance(step, LibraryStep) else step.pin.version


def _minutes(step: Compiled) -> float:
    return step.library.minutes if isinstance(step, LibraryStep) else step.package.minutes


def _likeness(step: Compiled, arch: Arch) -> str:
    """The key of steps of the same name and version. A foreign processor is emulated, which takes ten times as long."""
    return digest.of_json([type(step).__name__, name_of(step), version_of(step), str(arch)])


def _kept(key: str, store: Store) -> Duration | None:
    value = store.get(KIND, key)
    if value is None:
        return None
    try:
        found = guarded.json_as(value, Duration)
    except guarded.Unreadable:
        return None
    return found if 0 <= found.share <= found.seconds else None
