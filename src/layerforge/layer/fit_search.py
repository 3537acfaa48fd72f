"""Looks for the settings that cost least and have a layer fit: by sizes alone, so every machine chooses the same."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from layerforge.build.plan import Plan
from layerforge.core.text import megabytes
from layerforge.resolve.fit import AUTO, Fit, Goal, Way
from layerforge.resolve.recipe import BytecodeMode, Compression

MARGIN = 0.01
"""How far a sample may be wrong of the share of a zip that ``small`` wins over ``fast``. Like the next one it decides
what is chosen: whoever changes it raises ``plan.SCHEMA``.
"""

MOST_OF_MAX = 0.05
"""Share that ``max`` may win over ``small``, where less than 1 % is usual. It takes minutes to find out."""

_CONTENT = ((), (Way.RUNTIME,), (Way.ONLY,), (Way.RUNTIME, Way.ONLY))
"""Ways that change what is in a layer, the cheapest first."""


class Measure(Protocol):
    """Makes a layer in some ways, as far as its size takes that. Sizes in bytes."""

    def unzipped(self, ways: tuple[Way, ...]) -> int:
        """Of its files."""

    def zipped(self, ways: tuple[Way, ...]) -> int:
        """Of its zip."""

    def won(self, ways: tuple[Way, ...]) -> float:
        """The share of its zip that ``small`` wins over ``fast``, by a sample."""


@dataclass(frozen=True, kw_only=True)
class Try:
    """A layer that was made to see how large it is."""

    ways: tuple[Way, ...]
    """What was done beside what was asked for."""
    unzipped: int
    zipped: int | None = None
    """``None`` where that did not matter."""
    fits: bool

    @property
    def told(self) -> str:
        """As options; ``as asked`` where there are none."""
        return " ".join(self.ways) or "as asked"


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """How the settings of a layer were chosen."""

    fit: Fit
    required: bool
    tries: tuple[Try, ...]
    """In their order."""
    taken: tuple[Way, ...]
    """What was done in the end; nothing where none of the tries fits."""
    refused: str = ""
    """Why what Lambda's own Python has did not go; empty where it did, or nobody asked."""
    won: float | None = None
    """The share of what was taken that ``small`` wins over ``fast``, by a sample; ``None`` where that was not asked."""

    @property
    def fits(self) -> bool:
        """Whether the layer does."""
        return any(one.fits for one in self.tries)

    @property
    def smallest(self) -> Try:
        """The try that comes nearest."""
        return min(self.tries, key=lambda one: (one.unzipped > self.fit.unzipped, one.zipped or 0, one.unzipped))


def sought(goal: Goal, measure: Measure, refused: str = "") -> Fitted:
    """Makes one layer after another until one fits; what was asked for is taken where none does.

    ``refused`` is why the runtime's packages may not go.
    """
    if refused:
        goal = replace(goal, ways=tuple(way for way in goal.ways if way is not Way.RUNTIME))
    tries: list[Try] = []
    for ways in _ordered(goal, tries, measure):
        tries.append(_tried(goal.fit, ways, measure))
        if tries[-1].fits:
            break
    taken = tries[-1].ways if tries[-1].fits else ()
    told = refused if len(tries) > 1 else ""
    found = Fitted(fit=goal.fit, required=goal.required, tries=tuple(tries), taken=taken, refused=told)
    return _packed_well(found, measure) if found.fits and goal.fit.zipped is None and Way.SMALL in goal.ways else found


def _tried(fit: Fit, ways: tuple[Way, ...], measure: Measure) -> Try:
    unzipped = measure.unzipped(ways)
    matters = fit.zipped is not None and unzipped <= fit.unzipped
    zipped = measure.zipped(ways) if matters else None
    return Try(ways=ways, unzipped=unzipped, zipped=zipped, fits=fit.allows(unzipped, zipped))


def _ordered(goal: Goal, tries: Sequence[Try], measure: Measure) -> Iterator[tuple[Way, ...]]:
    """What may be done, what costs least first. What cannot help, by the ``tries`` so far, is passed over."""
    yield ()
    contents = [one for one in _CONTENT if {*one} <= {*goal.ways}]
    limit = goal.fit.zipped
    small = (Way.SMALL,) if limit is not None and Way.SMALL in goal.ways else ()
    # What is needed for the next ways anyway is not worth a sample.
    if small and _near(tries[0], limit, 1 if goal.required else measure.won(()) + MARGIN):
        yield small
    yield from ((*small, *content) for content in contents[1:])
    if limit is not None and Way.MAX in goal.ways:
        by_ways = {one.ways: one for one in tries}
        for content in contents:
            if (before := by_ways.get((*small, *content))) and _near(before, limit, MOST_OF_MAX):
                yield (*content, Way.MAX)


def _near(before: Try, limit: int | None, share: float) -> bool:
    """Whether a zip that is smaller by a share than that of another try may be within the limit."""
    return limit is not None and before.zipped is not None and before.zipped * (1 - share) <= limit


def _packed_well(found: Fitted, measure: Measure) -> Fitted:
    """The same, compressed better where that makes a direct upload of it."""
    base = found.taken
    before = measure.zipped(base)
    limit = AUTO.fit.zipped or 0
    if before <= limit or before * (1 - measure.won(base) - MARGIN) > limit:
        return found
    ways = (Way.SMALL, *base)
    zipped = measure.zipped(ways)
    one = Try(ways=ways, unzipped=measure.unzipped(ways), zipped=zipped, fits=True)
    return replace(found, tries=(*found.tries, one), taken=ways) if zipped <= limit else found


def allowed(plan: Plan, ways: Collection[Way]) -> bool:
    """Whether a layer of the plan may have been made in these ways."""
    may = {*plan.goal.ways} if plan.goal else set()
    return {*ways} <= may and (plan.without is not None or Way.RUNTIME not in ways)


def settled(plan: Plan, ways: Collection[Way]) -> Plan:
    """The plan as it was carried out: with what was done to have its layer fit. It keeps its key."""
    without = plan.without if Way.RUNTIME in ways else None
    base = replace(without, key=plan.key, indexes=plan.indexes) if without else plan
    spec, compression = base.spec, base.compression
    if Way.ONLY in ways:
        spec = replace(spec, bytecode=replace(spec.bytecode, mode=BytecodeMode.ONLY))
    if Way.SMALL in ways:
        compression = Compression.SMALL
    if Way.MAX in ways:
        compression = Compression.MAX
    return replace(base, spec=spec, compression=compression, goal=None, without=None)


def told(found: Fitted) -> Iterator[str]:
    """What was tried, a line each with what it gained, and what was taken."""
    if not found.required:
        yield _told_auto(found)
        return
    first = found.tries[0]
    how = " ".join(found.taken) or "as it was asked for"
    yield f"fits {found.fit.told}: {how}" if found.fits else f"does not fit {found.fit.told}"
    if len(found.tries) > 1:
        width = max(len(one.told) for one in found.tries)
        yield from (f"  {one.told:{width}}  {_sizes(one, first)}" for one in found.tries)
    if found.refused:
        yield f"  {Way.RUNTIME} was not tried: {found.refused}"


def _told_auto(found: Fitted) -> str:
    first, last = found.tries[0], found.tries[-1]
    fast, limit = megabytes(first.zipped or 0), found.fit.told
    if found.taken:
        return f"compressed small, to {megabytes(last.zipped or 0)}, since fast gives {fast}, more than {limit}"
    if last is first:
        return f"compressed fast: small, by a sample, would not make {fast} fit {limit}"
    return f"compressed fast: small gives {megabytes(last.zipped or 0)}, which does not fit {limit} either"


def _sizes(one: Try, first: Try) -> str:
    """``40.3 MB zipped, 1.3 MB less; 119.1 MB unzipped``."""
    zipped = _size("zipped", one.zipped, first.zipped) if one.zipped is not None else ""
    return "; ".join(filter(None, (zipped, _size("unzipped", one.unzipped, first.unzipped))))


def _size(what: str, size: int, before: int | None) -> str:
    less = f", {_exact(before - size)} less" if before is not None and before > size else ""
    return f"{_exact(size)} {what}{less}"


def _exact(size: int) -> str:
    """Near a limit, tenths of a megabyte are not enough."""
    return f"{size / 10**6:,.2f} MB"
