"""Goes on with what an iterator does, while whoever takes its items is busy with one of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class _End:
    error: BaseException | None = None


def eager(items: Iterable[T], stop: Callable[[], None]) -> Iterator[T]:
    """The same items, taken in a thread as they come. What the thread fails with is raised after the last of them.

    Whoever closes the iterator has ``stop`` called, which lets the thread come to its end, and waits for that.
    """
    found: SimpleQueue[T | _End] = SimpleQueue()

    def take() -> None:
        try:
            for item in items:
                found.put(item)
        except BaseException as error:
            found.put(_End(error=error))
        else:
            found.put(_End())

    thread = threading.Thread(target=take, name="layerforge-results", daemon=True)
    thread.start()
    try:
        while not isinstance(one := found.get(), _End):
            yield one
        if one.error is not None:
            raise one.error
    finally:
        stop()
        thread.join()
