"""What is told of the versions that a resolution chose, since nobody would look for it: nothing of that is quiet."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from packaging.requirements import Requirement
from packaging.version import Version

from layerforge.core.progress import Progress
from layerforge.core.runtimes import Target
from layerforge.resolve.dated import Dated, dated
from layerforge.resolve.errors import LockError
from layerforge.resolve.lock import Lock
from layerforge.resolve.request import Request
from layerforge.resolve.uv import Asked

YEARS = 2
"""So many years a release may lie behind the newest where that has no wheel; an older one has to be asked for."""

_OLDEST = timedelta(days=365 * YEARS)
_MOST_NAMED = 10


def tell(request: Request, found: Lock, asked: Asked, where: Target | str, progress: Progress) -> None:
    """Says which prereleases are taken, and where a package is old because its newest release has no wheel.

    Raises ``LockError`` where one is so old that nobody would want it without having said so.
    """
    early = [f"{pin.name} {pin.version}" for pin in found.pins if pin.version and Version(pin.version).is_prerelease]
    if early:
        more = f" and {len(early) - _MOST_NAMED} more" if len(early) > _MOST_NAMED else ""
        progress.say(f"prereleases are taken: {', '.join(early[:_MOST_NAMED])}{more}")
    for name, taken, newest in _behind(request, found, asked, where):
        _refuse_years_old(name, taken, newest)
        progress.warn(
            f"{name} {taken.version} is taken: {newest.version}, the newest, has no wheel for this; "
            f"--from-source {name} compiles it in a container"
        )


def _behind(request: Request, found: Lock, asked: Asked, where: Target | str) -> Iterator[tuple[str, Dated, Dated]]:
    """Each package that is asked for by name and whose newest release has no wheel: what is taken, and the newest."""
    others = {*request.from_sdist, *request.spec.compiled, *(one.name for one in request.made)}
    direct = [one for one in map(Requirement, request.spec.requires) if not one.url]
    own = asked.instead("\n".join(str(one) for one in direct if one.name not in others))
    locked = {pin.name: pin.version for pin in found.pins if pin.version}
    newest = dated(own, where, wheels=False) if own.source else {}
    behind = [name for name, one in newest.items() if name in locked and Version(locked[name]) < Version(one.version)]
    # Only where something is behind, uv is asked why: it may have been asked for, or all that goes with the rest.
    wheels = dated(own, where, wheels=True) if behind else {}
    for name in behind:
        if name in wheels and Version(wheels[name].version) < Version(newest[name].version):
            same = wheels[name].version == locked[name]
            taken = wheels[name] if same else _dated(f"{name}=={locked[name]}", asked, where)
            yield name, taken, newest[name]


def _dated(pinned: str, asked: Asked, where: Target | str) -> Dated:
    """A release with the time it was published at."""
    found = dated(asked.instead(pinned), where, wheels=True)
    return next(iter(found.values()), Dated(version=pinned.partition("==")[2]))


def _refuse_years_old(name: str, taken: Dated, newest: Dated) -> None:
    times = (taken.published, newest.published)
    if isinstance(times[0], datetime) and isinstance(times[1], datetime) and times[1] - times[0] > _OLDEST:
        raise LockError(
            f"the newest release of {name} with a wheel for this is {taken.version} of {times[0].year}; "
            f"{newest.version} of {times[1].year} has its source alone",
            hint=f"--from-source {name} compiles the newest in a container, and "
            f'"{name}=={taken.version}" takes the old one',
        )
