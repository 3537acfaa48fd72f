"""What a build says and asks before it compiles."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
import pytest

from builders import FakeBuilder
from fakes import FakeEngine, FakeProgress, target
from layerforge.build.interpreters import Interpreter
from layerforge.build.options import Options
from layerforge.build.plan import PackageStep
from layerforge.build.session import Session
from layerforge.cli.call import Asked, Site, agreed
from layerforge.core.store.disk import DiskStore
from layerforge.planning import Prepared
from layerforge.resolve import targets
from layerforge.resolve.catalogue import catalogue
from layerforge.resolve.errors import LockError
from layerforge.resolve.recipe import Compression
from program import PYTHON
from sdists import make_sdist, publish
from wheels import digest, make_wheel

RECIPE = """
schema = 2
[package]
name = "NAME"
versions = "==1.*"
build = "source"
minutes = MINUTES
"""

OWN = '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n'
"""A build system that brings itself."""

Agree = Callable[..., tuple[list[Prepared], dict[str, object]]]


@pytest.fixture
def progress() -> FakeProgress:
    return FakeProgress()


@pytest.fixture
def agree(index: Path, tmp_path: Path, progress: FakeProgress, monkeypatch: pytest.MonkeyPatch) -> Agree:
    """Comes to an agreement about layers of packages that take 7 minutes to compile, each."""
    make_sdist(index, "bare", pyproject=OWN)
    make_wheel(index, "bare")
    locked = ""
    for name in ("one", "two"):
        (tmp_path / "recipes" / name).mkdir(parents=True)
        text = RECIPE.replace("NAME", name).replace("MINUTES", "7")
        (tmp_path / "recipes" / name / "recipe.toml").write_text(text)
        sdist, wheel = make_sdist(index, name, pyproject=OWN), make_wheel(index, name)
        locked += f"{name}==1.0 --hash={digest(sdist)} --hash={digest(wheel)}\n"
    (tmp_path / "uv.toml").write_text(f'index-url = "{publish(index, tmp_path / "simple")}"\n')
    monkeypatch.setenv("UV_CONFIG_FILE", str(tmp_path / "uv.toml"))
    builder = FakeBuilder({})
    store = DiskStore(root=tmp_path / "store", progress=progress)
    session = Session(store=store, progress=progress, engine=FakeEngine([]), builder=builder)
    options = Options(
        target=target(PYTHON),
        interpreter=Interpreter(path=Path(sys.executable), version=sys.version.split()[0]),
        compression=Compression.FAST,
        output=tmp_path / "dist",
        epoch=0,
    )

    def run(
        *words: str, read: Callable[[], str] | None = None, each: bool = False, from_source: tuple[str, ...] = ()
    ) -> tuple[list[Prepared], dict[str, object]]:
        requests = targets.requests(words, None, catalogue(tmp_path / "recipes"), each=each)
        wanted = [Asked(request=request, target=options.target) for request in requests]
        site = Site(options=replace(options, from_source=from_source), session=session)
        planned, price = agreed(wanted, [site] * len(wanted), progress, read)
        assert builder.tasks == []
        return [one for one in planned if isinstance(one, Prepared)], price

    return run


def compiled(prepared: list[Prepared]) -> list[list[str]]:
    """What is compiled for each layer."""
    return [[step.pin.name for step in one.plan.steps if isinstance(step, PackageStep)] for one in prepared]


def never() -> str:
    raise AssertionError("asked")


def told(progress: FakeProgress) -> list[str]:
    return [line for line in progress.lines if line.startswith(("compiles", "about", "from the store"))]


def test_what_all_layers_of_a_run_will_compile_is_said_once(agree: Agree, progress: FakeProgress) -> None:
    prepared, price = agree("one", "two", each=True)
    assert compiled(prepared) == [["one"], ["two"]]
    assert told(progress) == ["compiles one 1.0 (about 7 min), two 1.0 (about 7 min)", "about 14 min in all"]
    assert price["seconds"] == 840


def test_a_person_is_not_asked_where_it_takes_less_than_ten_minutes(agree: Agree) -> None:
    prepared, _ = agree("one", read=never)
    assert compiled(prepared) == [["one"]]


def test_a_person_is_asked_once_for_all_layers_and_may_go_on(agree: Agree) -> None:
    answers = iter(["y"])
    prepared, _ = agree("one", "two", each=True, read=lambda: next(answers))
    assert compiled(prepared) == [["one"], ["two"]]


def test_a_person_may_take_wheels_for_all_layers_instead(agree: Agree) -> None:
    prepared, price = agree("one", "two", each=True, read=lambda: "w")
    assert compiled(prepared) == [[], []]
    assert [one.options.wheels for one in prepared] == [True, True]
    assert price == {"seconds": 0, "unknown": [], "steps": []}


def test_a_person_may_stop(agree: Agree) -> None:
    with pytest.raises(click.Abort):
        agree("one", "two", read=lambda: "n")


def test_what_is_to_be_compiled_is_so_in_the_layers_that_hold_it(agree: Agree) -> None:
    prepared, _ = agree("one", "bare", "two", each=True, from_source=("bare", "two"))
    assert compiled(prepared) == [["one"], ["bare"], ["two"]]


@pytest.mark.parametrize(
    ("named", "hint"), [("bear", "perhaps you meant bare"), ("numpy", "name it as a requirement too")]
)
def test_what_is_to_be_compiled_and_in_no_layer_is_refused(agree: Agree, named: str, hint: str) -> None:
    with pytest.raises(LockError, match=f"{named} is to be compiled but nothing requires it") as caught:
        agree("one", "bare", each=True, from_source=("bare", named))
    assert caught.value.hint == hint
