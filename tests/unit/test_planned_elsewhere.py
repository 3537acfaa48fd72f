"""Layers that are planned on a machine that runs nothing, and made and verified on one that does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from builders import IMAGE, FakeBuilder
from layerforge import pipeline
from layerforge.build.elsewhere import REFUSAL, Elsewhere
from layerforge.build.engine import container_identity
from layerforge.build.session import Session
from layerforge.core.errors import UsageError
from layerforge.core.store.disk import DiskStore
from layerforge.pipeline import Delivered
from projects import project_files, write
from unit.test_pipeline import CheckEngine, Line, compiled, elsewhere, line, prepared

__all__ = ["compiled", "line"]

HERE = Elsewhere(image=IMAGE)


@dataclass
class WorkersEngine(CheckEngine):
    """What a worker runs layers in: a container of the same image."""

    name: str = "docker"

    @property
    def identity(self) -> str:
        return container_identity(IMAGE, HERE.memory)


@dataclass(kw_only=True)
class Client(Line):
    """A machine without an engine."""

    @property
    def session(self) -> Session:
        store = DiskStore(root=self.folder / self.store, progress=self.progress)
        return Session(store=store, progress=self.progress, engine=HERE, builder=HERE)


def client(line: Line) -> Client:
    return Client(folder=line.folder, engine=line.engine)


def delivered(own: Line, word: Any, there: Any, **facts: Any) -> Delivered:
    [(_, ended)] = pipeline.layers(prepared(own, word, **facts), lambda _graph: there)
    assert isinstance(ended, Delivered), ended
    return ended


def test_the_verdict_of_the_worker_is_that_of_the_layer(line: Line) -> None:
    engine = WorkersEngine()
    worker = elsewhere(line, engine=engine, builder=FakeBuilder({}))
    found = delivered(client(line), "demo", worker)
    assert found.layer.verdict is not None
    assert (found.layer.verdict.skipped, found.layer.verdict.engine) == ("", "docker")
    assert len(engine.jobs) == 1


def test_steps_have_the_keys_of_the_machine_that_makes_them(compiled: Line) -> None:
    recipe = compiled.folder / "recipes" / "made" / "recipe.toml"
    recipe.write_text(recipe.read_text().replace('packages = ["cmake"]', "packages = []"))
    worker = elsewhere(compiled)
    found = delivered(client(compiled), compiled.folder / "recipes" / "demo", worker, verify=False)
    assert {one.name for one in found.layer.manifest.packages if one.origin == "compiled"} == {"blas", "made"}
    assert isinstance(compiled.builder, FakeBuilder)
    done = len(compiled.builder.tasks)
    compiled.forge(compiled.folder / "recipes" / "demo", verify=False)
    assert len(compiled.builder.tasks) == done


def test_that_a_layer_was_not_run_here_is_said_and_stands_for_no_verdict_of_the_workers(line: Line) -> None:
    silent = replace(elsewhere(line).session, engine=CheckEngine(), builder=FakeBuilder({}))
    found = delivered(client(line), "demo", replace(elsewhere(line), session=silent))
    assert found.layer.verdict is not None
    assert found.layer.verdict.skipped == REFUSAL
    engine = WorkersEngine()
    again = delivered(client(line), "demo", elsewhere(line, engine=engine, builder=FakeBuilder({})))
    assert again.layer.verdict is not None
    assert again.layer.verdict.skipped == ""
    assert len(engine.jobs) == 1


def test_a_project_whose_wheel_would_have_to_be_made_first_is_refused_with_both_ways_out(line: Line) -> None:
    folder = write(line.folder / "shop", project_files("shop", requires=["demo"]))
    with pytest.raises(UsageError, match="a wheel that is made here, which a cluster does not know") as caught:
        prepared(client(line), folder)
    assert "--no-project" in caught.value.hint
    assert "without --cluster" in caught.value.hint
