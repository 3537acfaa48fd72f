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


SIZES = st.tuples(st.integers(1, LARGEST), st.integers(1, LARGEST))
LAYERS = st.fixed_dictionaries(dict.fromkeys(ORDER, SIZES)).map(lambda sizes: Layer(sizes=sizes))
LIMITS = st.integers(1, LARGEST)
WAYS = st.sets(st.sampled_from(list(Way))).map(
    # Both are decided by one option.
    lambda chosen: tuple(way for way in Way if way in chosen | ({Way.SMALL, Way.MAX} if Way.MAX in chosen else set()))
)


def cost(goal: Goal, layer: Layer) -> int:
    """The place of what is taken among all that may be; what does not fit costs most."""
    found = sought(goal, layer)
    return ORDER.index(found.taken) if found.fits else len(ORDER)


@given(LAYERS, LIMITS, LIMITS, WAYS)
def test_a_larger_zip_never_takes_settings_that_cost_more(
    layer: Layer, one: int, other: int, ways: tuple[Way, ...]
) -> None:
    less, more = (Goal(fit=Fit(zipped=limit), ways=ways) for limit in sorted((one, other)))
    assert cost(more, layer) <= cost(less, layer)


@given(LAYERS, st.integers(0, 262 * MB), st.integers(0, 262 * MB))
def test_less_room_for_the_function_never_takes_settings_that_cost_more(layer: Layer, one: int, other: int) -> None:
    ways = (Way.RUNTIME, Way.ONLY)
    less, more = (Goal(fit=Fit(room=room), ways=ways) for room in sorted((one, other)))
    assert cost(less, layer) <= cost(more, layer)


@given(LAYERS, LIMITS | st.none(), st.integers(0, 262 * MB), WAYS)
def test_what_is_taken_fits_and_is_nothing_that_somebody_has_decided(
    layer: Layer, zipped: int | None, room: int, ways: tuple[Way, ...]
) -> None:
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


@given(LAYERS, LIMITS, WAYS)
def test_nothing_that_costs_less_and_was_tried_fits(layer: Layer, zipped: int, ways: tuple[Way, ...]) -> None:
    found = sought(Goal(fit=Fit(zipped=zipped), ways=ways), layer)
    places = [ORDER.index(one.ways) for one in found.tries]
    assert places == sorted(places)
    assert [one.fits for one in found.tries[:-1]] == [False] * (len(found.tries) - 1)
