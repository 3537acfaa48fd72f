"""The lock of a request: the one that lies beside it where it holds, else what the index gives today."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, canonicalize_version

from layerforge.core import guarded
from layerforge.core.errors import LayerforgeError
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Target
from layerforge.core.text import counted
from layerforge.resolve import chosen_versions, excluding, left_out, local_wheels, lock, standins, uv
from layerforge.resolve.errors import LockError
from layerforge.resolve.left_out import LeftOut, Why
from layerforge.resolve.lock import Lock, Pin
from layerforge.resolve.markers import environment
from layerforge.resolve.remarks import perhaps_a_recipe, tell, warn_of_typo
from layerforge.resolve.request import Request
from layerforge.resolve.sources import Search
from layerforge.resolve.uv import Asked

OLDEST_LOCKED = "3.12"
"""The Python from which on `layerforge lock` resolves unless told otherwise: the oldest runtime on AL2023."""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What a layer holds, and what it is without on purpose."""

    pins: tuple[Pin, ...]
    left_out: tuple[LeftOut, ...] = ()


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
        return _held(_needed(request, found, target, search) if request.partly else found, request)
    warn_of_typo(request, progress)
    with progress.step("resolve") as step:
        try:
            text = _resolved(request, target, search)
        except LayerforgeError as error:
            raise perhaps_a_recipe(request, error) from error
        found = _with_left_out(_held(understood(text), request), request, target, search)
        step.note(counted(len(found.pins), "package"))
    chosen_versions.tell(request, found, _asked(request), target, progress)
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
    out = _excludes(request, target) - {pin.name for pin in pins}
    needed = {pin.name: pin for pin in _within(request, pins, out, target, search).pins}
    held = {pin.name for pin in pins}
    if more := [
        f"{pin.name} {pin.version} is needed but not locked" for name, pin in needed.items() if name not in held
    ]:
        raise LockError("the lock is stale", hint=request.way_out(), details=tuple(more))
    return replace(found, pins=tuple(pin for pin in pins if pin.name in needed))


def _asked(request: Request, progress: Progress | None = None) -> Asked:
    """What uv is to resolve."""
    listed = request.listed
    return Asked(
        source=request.lines,
        projects=request.projects,
        wanted=request.by_uv,
        constraints=listed.constraints,
        overrides="\n".join(one.line for one in request.made if one.instead),
        indexes=listed.indexes,
        preferred=request.preferred,
        prerelease=request.prerelease or listed.prerelease,
        on_warning=progress.warn if progress else None,
    )


def _resolved(request: Request, where: Target | str, search: Search) -> str:
    excludes = _excludes(request, where)
    asked = replace(_asked(request, search.progress), excludes=tuple(sorted(excludes)))
    return standins.compile_lock(asked, where, _compiled(request, excludes), search, request.spec.requires)


def _excludes(request: Request, where: Target | str) -> frozenset[str]:
    """What is to stay out of a layer, whoever requires it."""
    return excluding.excluded(request.spec.leave_out, uv.one_of(where).runtime)


def _compiled(request: Request, excludes: frozenset[str]) -> list[str]:
    """Packages of which source distributions count too."""
    names = dict.fromkeys([*request.from_sdist, *(part.name for part in request.spec.packages)])
    return [name for name in names if name not in excludes]


def _within(
    request: Request, pins: Iterable[Pin], excludes: frozenset[str], where: Target | str, search: Search
) -> Lock:
    """What the requirements come to when every one of ``pins`` has its version. Raises ``LayerforgeError``."""
    pins = tuple(pins)
    fixed = lock.render(replace(pin, hashes=(), extras=()) for pin in pins)
    asked = _asked(request)
    asked = replace(asked, constraints=f"{asked.constraints}\n{fixed}", excludes=tuple(sorted(excludes)))
    versions = [f"{pin.name}=={pin.version}" for pin in pins if pin.version]
    names = _compiled(request, excludes)
    return understood(standins.compile_lock(asked, where, names, search, [*versions, *request.spec.requires]))


def _with_left_out(found: Lock, request: Request, where: Target | str, search: Search) -> Lock:
    """What was resolved without what is to stay out, with what that is. Raises ``LockError`` for unknown names."""
    words = request.spec.leave_out
    if not words:
        return found
    runtime = uv.one_of(where).runtime
    try:
        whole = _within(request, found.pins, frozenset(), where, search).pins
    except LayerforgeError:
        # That it cannot be had at all may be why it stays out.
        return replace(found, left_out=excluding.unresolved(words, runtime))
    kept = {pin.name for pin in found.pins}
    excluding.refuse_unknown(request.leave_out, {pin.name for pin in whole})
    gone = [pin for pin in whole if pin.name not in kept]
    sizes = excluding.wheel_sizes(gone, where, request.listed.indexes)
    return replace(found, left_out=excluding.left_out(words, runtime, whole, kept, sizes))


def _leave_out(request: Request, found: Lock, pins: Sequence[Pin], target: Target, search: Search) -> Chosen:
    """The pins of a given lock without those that are to stay out, and those that only they need.

    What nothing requires stays, since it is in the lock for a reason of its own. Raises ``LockError`` for names that
    the lock does not have, ``LayerforgeError`` where uv cannot tell what requires what.
    """
    words, excludes = request.spec.leave_out, _excludes(request, target)
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


def _names(request: Request, pins: Iterable[Pin], out: frozenset[str], target: Target, search: Search) -> set[str]:
    return {pin.name for pin in _within(request, pins, out, target, search).pins}


def _whole(request: Request, pins: Sequence[Pin], out: frozenset[str], target: Target, search: Search) -> set[str]:
    """Names of all that is required, in the lock or not; those in it where that cannot be told."""
    try:
        return _names(request, pins, out, target, search)
    except LayerforgeError:
        # A closed network need not have what is left out.
        return {pin.name for pin in pins}


def _held(found: Lock, request: Request) -> Lock:
    """The lock with no other hashes than those that the request names, where it names some."""
    wanted = dict(request.listed.hashes)
    made = {one.name for one in request.made if one.held}
    hashless = (pin.name for pin in found.pins if not _wanted(wanted, pin) and pin.name not in made)
    lacking = list(hashless) if request.listed.all_hashed else []
    if lacking:
        raise LockError(
            "--require-hashes asks for a hash of each package, and some have none",
            hint="add theirs, or leave the option out: a lock holds hashes of all either way",
            details=tuple(lacking),
        )
    kept = (_kept(wanted, pin) for pin in found.pins)
    pins = [replace(pin, hashes=tuple(sorted(hashes))) for pin, hashes in zip(found.pins, kept, strict=True)]
    bare = [f"{pin.name} {pin.version}" for pin in pins if not pin.hashes]
    if bare:
        raise LockError(
            "no file has a hash that is asked for",
            hint="was the hash copied whole, and is it that version's? if so, do not use what the index has",
            details=tuple(f"{one}: none of its files" for one in bare),
        )
    return replace(found, pins=tuple(pins))


def _wanted(hashes: Mapping[tuple[str, str], frozenset[str]], pin: Pin) -> list[frozenset[str]]:
    """What is named for a pin's version, and for its package alone. Where only other versions have some, none fits."""
    version = canonicalize_version(pin.version) if pin.version else ""
    named = [key for key in hashes if key[0] == pin.name]
    fitting = [hashes[key] for key in named if key[1] in {version, ""}]
    return fitting or [frozenset() for _ in named[:1]]


def _kept(hashes: Mapping[tuple[str, str], frozenset[str]], pin: Pin) -> frozenset[str]:
    """The hashes of a pin that are in all that is named for it."""
    return frozenset(pin.hashes).intersection(*_wanted(hashes, pin))


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


def understood(text: str) -> Lock:
    """What uv made of requirements. It passes on what has no version and hash, such as a project on disk."""
    try:
        return lock.parse(text, "the resolved lock")
    except LockError as error:
        raise LockError(
            "the requirements cannot be locked",
            hint="change the requirements that are named: a layer is made of exact versions with hashes",
            details=error.details,
        ) from error


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
    absent = {one.name for one in found.left_out} | _excludes(request, target)
    absent -= {pin.name for pin in chosen}
    absent |= {one.name for one in request.other.locals} if request.other else set()
    return [text for text in request.spec.requires if canonicalize_name(Requirement(text).name) not in absent]


def locked_pins(request: Request, target: Target, search: Search) -> Chosen:
    """What a layer for ``target`` holds. Raises ``LockError`` where that is nothing."""
    found = locked(request, target, search)
    chosen = Chosen(pins=pins(request, found, target), left_out=found.left_out)
    if request.lock is not None and request.spec.leave_out:
        chosen = _leave_out(request, found, chosen.pins, target, search)
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


def without_runtime(request: Request, pins: Sequence[Pin], target: Target, search: Search) -> Chosen:
    """The pins of a layer without what Lambda's own Python has, and what only that needs, in the same versions.

    Raises ``LayerforgeError`` where uv cannot tell what requires what.
    """
    spec = request.spec
    words = (*spec.leave_out, excluding.RUNTIME)
    bare = replace(request, leave_out=(), spec=replace(spec, leave_out=words))
    return _leave_out(bare, Lock(pins=tuple(pins), left_out=spec.left_out), pins, target, search)


def universal(request: Request, oldest_python: str, search: Search) -> str:
    """The text of a universal lock for a request, from ``oldest_python`` on."""
    found = _held(understood(_resolved(request, oldest_python, search)), request)
    found = _with_left_out(found, request, oldest_python, search)
    if not found.pins:
        excluding.refuse_nothing(found.left_out)
    chosen_versions.tell(request, found, _asked(request), oldest_python, search.progress)
    return header(request, oldest_python) + left_out.lines(found.left_out) + lock.render_portable(found.pins)


def header(request: Request, oldest_python: str) -> str:
    """First line of every lock that is written for a request."""
    older = "" if oldest_python == OLDEST_LOCKED else f" --python {oldest_python}"
    return lock.header(oldest_python, request.shareable_renew + older)
