"""Workers on this machine: processes that are there for one run, and gone after it."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from distributed import Client, Nanny, Scheduler, SpecCluster

from layerforge.build.cluster import settings
from layerforge.build.cluster.offers import Offer, offered
from layerforge.build.cluster.roll import STARTUP, tell, told
from layerforge.build.cluster.working import WorkerFloor

THREADS = 16
"""Fewest threads of a worker: its resources decide what it does at the same time, not these."""


@contextmanager
def processes(number: int, offer: Offer, shop: str, shop_settings: str) -> Iterator[Client]:
    """A client of ``number`` new worker processes, each with what is offered. One that is killed is started again."""
    settings.apply()
    with tempfile.TemporaryDirectory(prefix="layerforge-") as folder:
        options = {**_options(offer, shop, shop_settings), "local_directory": folder}
        cluster = SpecCluster(
            scheduler={"cls": Scheduler, "options": {"host": "127.0.0.1", "protocol": "tcp://", "dashboard": False}},
            workers={f"{offer.name}-{place}": {"cls": Nanny, "options": options} for place in range(number)},
            silence_logs=False,
        )
        try:
            with Client(cluster) as client:
                yield client
        finally:
            cluster.close()


def _options(offer: Offer, shop: str, shop_settings: str) -> dict[str, Any]:
    return {
        "host": "127.0.0.1",
        "protocol": "tcp://",
        "nthreads": max(THREADS, 2 * offer.processors),
        "resources": dict(offered(offer)),
        "memory_limit": 0,
        "dashboard": False,
        "silence_logs": logging.CRITICAL,
        "plugins": (WorkerFloor(shop, shop_settings),),
        "startup_information": {STARTUP: partial(tell, text=told(offer))},
    }
