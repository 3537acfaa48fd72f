from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from fakes import target
from layerforge.build.plan import Plan, plan
from layerforge.core.limits import DIRECT_UPLOAD_LIMIT, LAMBDA_UNZIPPED_LIMIT
from layerforge.layer.fit_search import Fitted, Try, allowed, settled, sought, told
from layerforge.resolve.fit import AUTO, Fit, Goal, Way
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import BytecodeMode, Compression

SMALL, RUNTIME, ONLY, MAX = Way
MB = 10**6
ZIPPED: Mapping[Way, float] = {SMALL: 0.97, RUNTIME: 0.8, ONLY: 0.85, MAX: 0.965}
UNZIPPED: Mapping[Way, float] = {SMALL: 1, RUNTIME: 0.8, ONLY: 0.85, MAX: 1}


@dataclass
class Sizes:
    """A layer of some size of which each way takes a share away, and what was asked of it."""

    unzipped_size: int = 200 * MB
    zipped_size: int = 100 * MB
    packed: list[tuple[Way, ...]] = field(default_factory=list)

    def unzipped(self, ways: tuple[Way, ...]) -> int:
        return _shares(self.unzipped_size, UNZIPPED, ways)

    def zipped(self, ways: tuple[Way, ...]) -> int:
        self.packed.append(ways)
        return _shares(self.zipped_size, ZIPPED, ways)

    def won(self, ways: tuple[Way, ...]) -> float:
        return 0.05


def _shares(size: float, shares: Mapping[Way, float], ways: Sequence[Way]) -> int:
    for way in ways:
        size *= shares[way]
    return int(size)


def ways_of(found: Fitted) -> list[tuple[Way, ...]]:
    return [one.ways for one in found.tries]


@pytest.mark.parametrize(
    ("megabytes", "taken"),
    [
        (100, ()),
        (97, (SMALL,)),
        (96.5, (MAX,)),
        (80, (SMALL, RUNTIME)),
        (65.97, (SMALL, RUNTIME, ONLY)),
        (65.7, (RUNTIME, ONLY, MAX)),
    ],
)
def test_the_first_settings_that_fit_are_taken_in_the_order_of_what_they_cost(
    megabytes: float, taken: tuple[Way, ...]
) -> None:
    layer = Sizes()
    found = sought(Goal(fit=Fit(zipped=int(megabytes * MB))), layer)
    if taken == (MAX,):
        # It costs minutes, so all else is tried first.
        taken = (SMALL, RUNTIME)
    assert found.taken == taken
    assert found.fits
    assert found.tries[-1].ways == taken


def test_bytecode_alone_is_tried_without_what_is_not_needed_beside_it() -> None:
    shares = Sizes(zipped_size=100 * MB)
    found = sought(Goal(fit=Fit(zipped=75 * MB), ways=(SMALL, ONLY, MAX)), shares)
    assert not found.fits
    assert ways_of(found) == [(), (SMALL,), (SMALL, ONLY)]
    assert found.taken == ()


def test_max_is_tried_only_where_small_comes_near_and_all_else_has_been() -> None:
    near = int(100 * MB * 0.97 * 0.85 * 0.995)
    found = sought(Goal(fit=Fit(zipped=near), ways=(SMALL, ONLY, MAX)), Sizes())
    assert ways_of(found) == [(), (SMALL,), (SMALL, ONLY), (ONLY, MAX)]
    assert found.taken == (ONLY, MAX)
    far = int(100 * MB * 0.97 * 0.85 * 0.9)
    assert MAX not in {way for one in sought(Goal(fit=Fit(zipped=far)), Sizes()).tries for way in one.ways}


def test_what_is_said_on_the_command_line_is_not_tried_otherwise() -> None:
    for ways in ((), (RUNTIME,), (ONLY,), (SMALL, MAX), (RUNTIME, ONLY)):
        for limit in (1, 60 * MB, 96 * MB, 99 * MB):
            found = sought(Goal(fit=Fit(zipped=limit), ways=ways), Sizes())
            assert {way for one in found.tries for way in one.ways} <= {*ways}


def test_a_layer_that_is_too_large_unzipped_is_not_packed_to_find_that_out() -> None:
    layer = Sizes(unzipped_size=300 * MB)
    found = sought(Goal(fit=Fit(zipped=DIRECT_UPLOAD_LIMIT * 2)), layer)
    assert layer.packed == [(SMALL, RUNTIME)]
    assert ways_of(found) == [(), (SMALL, RUNTIME)], "compressing better cannot help before"
    assert found.tries[0].zipped is None


def test_room_is_about_what_a_layer_takes_unzipped() -> None:
    layer = Sizes(zipped_size=10 * MB)
    found = sought(Goal(fit=Fit(room=LAMBDA_UNZIPPED_LIMIT - 170 * MB)), layer)
    assert found.taken == (RUNTIME,)
    assert ways_of(found) == [(), (RUNTIME,)]
    assert {one.zipped for one in found.tries} == {None}


def test_beside_room_a_zip_is_compressed_well_where_that_makes_a_direct_upload_of_it() -> None:
    goal = Goal(fit=Fit(room=LAMBDA_UNZIPPED_LIMIT - 170 * MB))
    found = sought(goal, Sizes(zipped_size=int(DIRECT_UPLOAD_LIMIT / 0.8 * 1.01)))
    assert found.taken == (SMALL, RUNTIME)
    assert sought(goal, Sizes(zipped_size=int(DIRECT_UPLOAD_LIMIT / 0.8 * 1.05))).taken == (RUNTIME,)
    assert sought(goal, Sizes(zipped_size=int(DIRECT_UPLOAD_LIMIT / 0.8))).taken == (RUNTIME,)
    given = replace(goal, ways=(RUNTIME, ONLY))
    assert sought(given, Sizes(zipped_size=int(DIRECT_UPLOAD_LIMIT / 0.8 * 1.01))).taken == (RUNTIME,)


def test_by_itself_a_zip_is_compressed_well_only_where_that_makes_a_direct_upload_of_it() -> None:
    cases = ((1.0, (), 1), (1.02, (SMALL,), 2), (1.05, (), 2), (1.5, (), 1))
    for share, taken, packed in cases:
        layer = Sizes(zipped_size=int(DIRECT_UPLOAD_LIMIT * share))
        found = sought(AUTO, layer)
        assert (found.taken, len(layer.packed)) == (taken, packed), share


def test_why_the_runtimes_packages_stay_is_told_where_they_would_have_been_tried() -> None:
    goal = Goal(fit=Fit(zipped=80 * MB))
    found = sought(goal, Sizes(), refused="boto3==1 is asked for")
    assert RUNTIME not in {way for one in found.tries for way in one.ways}
    assert any("--leave-out runtime was not tried: boto3==1 is asked for" in line for line in told(found))
    assert sought(replace(goal, fit=Fit(zipped=100 * MB)), Sizes(), refused="boto3==1 is asked for").refused == ""


def test_what_is_told_has_a_line_for_each_try_with_what_it_gains() -> None:
    found = sought(Goal(fit=Fit(zipped=83 * MB), ways=(SMALL, ONLY)), Sizes())
    assert list(told(found)) == [
        "fits 83.0 MB zipped: --compression small --bytecode only",
        "  as asked                             100.00 MB zipped; 200.00 MB unzipped",
        "  --compression small                  97.00 MB zipped, 3.00 MB less; 200.00 MB unzipped",
        "  --compression small --bytecode only  82.45 MB zipped, 17.55 MB less; 170.00 MB unzipped, 30.00 MB less",
    ]
    assert list(told(sought(Goal(fit=Fit(zipped=100 * MB)), Sizes()))) == ["fits 100.0 MB zipped: as it was asked for"]


@pytest.mark.parametrize(
    ("share", "line"),
    [
        (1.02, "compressed small, to 51.9 MB, since fast gives 53.5 MB, more than a direct upload, 52.4 MB zipped"),
        (1.05, "compressed fast: small gives 53.4 MB, which does not fit a direct upload, 52.4 MB zipped either"),
        (
            1.5,
            "compressed fast: small, by a sample, would not make 78.6 MB fit a direct upload, 52.4 MB zipped",
        ),
    ],
)
def test_what_was_compressed_by_itself_is_told_in_a_line(share: float, line: str) -> None:
    assert list(told(sought(AUTO, Sizes(zipped_size=int(DIRECT_UPLOAD_LIMIT * share))))) == [line]


def a_plan(name: str = "demo", goal: Goal | None = None, without: Plan | None = None) -> Plan:
    spec = LayerSpec(name=name, requires=("demo",))
    return replace(plan(spec, target(), (), Compression.FAST, None, 0, None, goal, without), indexes=("--no-index",))


def test_a_plan_is_settled_by_what_was_done_and_keeps_its_key_and_its_indexes() -> None:
    made = a_plan(goal=Goal(fit=Fit()), without=a_plan("less"))
    for way, compression in ((SMALL, Compression.SMALL), (MAX, Compression.MAX)):
        assert settled(made, (way,)).compression is compression
    assert settled(made, (ONLY,)).spec.bytecode.mode is BytecodeMode.ONLY
    assert settled(made, (RUNTIME, ONLY)).spec.name == "less"
    for ways in ((), (RUNTIME,), (SMALL, RUNTIME, ONLY)):
        done = settled(made, ways)
        assert (done.key, done.indexes, done.goal, done.without) == (made.key, made.indexes, None, None)
    assert settled(made, ()).spec == made.spec


def test_only_what_the_goal_lets_be_done_may_have_been() -> None:
    other = a_plan("less")
    assert allowed(a_plan(goal=Goal(fit=Fit()), without=other), tuple(Way))
    assert not allowed(a_plan(goal=Goal(fit=Fit())), (RUNTIME,))
    assert not allowed(a_plan(goal=AUTO), (ONLY,))
    assert allowed(a_plan(goal=AUTO), (SMALL,))
    assert not allowed(a_plan(), (SMALL,))
    assert allowed(a_plan(), ())


def test_the_nearest_is_the_one_that_is_least_too_large() -> None:
    tries = (
        Try(ways=(), unzipped=LAMBDA_UNZIPPED_LIMIT + 5, fits=False),
        Try(ways=(ONLY,), unzipped=200, zipped=80, fits=False),
        Try(ways=(RUNTIME,), unzipped=300, zipped=70, fits=False),
    )
    found = Fitted(fit=Fit(zipped=60), required=True, tries=tries, taken=())
    assert found.smallest.ways == (RUNTIME,)
    assert replace(found, tries=tries[:1]).smallest.ways == ()
