from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from builders import a_library
from layerforge.build.cost import At, Cost, StepCost
from layerforge.build.durations import Basis, Duration, Expected
from layerforge.build.plan import LibraryStep
from layerforge.cli import costs
from layerforge.cli.costs import Answer
from layerforge.core.errors import UsageError
from layerforge.resolve.recipe import Settings


def a_step(name: str, seconds: float | None, basis: Basis = Basis.RECIPE, *, kept: bool = False) -> StepCost:
    step = LibraryStep(library=replace(a_library(name), version="1.2"), settings=Settings(), key=name)
    known = Expected(duration=Duration(seconds=seconds, share=seconds), basis=basis) if seconds else None
    return StepCost(step=step, at=At.NEAR if kept else At.MAKE, expected=known)


def reading(*answers: str) -> Callable[[], str]:
    left = iter(answers)
    return lambda: next(left)


def test_what_is_compiled_what_is_kept_and_the_time_for_all_are_told() -> None:
    steps = (a_step("a", 1500, Basis.MEASURED), a_step("b", 360), a_step("c", 60, kept=True), a_step("d", 5, kept=True))
    assert list(costs.told(Cost(steps=steps))) == [
        "compiles a 1.2 (25 min last time), b 1.2 (about 6 min)",
        "from the store: c 1.2, d 1.2",
        "about 31 min in all",
    ]


@pytest.mark.parametrize(
    ("steps", "lines"),
    [
        ((), []),
        ((a_step("a", 60, kept=True),), ["from the store: a 1.2"]),
        ((a_step("a", 60),), ["compiles a 1.2 (about 60 s)"]),
        ((a_step("a", None),), ["compiles a 1.2 (nobody knows how long)"]),
        (
            (a_step("a", None), a_step("b", None)),
            ["compiles a 1.2 (nobody knows how long), b 1.2 (nobody knows how long)"],
        ),
        (
            (a_step("a", None), a_step("b", 480)),
            [
                "compiles a 1.2 (nobody knows how long), b 1.2 (about 8 min)",
                "about 8 min in all, and what a 1.2 may take",
            ],
        ),
    ],
)
def test_what_goes_without_saying_is_not_told(steps: Iterable[StepCost], lines: list[str]) -> None:
    assert list(costs.told(Cost(steps=tuple(steps)))) == lines


@pytest.mark.parametrize(("seconds", "asked"), [(0, False), (600, False), (601, True)])
def test_more_than_ten_minutes_are_long(seconds: float, asked: bool) -> None:
    assert costs.is_long(Cost(steps=(a_step("a", seconds), a_step("b", 9000, kept=True)))) is asked


@pytest.mark.parametrize(
    ("answers", "meant"),
    [
        ([""], Answer.COMPILE),
        (["y"], Answer.COMPILE),
        ([" YES "], Answer.COMPILE),
        (["w"], Answer.WHEELS),
        (["Wheels"], Answer.WHEELS),
        (["n"], Answer.STOP),
        (["no"], Answer.STOP),
        (["perhaps", "\x1b[A", "w"], Answer.WHEELS),
    ],
)
def test_it_is_asked_until_an_answer_is_understood(
    answers: list[str], meant: Answer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert costs.ask(Cost(steps=(a_step("a", 1860),)), reading(*answers)) is meant
    out, err = capsys.readouterr()
    assert (out, err.count("Compile now, for about 31 min?")) == ("", len(answers))


def test_an_end_without_an_answer_is_told_with_the_options_that_give_one() -> None:
    def end() -> str:
        raise EOFError

    with pytest.raises(UsageError, match="got no answer") as caught:
        costs.ask(Cost(steps=(a_step("a", 1860),)), end)
    assert "--compile" in caught.value.hint
    assert "--wheels" in caught.value.hint


class Terminal(io.StringIO):
    """A stream on which somebody looks."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("streams", "environment", "asked"),
    [
        ((Terminal(), Terminal()), {}, True),
        ((Terminal(), Terminal()), {"CI": "false"}, True),
        ((Terminal(), Terminal()), {"CI": "true"}, False),
        ((io.StringIO(), Terminal()), {}, False),
        ((Terminal(), io.StringIO()), {}, False),
    ],
)
def test_only_who_sits_at_a_terminal_is_asked(
    streams: tuple[io.StringIO, ...],
    environment: dict[str, str],
    asked: bool,
) -> None:
    assert costs.can_ask(environment, *streams) is asked
