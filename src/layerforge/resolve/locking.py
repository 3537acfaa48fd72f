"""The lock of a request: the one that lies beside it where it holds, else what the index gives today."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from layerforge.core import guarded
from layerforge.core.errors import LayerforgeError
from layerforge.core.runtimes import Target
from layerforge.core.text import counted
from layerforge.resolve import (
    asked_hashes,
    chosen_versions,
    excluding,
    leaving_out,
    left_out,
    local_wheels,
    lock,
    resolution,
    uv,
)
from layerforge.resolve.errors import LockError
from layerforge.resolve.left_out import Why
from layerforge.resolve.lock import Lock, Pin
from layerforge.resolve.markers import environment
from layerforge.resolve.remarks import perhaps_a_recipe, tell, warn_of_typo
from layerforge.resolve.request import Request
from layerforge.resolve.sources import Search

OLDEST_LOCKED = "3.12"
"""The Python from which on `layerforge lock` resolves unless told otherwise: the oldest runtime on AL2023."""


def locked(request: Request, target: Target, search: Search) -> Lock:
    """The lock of a request: read where there is one, else resolved for ``target``, without what is to stay out.

    Raises ``LockError`` where it has none of the hashes that the request names.
    """
    progress = search.progress
    tell(request, progress)
    if request.lock is not None:
        _refuse_elsewhere(request, target)
        found = local_wheels.placed(given(request), request, progress)
        try:
            lock.check_python(found, target, "")
        except LockError as error:
            hint = _for_python(_as_locked(request, found), target)
            raise LockError(error.message, hint=hint, details=error.details) from error
        if request.listed.unread:
            what = ", ".join(request.listed.unread)
            progress.warn(f"whether {request.lock} locks these cannot be told: {what}")
        return asked_hashes.held(_needed(request, found, target, search) if request.partly else found, request)
    warn_of_typo(request, progress)
    with progress.step("resolve") as step:
        try:
            text = resolution.resolved(request, target, search)
        except LayerforgeError as error:
            raise perhaps_a_recipe(request, error) from error
        found = leaving_out.with_left_out(
            asked_hashes.held(resolution.understood(text), request), request, target, search
        )
        step.note(counted(len(found.pins), "package"))
    chosen_versions.tell(request, found, resolution.asked_of(request), target, progress)
    return found


def given(request: Request) -> Lock:
    """What the lock of a request holds, for every target. Raises ``LockError`` where it cannot be read."""
    if request.other is not None:
        return request.other.lock
    assert request.lock is not None
    return lock.parse(read(request.lock, request.way_out("write")), request.lock.name)


def _refuse_elsewhere(request: Request, target: Target) -> None:
    """Raises ``LockError`` where another tool's lock is for other systems."""
    only = request.other.only if request.other else ""
    if only is None or (only and not Marker(only).evaluate({**environment(target), "extra": ""})):
        raise LockError(
            f"{request.lock} is for other systems than Python {target.python} on {target.arch}",
            hint="write one that is for it too: its `environments` say what it is for",
        )


def _needed(request: Request, found: Lock, target: Target, search: Search) -> Lock:
    """What of a whole project's lock the requirements need. Raises ``LockError`` where they need more than it holds."""
    pins = lock.applicable(found, target)
    lock.check_fresh(_required(request, found, pins, target), pins, target, request.way_out())
    out = resolution.excluded(request, target) - {pin.name for pin in pins}
    needed = {pin.name: pin for pin in resolution.within(request, pins, out, target, search).pins}
    held = {pin.name for pin in pins}
    if more := [
        f"{pin.name} {pin.version} is needed but not locked" for name, pin in needed.items() if name not in held
    ]:
        raise LockError("the lock is stale", hint=request.way_out(), details=tuple(more))
    return replace(found, pins=tuple(pin for pin in pins if pin.name in needed))


def _for_python(request: Request, target: Target) -> str:
    """What to do where a lock is for newer Pythons than the target's: uv is asked whether a new one could be had."""
    without: list[str] = []
    indexes = request.listed.indexes
    for text in request.spec.requires:
        requirement = Requirement(text)
        if requirement.url or uv.newest_with_wheel(text, target, indexes):
            continue
        newest = uv.newest_with_wheel(requirement.name, target, indexes)
        without.append(f'"{requirement.name}=={newest}"' if newest else "")
    if not without:
        return request.way_out(python=target.python)
    if all(without):
        return f"no version that it allows has a wheel for Python {target.python}; name {' '.join(without)} instead"
    return f"no version that it allows has a wheel for Python {target.python}; take a newer Python"


def read(path: Path, hint: str) -> str:
    """The text of a lock. Raises ``LockError`` with ``hint``."""
    try:
        return guarded.text(path)
    except guarded.Unreadable as error:
        raise LockError(f"{path} cannot be read", hint=hint, details=(str(error),)) from error


def pins(request: Request, found: Lock, target: Target) -> tuple[Pin, ...]:
    """The pins of the lock that apply on ``target``, checked against what the request requires.

    They ask for its extras too, whose own packages uv then looks for in the lock.
    """
    chosen = tuple(pin for pin in lock.applicable(found, target) if pin.name not in request.unwanted)
    if request.lock is not None:
        hint = _as_locked(request, found).way_out()
        lock.check_fresh(_required(request, found, chosen, target), chosen, target, hint)
    return lock.with_extras(chosen, request.spec.requires, target)


def _as_locked(request: Request, found: Lock) -> Request:
    """The request as its lock was written, so that a new one is without the same packages."""
    return replace(request, leave_out=tuple(dict.fromkeys((*found.leave_out, *request.leave_out))))


def _required(request: Request, found: Lock, chosen: Iterable[Pin], target: Target) -> list[str]:
    """What a lock has to hold: what is required, but for what is left out on purpose and not in it."""
    absent = {one.name for one in found.left_out} | resolution.excluded(request, target)
    absent -= {pin.name for pin in chosen}
    absent |= {one.name for one in request.other.locals} if request.other else set()
    return [text for text in request.spec.requires if canonicalize_name(Requirement(text).name) not in absent]


def locked_pins(request: Request, target: Target, search: Search) -> leaving_out.Chosen:
    """What a layer for ``target`` holds. Raises ``LockError`` where that is nothing."""
    found = locked(request, target, search)
    chosen = leaving_out.Chosen(pins=pins(request, found, target), left_out=found.left_out)
    if request.lock is not None and request.spec.leave_out:
        chosen = leaving_out.leave_out(request, found, chosen.pins, target, search)
    if not chosen.pins:
        excluding.refuse_nothing(chosen.left_out)
        raise LockError(
            f"nothing is required on Python {target.python} for {target.arch}",
            hint="is the file empty, or do all its markers name other systems?",
        )
    if any(one.why is not Why.BESIDE for one in chosen.left_out):
        search.progress.say(f"left out: {left_out.told(chosen.left_out)}")
    elif request.leave_out:
        search.progress.say("nothing is left out: none of what Lambda's own Python has would be in the layer")
    return chosen


def universal(request: Request, oldest_python: str, search: Search) -> str:
    """The text of a universal lock for a request, from ``oldest_python`` on."""
    found = asked_hashes.held(resolution.understood(resolution.resolved(request, oldest_python, search)), request)
    found = leaving_out.with_left_out(found, request, oldest_python, search)
    if not found.pins:
        excluding.refuse_nothing(found.left_out)
    chosen_versions.tell(request, found, resolution.asked_of(request), oldest_python, search.progress)
    return header(request, oldest_python) + left_out.lines(found.left_out) + lock.render_portable(found.pins)


def header(request: Request, oldest_python: str) -> str:
    """First line of every lock that is written for a request."""
    older = "" if oldest_python == OLDEST_LOCKED else f" --python {oldest_python}"
    return lock.header(oldest_python, request.shareable_renew + older)
