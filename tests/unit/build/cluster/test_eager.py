"""Items are taken while whoever asked for them is busy."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from layerforge.build.cluster.eager import eager


def test_the_next_items_come_while_one_is_worked_on() -> None:
    third = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        yield 2
        third.set()
        yield 3

    found = eager(items(), lambda: None)
    assert next(found) == 1
    assert third.wait(60)
    assert list(found) == [2, 3]


def test_what_goes_wrong_is_raised_after_what_came_before() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    found = eager(items(), lambda: None)
    assert next(found) == 1
    with pytest.raises(ValueError, match="no more"):
        next(found)


def test_closing_waits_for_the_end_of_the_thread() -> None:
    ending, ended = threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        yield 1
        ending.wait(60)
        ended.set()

    found = eager(items(), ending.set)
    assert next(found) == 1
    found.close()  # type: ignore[attr-defined]
    assert ended.is_set()
