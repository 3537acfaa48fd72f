"""A runner for the cluster that an address names."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from layerforge.build.cluster import worker
from layerforge.build.cluster.addresses import Local, Remote, address
from layerforge.build.cluster.connect import connected
from layerforge.build.cluster.events import Watch
from layerforge.build.cluster.local import processes
from layerforge.build.cluster.offers import Offer, OfferedImage, Release
from layerforge.build.cluster.roll import offers_of
from layerforge.build.cluster.runner import PATIENCE, DaskRunner
from layerforge.build.cluster.worker import Making
from layerforge.build.graph import Runner


@contextmanager
def runner_for(
    text: str,
    *,
    release: Release,
    watch: Watch,
    making: Making,
    tls: Path | None = None,
    images: tuple[OfferedImage, ...] = (),
    patience: float = PATIENCE,
) -> Iterator[Runner]:
    """What runs jobs at an address: ``tls://HOST:PORT``, ``tcp://127.0.0.1:PORT`` or ``local:N``.

    ``making`` and ``images`` are for workers of this machine. ``patience``: seconds for which a job waits for a worker
    that could take it. Raises ``ClusterError``.
    """
    match address(text):
        case Remote() as found:
            opened = connected(found, tls, watch)
        case Local(number=number):
            opened = processes(number, share(worker.offer(release, name="local", images=images), number), making)
    with opened as client:
        yield DaskRunner(client=client, release=release, watch=watch, patience=patience)


def offers_at(text: str, *, watch: Watch, tls: Path | None = None) -> list[Offer]:
    """What the workers at an address offer now; none where they are processes of this machine, which start with a run.

    Raises ``ClusterError`` where there is no cluster.
    """
    match address(text):
        case Remote() as found:
            with connected(found, tls, watch) as client:
                return offers_of(client.scheduler_info())[0]
        case Local():
            return []


def share(offer: Offer, number: int) -> Offer:
    """What each of so many workers of one machine offers, so that together they have no more than it."""
    return replace(offer, processors=max(1, offer.processors // number), memory=offer.memory // number)


def release(store: str, near: Path) -> Release:
    """What workers and builds have to agree on; without a store that they share, only those of one folder do."""
    return Release(store=store or f"{platform.node()}:{near}")
