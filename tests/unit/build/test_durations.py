from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import a_library
from fakes import FakeStore
from layerforge.build import durations
from layerforge.build.durations import KIND, Basis, Duration, Expected, SharedClock
from layerforge.build.plan import LibraryStep
from layerforge.core.runtimes import Arch
from layerforge.resolve.recipe import Settings

TOOK = Duration(seconds=90.0, share=60.0)


@dataclass
class HandClock:
    """A clock that somebody sets."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def a_step(key: str, *, name: str = "blas", version: str = "1.0", minutes: float = 0.0) -> LibraryStep:
    library = replace(a_library(name), version=version, minutes=minutes)
    return LibraryStep(library=library, settings=Settings(), key=key)


def test_a_step_that_runs_alone_has_all_of_its_time() -> None:
    hand = HandClock()
    clock = SharedClock(hand)
    hand.now += 50
    with clock.running() as spent:
        hand.now += 30
        assert spent() == Duration(seconds=30, share=30)
        hand.now += 10
        assert spent() == Duration(seconds=40, share=40)


def test_steps_that_run_at_the_same_time_have_a_part_of_it_each() -> None:
    hand = HandClock()
    clock = SharedClock(hand)
    with clock.running() as first:
        hand.now += 10
        with clock.running() as second:
            hand.now += 20
            assert second() == Duration(seconds=20, share=10)
        hand.now += 5
        assert first() == Duration(seconds=35, share=25)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1000)), max_size=40))
def test_the_shares_of_all_steps_add_up_to_the_time_in_which_any_ran(turns: list[tuple[int, int]]) -> None:
    hand = HandClock()
    clock = SharedClock(hand)
    running: dict[int, tuple[ExitStack, Callable[[], Duration]]] = {}
    busy, shares = 0.0, 0.0

    def ended(which: int) -> float:
        stack, spent = running.pop(which)
        with stack:
            return spent().share

    for which, seconds in turns:
        hand.now += seconds
        busy += seconds if running else 0
        if which in running:
            shares += ended(which)
        else:
            stack = ExitStack()
            running[which] = (stack, stack.enter_context(clock.running()))
    shares += sum(ended(which) for which in list(running))
    assert shares == pytest.approx(busy)


def test_nobody_knows_how_long_a_step_takes_that_never_ran_and_whose_recipe_says_nothing() -> None:
    assert durations.expected(a_step("a"), Arch.X86_64, FakeStore()) is None


def test_a_step_takes_what_its_recipe_says_until_it_ran_here() -> None:
    store, step = FakeStore(), a_step("a", minutes=1.5)
    says = Duration(seconds=90, share=90)
    assert durations.expected(step, Arch.X86_64, store) == Expected(duration=says, basis=Basis.RECIPE)
    durations.keep(step, Arch.X86_64, TOOK, store)
    assert durations.expected(step, Arch.X86_64, store) == Expected(duration=TOOK, basis=Basis.MEASURED)


def test_a_step_takes_as_long_as_itself_last_time_and_else_as_another_of_its_name_and_version() -> None:
    store = FakeStore()
    other = Duration(seconds=7, share=7)
    durations.keep(a_step("a"), Arch.X86_64, TOOK, store)
    durations.keep(a_step("b"), Arch.X86_64, other, store)
    found = [durations.expected(a_step(key), Arch.X86_64, store) for key in "abc"]
    assert [one.duration if one else None for one in found] == [TOOK, other, other]


@pytest.mark.parametrize("other", [a_step("x", name="lapack"), a_step("x", version="2.0")])
def test_how_long_a_step_took_says_nothing_of_other_names_and_versions(other: LibraryStep) -> None:
    store = FakeStore()
    durations.keep(a_step("a"), Arch.X86_64, TOOK, store)
    assert durations.expected(other, Arch.X86_64, store) is None


def test_how_long_a_step_took_says_nothing_of_another_processor() -> None:
    store = FakeStore()
    durations.keep(a_step("a"), Arch.X86_64, TOOK, store)
    assert durations.expected(a_step("b"), Arch.ARM64, store) is None


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"no json",
        b"[1, 2]",
        json.dumps({"seconds": "long", "share": 1}).encode(),
        json.dumps({"seconds": 1, "share": 2}).encode(),
        json.dumps({"seconds": -2, "share": -3}).encode(),
    ],
)
def test_a_duration_that_makes_no_sense_is_none(value: bytes) -> None:
    step = a_step("a")
    assert durations.expected(step, Arch.X86_64, FakeStore(values={(KIND, "a"): value})) is None
