"""What the jobs of one publication share, and how long they are patient."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from layerforge.core.progress import Progress, Step
from layerforge.publish.artifact import Details, LayerVersion

PAUSES = (1.0, 2.0, 4.0, 8.0, 8.0)
"""Seconds to wait after each failed try to make a version, before looking whether it was made in spite of that."""

LOOKS = 8
"""How often to wait and look after an answer that got lost: Lambda may still be unpacking what it was sent."""

PATIENCE = 600.0
"""Seconds after which nothing is tried once more in a Region."""

LIMIT = 3600.0
"""Seconds after which a Region is given up whatever it is at, such as an answer that comes byte by byte."""

GRACE = 10.0
"""Seconds that an interrupted run waits for its threads to clean up."""


@dataclass(frozen=True, kw_only=True)
class NewVersion:
    """The version that was to be made."""

    version: LayerVersion
    details: Details
    found: bool = False
    """Whether somebody else made it before this run asked for it."""


class Stopped(Exception):  # noqa: N818 - nothing went wrong
    """The user interrupted the run."""


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What the threads of one run share."""

    progress: Progress
    step: Step
    stop: threading.Event
    pauses: tuple[float, ...]
    clock: Callable[[], float] = time.monotonic
    """Seconds."""

    def pause(self, seconds: float) -> None:
        """Waits. Raises ``Stopped`` where the user interrupts."""
        if self.stop.wait(seconds):
            raise Stopped

    def sent(self, amount: int) -> None:
        """Counts uploaded bytes. Raises ``Stopped`` where the user interrupts."""
        if self.stop.is_set():
            raise Stopped
        self.step.advance(amount)
