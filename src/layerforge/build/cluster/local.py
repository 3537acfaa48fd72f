"""Workers on this machine: processes that are there for one run, and gone after it."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from distributed import Client, Nanny, Scheduler, SpecCluster
from distributed.security import Security

from layerforge.build.cluster import causes, settings
from layerforge.build.cluster.offers import Offer
from layerforge.build.cluster.worker import Making, options
from layerforge.build.cluster.working import WorkerFloor
from layerforge.build.errors import ClusterError

HOST = "127.0.0.1"


@contextmanager
def processes(number: int, offer: Offer, making: Making) -> Iterator[Client]:
    """A client of ``number`` new worker processes, each with what is offered. One that is killed is started again.

    Each process asks the others for a certificate that is made for this run and kept in memory: whoever reaches one of
    them runs code in it, and other users of this machine reach its ports too.
    """
    settings.apply()
    secure = Security.temporary()
    place = {"host": HOST, "protocol": "tls://", "security": secure}
    with tempfile.TemporaryDirectory(prefix="layerforge-workers-") as folder:
        made = options(offer, WorkerFloor(making.shop, making.settings, owned=True)) | place
        made |= {"local_directory": folder, "silence_logs": logging.CRITICAL}
        cluster = _started(
            scheduler={
                "cls": Scheduler,
                "options": {**place, "dashboard": False, "dashboard_address": settings.NOWHERE},
            },
            workers={f"{offer.name}-{each}": {"cls": Nanny, "options": made} for each in range(number)},
            security=secure,
        )
        try:
            with Client(cluster, set_as_default=False) as client:
                yield client
        finally:
            cluster.close()


def _started(**specification: Any) -> SpecCluster:
    try:
        return _whole(partial(SpecCluster, **specification, silence_logs=False))
    except Exception as error:
        if own := causes.own(error):
            raise own from error
        raise ClusterError(
            f"workers cannot be started here: {error}",
            hint="are there memory and processes left for them? local:1 takes the fewest",
            details=tuple(str(error.__cause__ or "").splitlines()),
        ) from error


def _whole(start: Callable[[], SpecCluster]) -> SpecCluster:
    """What is started. Interrupted, it is closed first: of one that is half there nobody could end the workers."""
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(start)
        try:
            return starting.result()
        except KeyboardInterrupt:
            with suppress(Exception):  # what did not start needs no end
                starting.result().close()
            raise
