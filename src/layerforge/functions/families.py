"""One resolution for all functions, or the fewest: functions of a family have the same version of each package."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from layerforge.core.errors import LayerforgeError
from layerforge.planning import Prepared
from layerforge.resolve.errors import LockError
from layerforge.resolve.request import Request, merged

Prepare = Callable[[Request], Prepared]
"""Makes the plan of a request. Raises ``LayerforgeError``."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """A function with what it asks for."""

    name: str
    request: Request


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """Two functions that no resolution serves both, or one and a whole family."""

    functions: tuple[str, ...]
    said: tuple[str, ...]
    """uv's own words."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """Functions that were resolved together."""

    members: tuple[Member, ...]
    prepared: Prepared
    """The plan of all that they need."""


@dataclass(frozen=True, kw_only=True)
class Families:
    """All functions, each in one family."""

    families: tuple[Family, ...]
    conflicts: tuple[Conflict, ...] = ()
    """Why there is more than one."""


def families(members: Sequence[Member], prepare: Prepare) -> Families:
    """The functions in as few families as are found: one where all resolve together, else each joins the first family
    that it resolves with. Raises ``LayerforgeError`` where a function does not resolve even alone.
    """
    members = sorted(members, key=lambda one: one.name)
    try:
        return Families(families=(_family(members, prepare),))
    except LockError:
        if len(members) == 1:
            raise
        for one in members:
            _family([one], prepare)
        found = _greedily(members, prepare)
        if len(found.families) == 1:  # what failed then was something else
            raise
        return found


def _greedily(members: Sequence[Member], prepare: Prepare) -> Families:
    found: list[Family] = []
    conflicts: list[Conflict] = []
    for one in members:
        place, against = _joined(one, found, prepare)
        conflicts += [_narrowed(one, found[number], error, prepare) for number, error in against if place is None]
        if place is None:
            found.append(_family([one], prepare))
        else:
            number, family = place
            found[number] = family
    return Families(families=tuple(found), conflicts=tuple(conflicts))


def _joined(
    one: Member, found: Sequence[Family], prepare: Prepare
) -> tuple[tuple[int, Family] | None, list[tuple[int, LockError]]]:
    """The first family that a function can join, with it; and why it cannot join those before."""
    against: list[tuple[int, LockError]] = []
    for number, family in enumerate(found):
        try:
            return (number, _family([*family.members, one], prepare)), against
        except LockError as error:
            against.append((number, error))
    return None, against


def _narrowed(one: Member, family: Family, error: LockError, prepare: Prepare) -> Conflict:
    """The first member of a family that a function conflicts with by itself; else the whole family."""
    for other in family.members:
        try:
            _family([other, one], prepare)
        except LockError as narrower:
            return Conflict(functions=(other.name, one.name), said=_said(narrower))
    return Conflict(functions=(*(other.name for other in family.members), one.name), said=_said(error))


def _said(error: LayerforgeError) -> tuple[str, ...]:
    return error.details or (error.message,)


def _family(members: Sequence[Member], prepare: Prepare) -> Family:
    requests = [one.request for one in members]
    whole = merged(requests)
    common = tuple(
        name for name in requests[0].spec.leave_out if all(name in other.spec.leave_out for other in requests)
    )
    preferred = "\n".join(dict.fromkeys(one.preferred for one in requests if one.preferred))
    spec = replace(whole.spec, name="functions", leave_out=common)
    return Family(members=tuple(members), prepared=prepare(replace(whole, spec=spec, preferred=preferred)))
