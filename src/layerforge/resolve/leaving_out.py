"""What of a layer stays out on purpose, and what goes with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from layerforge.core.errors import LayerforgeError
from layerforge.core.runtimes import Target
from layerforge.resolve import excluding, resolution, uv
from layerforge.resolve.left_out import LeftOut
from layerforge.resolve.lock import Lock, Pin
from layerforge.resolve.request import Request
from layerforge.resolve.sources import Search


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What a layer holds, and what it is without on purpose."""

    pins: tuple[Pin, ...]
    left_out: tuple[LeftOut, ...] = ()


def with_left_out(found: Lock, request: Request, where: Target | str, search: Search) -> Lock:
    """What was resolved without what is to stay out, with what that is. Raises ``LockError`` for unknown names."""
    words = request.spec.leave_out
    if not words:
        return found
    runtime = uv.one_of(where).runtime
    try:
        whole = resolution.within(request, found.pins, frozenset(), where, search).pins
    except LayerforgeError:
        # That it cannot be had at all may be why it stays out.
        return replace(found, left_out=excluding.unresolved(words, runtime))
    kept = {pin.name for pin in found.pins}
    excluding.refuse_unknown(request.leave_out, {pin.name for pin in whole})
    gone = [pin for pin in whole if pin.name not in kept]
    sizes = excluding.wheel_sizes(gone, where, request.listed.indexes)
    return replace(found, left_out=excluding.left_out(words, runtime, whole, kept, sizes))


def leave_out(request: Request, found: Lock, pins: Sequence[Pin], target: Target, search: Search) -> Chosen:
    """The pins of a given lock without those that are to stay out, and those that only they need.

    What nothing requires stays, since it is in the lock for a reason of its own. Raises ``LockError`` for names that
    the lock does not have, ``LayerforgeError`` where uv cannot tell what requires what.
    """
    words, excludes = request.spec.leave_out, resolution.excluded(request, target)
    before = frozenset(one.name for one in found.left_out)
    names = {pin.name for pin in pins}
    if not before | names >= set(request.leave_out) - {excluding.RUNTIME}:
        # A lock that others wrote without it does not say so.
        whole = _whole(request, pins, before, target, search)
        excluding.refuse_unknown(request.leave_out, before | names | whole)
        absent = excluding.unresolved(sorted((whole & excludes) - names - before), target.runtime)
        found = replace(found, left_out=(*found.left_out, *absent))
    if excludes.isdisjoint(names):
        return Chosen(pins=tuple(pins), left_out=found.left_out)
    rest = _names(request, pins, excludes | before, target, search)
    loose = names - rest - excludes
    kept = (names & rest) | (loose - _whole(request, pins, before, target, search) if loose else loose)
    sizes = excluding.wheel_sizes([pin for pin in pins if pin.name not in kept], target, request.listed.indexes)
    more = excluding.left_out(words, target.runtime, pins, kept, sizes)
    every = sorted((*found.left_out, *more), key=lambda one: one.name)
    return Chosen(pins=tuple(pin for pin in pins if pin.name in kept), left_out=tuple(every))


def without_runtime(request: Request, pins: Sequence[Pin], target: Target, search: Search) -> Chosen:
    """The pins of a layer without what Lambda's own Python has, and what only that needs, in the same versions.

    Raises ``LayerforgeError`` where uv cannot tell what requires what.
    """
    spec = request.spec
    words = (*spec.leave_out, excluding.RUNTIME)
    bare = replace(request, leave_out=(), spec=replace(spec, leave_out=words))
    return leave_out(bare, Lock(pins=tuple(pins), left_out=spec.left_out), pins, target, search)


def _names(request: Request, pins: Iterable[Pin], out: frozenset[str], target: Target, search: Search) -> set[str]:
    return {pin.name for pin in resolution.within(request, pins, out, target, search).pins}


def _whole(request: Request, pins: Sequence[Pin], out: frozenset[str], target: Target, search: Search) -> set[str]:
    """Names of all that is required, in the lock or not; those in it where that cannot be told."""
    try:
        return _names(request, pins, out, target, search)
    except LayerforgeError:
        # A closed network need not have what is left out.
        return {pin.name for pin in pins}
