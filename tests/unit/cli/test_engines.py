from __future__ import annotations

import time
from dataclasses import replace

import pytest

from fakes import FakeStore, target
from layerforge.build.errors import EngineError
from layerforge.build.host import HostEngine
from layerforge.cli import engines
from layerforge.cli.engines import Chosen, ImageFailure
from layerforge.core.runtimes import Arch

FAILURE = ImageFailure(at=0, message="the build image cannot be made", hint="name another with --image")
HOST = Chosen(engine=HostEngine(interpreter=None), builder=None)


def test_an_image_that_could_not_be_had_is_remembered_for_minutes() -> None:
    kept = FakeStore()
    engines.remember(kept, target(), replace(FAILURE, at=time.time() - 60))
    found = engines.failed_before(kept, target())
    assert found is not None
    assert found.message == FAILURE.message
    assert engines.failed_before(kept, target("3.12")) is None


def test_it_is_remembered_by_target_and_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = FakeStore()
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    for one in (target(), target("3.12"), target(arch=Arch.ARM64)):
        engines.remember(kept, one, FAILURE)
    monkeypatch.setenv("DOCKER_HOST", "tcp://elsewhere:2375")
    engines.remember(kept, target(), FAILURE)
    assert len(kept.values) == 4
    engines.remember(kept, target(), replace(FAILURE, message="another"))
    assert len(kept.values) == 4


@pytest.mark.parametrize("age", [engines.REMEMBERED + 1, -3600])
def test_what_is_long_ago_or_in_the_future_is_tried_again(age: float) -> None:
    kept = FakeStore()
    engines.remember(kept, target(), replace(FAILURE, at=time.time() - age))
    assert engines.failed_before(kept, target()) is None


def test_a_memory_that_is_something_else_is_none() -> None:
    kept = FakeStore()
    engines.remember(kept, target(), FAILURE)
    kept.values = dict.fromkeys(kept.values, b"[1]")
    assert engines.failed_before(kept, target()) is None


@pytest.mark.parametrize(
    ("names", "always", "what"), [(("a",), False, "compiling a takes"), ((), True, "compiling what recipes say takes")]
)
def test_the_hint_about_compiling_is_the_one_of_what_lacks(names: tuple[str, ...], always: bool, what: str) -> None:
    where = replace(HOST, lacking="the build image cannot be made", hint="name another with --image")
    with pytest.raises(EngineError, match=what) as caught:
        engines.refuse_compiling(names, where, always=always)
    assert "start" not in caught.value.hint
    assert "name another with --image" in caught.value.hint
    assert caught.value.details == ("the build image cannot be made",)


def test_where_nothing_is_asked_to_be_compiled_nothing_is_refused() -> None:
    engines.refuse_compiling((), HOST, always=False)


def test_the_host_is_no_way_out_where_compiling_is_asked_for() -> None:
    where = replace(HOST, lacking="the image cannot be made", hint="name another, or use --engine host")
    assert "--engine host" not in engines.compiling(where)
    assert "--image" in engines.compiling(where)
    assert "leave `--engine host` out" in engines.compiling(HOST)
