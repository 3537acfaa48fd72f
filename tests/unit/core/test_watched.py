from __future__ import annotations

import threading

import pytest

from fakes import FakeProgress
from layerforge.core.progress import Mark
from layerforge.core.watched import Watched, go_on


def test_progress_shows_all_that_it_is_told() -> None:
    shown = FakeProgress()
    watched = Watched(progress=shown, ending=threading.Event())
    with watched.step("compress") as step:
        step.expect(3)
        step.advance(2)
        step.takes_long("1 of 2", None)
        step.note("done", Mark.DOUBTFUL)
    watched.say("said")
    watched.aside("aside")
    watched.warn("warned")
    assert (shown.steps, shown.lines, shown.warnings) == (["compress"], ["said", "aside"], ["warned"])
    [told] = shown.told
    assert (told.expected, told.advanced, told.long) == (3, 2, [("1 of 2", None)])
    assert (told.notes, told.marks) == (["done"], [Mark.DOUBTFUL])


def test_work_that_goes_on_after_the_end_is_interrupted() -> None:
    ending = threading.Event()
    watched = Watched(progress=FakeProgress(), ending=ending)
    with watched.step("compress") as step:
        ending.set()
        with pytest.raises(KeyboardInterrupt):
            step.advance(1)
        with pytest.raises(KeyboardInterrupt):
            step.expect(1)
        step.note("what was done counts")
    with pytest.raises(KeyboardInterrupt), watched.step("next"):
        raise AssertionError("begun")


def test_what_is_about_to_be_kept_is_not_where_the_end_has_come() -> None:
    ending = threading.Event()
    watched = Watched(progress=FakeProgress(), ending=ending)
    go_on(FakeProgress())
    go_on(watched)
    ending.set()
    with pytest.raises(KeyboardInterrupt):
        go_on(watched)
