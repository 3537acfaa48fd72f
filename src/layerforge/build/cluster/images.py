"""Which image the layers of a target are made in, where workers have images and this machine need not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from layerforge.build.cluster.offers import Offer, OfferedImage, Release, not_ours
from layerforge.build.elsewhere import Elsewhere
from layerforge.build.engine import Builder, Image
from layerforge.build.errors import ClusterError
from layerforge.core.runtimes import Target

B = TypeVar("B", bound=Builder)


def chosen(
    offers: Sequence[Offer], target: Target, own: B | None, release: Release, reference: str = ""
) -> B | Elsewhere:
    """What the layers of a target are planned with: this machine's ``own`` engine where a worker has its image too,
    else the workers' image. ``reference`` names one, as the workers call it.

    Raises ``ClusterError`` where no worker has an image for the target.
    """
    if own is not None and any(image.identity == own.image.identity for image in _all(offers, target, release)):
        return own
    return for_target(offers, target, release, reference)


def for_target(offers: Sequence[Offer], target: Target, release: Release, reference: str = "") -> Elsewhere:
    """The image of a target that most workers have; of two that equally many have, always the same one.

    Raises ``ClusterError`` where none has one, and says what is missing.
    """
    found = Counter(one for one in _all(offers, target, release) if reference in {"", one.reference})
    usable = {image: count for image, count in found.items() if not image.carries_sources}
    if not usable:
        raise _lacking(offers, target, release, reference, carrying=[one.reference for one in found])
    best = min(usable, key=lambda image: (-usable[image], image.identity, image.reference))
    return Elsewhere(image=Image(reference=best.reference, digest=best.identity, arch=best.arch))


def _all(offers: Iterable[Offer], target: Target, release: Release) -> Iterator[OfferedImage]:
    """The images of workers that could do a target's jobs, one for each worker that has it."""
    for offer in offers:
        if offer.release == release and offer.arch is target.arch:
            yield from (one for one in offer.images if one.arch is target.arch and target.python in one.pythons)


def _lacking(
    offers: Sequence[Offer], target: Target, release: Release, reference: str, carrying: Sequence[str]
) -> ClusterError:
    if why := not_ours(offers, release):
        return ClusterError(why, hint="start workers with `layerforge worker`, of this version and for this store")
    image = f"the image {reference}" if reference else "an image"
    what = f"{image} for Python {target.python} on {target.arch}"
    if carrying:
        return ClusterError(
            f"no worker has {what} that carries no sources of its own",
            hint="plan it on a machine that has that image, or let the workers have one without sources",
            details=tuple(carrying),
        )
    return ClusterError(
        f"no worker has {what}",
        hint="`layerforge worker --image REF`, on a machine with that processor, offers one",
        details=tuple(_told(offers)),
    )


def _told(offers: Iterable[Offer]) -> Iterator[str]:
    """What each worker has, a line each."""
    for offer in offers:
        has = "; ".join(f"{one.reference} for Python {', '.join(one.pythons) or 'none'}" for one in offer.images)
        yield f"{offer.name}: {offer.arch}, {has or 'no image'}"
