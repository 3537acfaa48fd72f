"""What a worker offers, what a job demands, and what is missing where nobody can take it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache

from layerforge import __version__
from layerforge.build import plan
from layerforge.build.graph import Demand
from layerforge.core import digest
from layerforge.core.runtimes import Arch
from layerforge.core.text import counted

MB = 10**6
ANY = 1e-9
"""How much a job takes of what a worker has or has not, without ever using it up."""

Amounts = Mapping[str, float]
"""By the name of a resource of Dask's, how much there is or is needed of it."""


@dataclass(frozen=True, kw_only=True)
class Release:
    """What has to be the same on a worker and where its jobs come from, so that one key is one result in one place."""

    version: str = __version__
    schema: int = plan.SCHEMA
    source_schema: int = plan.SOURCE_SCHEMA
    store: str = ""
    """Which store they share: what identifies it, not the way to it."""

    @property
    def said(self) -> str:
        """For people, without the store."""
        return f"layerforge {self.version} (schema {self.schema}/{self.source_schema})"


@cache
def mark(release: Release) -> str:
    """Name of the resource that workers of a release have."""
    return f"release-{digest.of_json(asdict(release))[:12]}"


@dataclass(frozen=True, kw_only=True)
class OfferedImage:
    """A build image of a worker."""

    identity: str
    """``sha256:…``, as ``Image.identity`` tells it."""
    reference: str = ""
    """What the worker calls it."""
    arch: Arch
    pythons: tuple[str, ...] = ()
    """Lambda's Pythons that it can stand for."""
    carries_sources: bool = False
    """Whether it has source archives for closed networks, which whoever plans with it has to have too."""


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What one worker has for jobs."""

    name: str
    """As people know it."""
    arch: Arch
    processors: int
    memory: int
    """Bytes."""
    images: tuple[OfferedImage, ...] = ()
    release: Release
    address: str = ""
    """Where the scheduler reaches it; empty until it has joined."""
    identity: str = ""
    """Changes with every start of the worker."""

    def has(self, image: str) -> bool:
        """Whether the image of that identity is there."""
        return any(one.identity == image for one in self.images)


def image_mark(image: str) -> str:
    """Name of the resource that workers with this image have."""
    return f"image-{image.rpartition(':')[2][:12]}"


@cache
def offered(offer: Offer) -> Amounts:
    """A worker's resources."""
    marks = {mark(offer.release): 1.0, str(offer.arch): 1.0, **{image_mark(one.identity): 1.0 for one in offer.images}}
    return {"cpu": float(offer.processors), "mem_mb": float(offer.memory // MB), **marks}


@cache
def demanded(demand: Demand, release: Release) -> Amounts:
    """The resources that a job takes."""
    marks = {mark(release): ANY, str(demand.arch): ANY}
    if demand.image:
        marks[image_mark(demand.image)] = ANY
    # Whole numbers, so that what is taken and given back a thousand times is what it was.
    return {**marks, "cpu": float(demand.processors), "mem_mb": float(math.ceil(demand.memory / MB))}


def covers(has: Amounts, needs: Amounts) -> bool:
    """Whether there is as much of everything as is needed."""
    return all(has.get(name, 0.0) >= amount for name, amount in needs.items())


def missing(demand: Demand, offers: Sequence[Offer], release: Release) -> str:
    """Why none of the workers can ever take a job, ``no worker is for arm64``; empty where one can."""
    if why := not_ours(offers, release):
        return why
    alike = [offer for offer in offers if offer.release == release and offer.arch is demand.arch]
    if not alike:
        return f"no worker is for {demand.arch}"
    equipped = [offer for offer in alike if not demand.image or offer.has(demand.image)]
    if not equipped:
        return f"no worker has the image {demand.image}"
    return _too_small(demand, equipped)


def not_ours(offers: Sequence[Offer], release: Release) -> str:
    """Why there are no workers of a release, ``there is no worker``; empty where there are."""
    if not offers:
        return "there is no worker"
    return "" if any(offer.release == release for offer in offers) else _of_others(offers, release)


def _of_others(offers: Sequence[Offer], release: Release) -> str:
    for offer in offers:
        if offer.release.said == release.said:
            theirs, wanted = offer.release.store or "its own", release.store or "of this machine"
            return f"no worker uses the store {wanted}; {offer.name} uses {theirs}"
    theirs = ", ".join(sorted({offer.release.said for offer in offers}))
    return f"no worker is of {release.said}; they are of {theirs}"


def _too_small(demand: Demand, offers: Sequence[Offer]) -> str:
    wide = [offer for offer in offers if offer.processors >= demand.processors]
    if not wide:
        most = max(offer.processors for offer in offers)
        return f"it needs {counted(demand.processors, 'processor')}, the largest worker offers {most}"
    most = max(offer.memory for offer in wide)
    if most // MB >= math.ceil(demand.memory / MB):
        return ""
    return f"it needs {demand.memory / 1e9:.1f} GB of memory, the largest worker offers {most / 1e9:.1f} GB"
