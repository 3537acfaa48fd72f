"""Says now and then that something still goes on, where nobody sees a bar move."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

EVERY = 5 * 60.0
"""Seconds between two lines. Some CI services end a job that says nothing for ten minutes."""


class Ending(Protocol):
    """What ends a heartbeat; ``threading.Event`` is one."""

    def wait(self, timeout: float) -> bool:
        """Waits so many seconds for the end. Returns whether it came."""

    def set(self) -> None:
        """It has come."""


class Heartbeat:
    """Calls ``say`` with the seconds that have passed, again and again, until it is stopped."""

    def __init__(self, say: Callable[[float], None], ending: Ending) -> None:
        self._say = say
        self._ending = ending
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def _beat(self) -> None:
        passed = 0.0
        while not self._ending.wait(EVERY):
            passed += EVERY
            self._say(passed)

    def stop(self) -> None:
        """No more lines come after this."""
        self._ending.set()
        self._thread.join()
