"""Ctrl-C and SIGTERM, from the first instruction to the last. Imports nothing that takes time."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from types import FrameType

INTERRUPTED = 130
"""Exit code after Ctrl-C."""

SIGNALS = (signal.SIGINT, signal.SIGTERM)

_NUDGE = signal.SIGURG
"""Wakes the main thread; a program that does not handle it never notices it."""

_NUDGES = (0.0, 0.05, 0.5)
"""Seconds before each: one that comes just before the main thread falls asleep is lost."""


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
    """From now on the first signal raises ``KeyboardInterrupt``, and one that comes after it leaves at once.

    It does so at once whatever the main thread waits for, and whichever thread the system hands the signal to.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        leave_at_once(before)
        raise KeyboardInterrupt

    _wake_the_main_thread()
    _handle(interrupt)


def ignore() -> None:
    """From now on nothing comes of a signal: all is written, and what is left is to go."""
    _handle(signal.SIG_IGN)


def _wake_the_main_thread() -> None:
    """Has the main thread hear of every signal.

    Handlers run there alone, and where another thread got the signal, a main thread that waits for a lock sleeps on.
    """
    import threading

    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.signal(_NUDGE, lambda _number, _frame: None)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    main = threading.main_thread().ident
    assert main is not None
    threading.Thread(target=_nudge, args=(main, read), name="layerforge-signals", daemon=True).start()


def _nudge(thread: int, told: int) -> None:
    """Wakes a thread after each signal of which a pipe tells."""
    while number := os.read(told, 1):
        if number[0] in SIGNALS:
            for seconds in _NUDGES:
                time.sleep(seconds)
                signal.pthread_kill(thread, _NUDGE)


def _handle(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)
