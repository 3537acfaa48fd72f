"""Settings that have a layer fit: whatever the sizes are, more room never costs more, and nobody is overruled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from layerforge.layer.fit_search import sought
from layerforge.resolve.fit import Fit, Goal, Way

MB = 10**6
LARGEST = 400 * MB
ORDER: tuple[tuple[Way, ...], ...] = (
    (),
    (Way.SMALL,),
    (Way.RUNTIME,),
    (Way.SMALL, Way.RUNTIME),
    (Way.ONLY,),
    (Way.SMALL, Way.ONLY),
    (Way.RUNTIME, Way.ONLY),
    (Way.SMALL, Way.RUNTIME, Way.ONLY),
    (Way.MAX,),
    (Way.RUNTIME, Way.MAX),
    (Way.ONLY, Way.MAX),
    (Way.RUNTIME, Way.ONLY, Way.MAX),
)
"""What costs least first."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """The sizes of a layer by what is done to it, such as no layer need have."""

    sizes: Mapping[tuple[Way, ...], tuple[int, int]]

    def unzipped(self, ways: tuple[Way, ...]) -> int:
        return self.sizes[tuple(way for way in ways if way in {Way.RUNTIME, Way.ONLY})][0]

    def zipped(self, ways: tuple[Way, ...]) -> int:
        return self.sizes[ways][1]

    def won(self, ways: tuple[Way, ...]) -> float:
        return 1 - self.zipped((Way.SMALL, *ways)) / self.zipped(ways)


SIZES = st.tuples(st.integers(1, 300 * MB), st.integers(1, LARGEST))
LAYERS = st.fixed_dictionaries(dict.fromkeys(ORDER, SIZES)).map(lambda sizes: Layer(sizes=sizes))


@st.composite
def limited(draw: st.DrawFn) -> tuple[Layer, int]:
    """A layer and a limit that is near the size of one of its zips."""
    layer = draw(LAYERS)
    return layer, max(1, int(layer.sizes[draw(st.sampled_from(ORDER))][1] * draw(st.floats(0.9, 1.1))))


WAYS = st.sets(st.sampled_from(list(Way))).map(
    # Both are decided by one option.
    lambda chosen: tuple(way for way in Way if way in chosen | ({Way.SMALL, Way.MAX} if Way.MAX in chosen else set()))
)


def cost(goal: Goal, layer: Layer) -> int:
    """The place of what is taken among all that may be; what does not fit costs most."""
    found = sought(goal, layer)
    return ORDER.index(found.taken) if found.fits else len(ORDER)


@given(limited(), st.floats(0.8, 1.25), WAYS)
def test_a_larger_zip_never_takes_settings_that_cost_more(
    case: tuple[Layer, int], share: float, ways: tuple[Way, ...]
) -> None:
    layer, one = case
    other = max(1, int(one * share))
    less, more = (Goal(fit=Fit(zipped=limit), ways=ways) for limit in sorted((one, other)))
    assert cost(more, layer) <= cost(less, layer)


@given(LAYERS, st.integers(0, 262 * MB), st.integers(0, 262 * MB))
def test_less_room_for_the_function_never_takes_settings_that_cost_more(layer: Layer, one: int, other: int) -> None:
    ways = (Way.RUNTIME, Way.ONLY)
    less, more = (Goal(fit=Fit(room=room), ways=ways) for room in sorted((one, other)))
    assert cost(less, layer) <= cost(more, layer)


@given(limited(), st.booleans(), st.integers(0, 262 * MB), WAYS)
def test_what_is_taken_fits_and_is_nothing_that_somebody_has_decided(
    case: tuple[Layer, int], packed: bool, room: int, ways: tuple[Way, ...]
) -> None:
    layer, limit = case
    zipped = limit if packed else None
    goal = Goal(fit=Fit(zipped=zipped, room=room), ways=ways)
    found = sought(goal, layer)
    assert {*found.taken} <= {*ways}
    assert all({*one.ways} <= {*ways} for one in found.tries)
    assert len({one.ways for one in found.tries}) == len(found.tries), "nothing is made twice"
    if found.fits:
        size = layer.zipped(found.taken) if zipped is not None else None
        assert goal.fit.allows(layer.unzipped(found.taken), size)
        assert found.tries[-1].ways == found.taken
    else:
        assert found.taken == ()
    assert sought(goal, layer) == found


@given(limited(), WAYS)
def test_nothing_that_costs_less_and_was_tried_fits(case: tuple[Layer, int], ways: tuple[Way, ...]) -> None:
    layer, zipped = case
    found = sought(Goal(fit=Fit(zipped=zipped), ways=ways), layer)
    places = [ORDER.index(one.ways) for one in found.tries]
    assert places == sorted(places)
    assert [one.fits for one in found.tries[:-1]] == [False] * (len(found.tries) - 1)
