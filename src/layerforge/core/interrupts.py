"""Ctrl-C and SIGTERM, from the first instruction to the last. Imports nothing that takes time."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType

INTERRUPTED = 130
"""Exit code after Ctrl-C."""

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def leave_at_once(before: Callable[[], None] = lambda: None) -> None:
    """From now on a signal ends the process without a word. ``before`` is called first.

    For while nothing has begun that would need an end: libraries are loaded then, whose cleaning up would swallow an
    exception. A process that was started with Ctrl-C ignored, as a shell's background jobs are, goes on to ignore it.
    """

    def leave(_number: int, _frame: FrameType | None) -> None:
        try:
            before()
        finally:
            os._exit(INTERRUPTED)

    _handle(leave)


def raise_once(before: Callable[[], None]) -> None:
    """From now on the first signal raises ``KeyboardInterrupt``, and one that comes after it leaves at once."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        leave_at_once(before)
        raise KeyboardInterrupt

    _handle(interrupt)


def ignore() -> None:
    """From now on nothing comes of a signal: all is written, and what is left is to go."""
    _handle(signal.SIG_IGN)


def _handle(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)
