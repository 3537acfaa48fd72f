"""Which workers are there, asked for again and again while a run goes on."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from layerforge.build.cluster.offers import Offer
from layerforge.build.errors import ClusterError
from layerforge.core import guarded

EVERY = 1.0
"""Seconds between two looks."""

SILENCE = 60.0
"""Seconds after which a scheduler that gives no answer is taken for lost."""

STARTUP = "layerforge"
"""Name under which a worker tells the scheduler what it offers."""


def told(offer: Offer) -> str:
    """An offer as a worker tells it when it joins."""
    return json.dumps(asdict(offer))


def tell(_worker: Any, *, text: str) -> str:
    """What Dask asks a worker for when it starts."""
    return text


def offers_of(info: Mapping[str, Any]) -> tuple[list[Offer], list[str]]:
    """The offers of the workers that a scheduler tells of, and the names of those that are none of layerforge's."""
    offers, foreign = [], []
    for address, one in info["workers"].items():
        try:
            offer = guarded.json_as(str(one[STARTUP]).encode(), Offer)
        except (KeyError, guarded.Unreadable):
            foreign.append(str(one.get("name", address)))
            continue
        offers.append(replace(offer, address=address, identity=str(one["id"]), name=str(one["name"])))
    return offers, foreign


@dataclass(kw_only=True)
class Roll:
    """The workers of a cluster, kept up to date by a thread of its own."""

    client: Any
    offers: list[Offer] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    processing: frozenset[str] = frozenset()
    """Dask's keys of what workers have, whoever submitted it."""
    looks: int = 0
    """How often it was looked."""
    _heard: float = field(default_factory=time.monotonic)
    _over: threading.Event = field(default_factory=threading.Event)
    _lost: str = ""

    def __enter__(self) -> Self:
        self._look()
        threading.Thread(target=self._keep, name="layerforge-roll", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def _keep(self) -> None:
        while not self._over.wait(EVERY):
            self._look()

    def _look(self) -> None:
        try:
            info = self.client.scheduler_info()
            processing = self.client.processing()
        except Exception as error:  # whatever it is, there was no answer
            self._lost = str(error) or type(error).__name__
            return
        self.offers, self.foreign = offers_of(info)
        self.processing = frozenset(key for keys in processing.values() for key in keys)
        self._heard = time.monotonic()
        self.looks += 1

    def refuse_lost(self) -> None:
        """Raises ``ClusterError`` where the scheduler is gone, or has not answered for long."""
        silent = time.monotonic() - self._heard
        if self.client.status == "running" and silent < SILENCE:
            return
        address = self.client.scheduler.address if self.client.scheduler else "this address"
        raise lost(address, self._lost)


def lost(address: str, why: str = "") -> ClusterError:
    """That a scheduler went away in the middle."""
    return ClusterError(
        f"the scheduler at {address} is lost",
        hint="start it again, then run the command again; what was done by then comes from the store",
        details=(why,) if why else (),
    )
