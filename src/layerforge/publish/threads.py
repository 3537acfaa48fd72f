"""Work on several Regions at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

from layerforge.publish.cloud import LambdaRegion

Answer = TypeVar("Answer")


def side_by_side(work: Callable[[LambdaRegion], Answer], clouds: Iterable[LambdaRegion]) -> tuple[Future[Answer], ...]:
    """Starts ``work`` on each Region, in a thread of its own.

    A call that hangs in the network does not keep the program from ending, as the threads of an executor would.
    """
    return tuple(_in_a_thread(partial(work, cloud)) for cloud in clouds)


def _in_a_thread(work: Callable[[], Answer]) -> Future[Answer]:
    future: Future[Answer] = Future()

    def fulfil() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=fulfil, daemon=True).start()
    return future
