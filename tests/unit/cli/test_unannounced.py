from __future__ import annotations

from fakes import FakeProgress
from layerforge.cli import unannounced
from layerforge.core.runtimes import runtimes


def test_a_runtime_that_aws_has_not_announced_is_told_once_and_the_others_are_not() -> None:
    progress = FakeProgress()
    unannounced.say(("3.13", "3.15", "3.14", "3.15", "3.99"), progress)
    [line] = progress.lines
    assert line.startswith("Lambda's interface has a runtime python3.15, but AWS has not announced it: ")
    assert not progress.warnings


def test_what_aws_has_announced_is_not_told() -> None:
    progress = FakeProgress()
    unannounced.say((python for python, one in runtimes().items() if one.announced), progress)
    assert not progress.lines
