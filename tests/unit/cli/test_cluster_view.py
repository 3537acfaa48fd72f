from __future__ import annotations

import pytest

from fakes import FakeProgress, FakeStep
from layerforge.build.graph import Done, Failed, Skipped
from layerforge.cli import cluster_view
from layerforge.cli.cluster_view import ClusterView
from layerforge.core.errors import StepError
from shops import a_job


def test_each_job_that_is_over_is_a_line() -> None:
    progress = FakeProgress()
    view = ClusterView(progress, FakeStep())
    view.ended(a_job("good"), Done(key="good", where="build3", seconds=1500, note="15.5 MB"))
    view.ended(a_job("known"), Done(key="known", seconds=0.1))
    view.ended(a_job("bad"), Failed(key="bad", error=StepError("it does not compile")))
    view.ended(a_job("next"), Skipped(key="next", because="bad"))
    view.say("the worker w is not used")
    assert progress.lines == [
        "the good on build3 in 25 min, 15.5 MB",
        "the known in 1 s",
        "the next is left out: it needs what failed",
    ]
    assert progress.warnings == ["the bad failed: it does not compile", "the worker w is not used"]


def test_what_runs_and_how_long_it_takes_is_seen_live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_view, "EVERY", 0.0)
    step = FakeStep()
    view = ClusterView(FakeProgress(), step)
    view.remaining(0, 2, None)
    view.started(a_job("a"), "build3")
    view.remaining(1, 2, 600.0)
    view.line(a_job("a"), "compiling")
    view.ended(a_job("a"), Done(key="a"))
    view.remaining(2, 2, 0.0)
    texts = [text for text, _ in step.lives]
    assert texts[0] == "0 of 2 jobs"
    assert texts[1] == "0 of 2 jobs · 1 running · the a on build3"
    assert texts[3] == "1 of 2 jobs, about 10 min left · 1 running · the a: compiling"
    assert texts[-1].startswith("2 of 2 jobs · ")
    expected = step.lives[3][1]
    assert expected is not None
    assert expected >= 600


def test_the_live_line_changes_no_more_often_than_people_can_read() -> None:
    step = FakeStep()
    view = ClusterView(FakeProgress(), step)
    for _ in range(1000):
        view.line(a_job("a"), "compiling")
    assert len(step.lives) < 100
