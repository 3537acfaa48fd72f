from __future__ import annotations

import gc
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes import FakeProgress, target
from layerforge.build.container.docker_engine import DockerEngine
from layerforge.build.errors import EngineError
from layerforge.cli import engines
from layerforge.cli.engines import ImageFailure
from layerforge.core import runtimes
from layerforge.core.errors import UsageError
from layerforge.core.store.disk import DiskStore
from program import Command, Ran
from unit.build.fake_docker import VERSION, serving

HERE = {"Id": "sha256:one", "Architecture": "amd64", "Config": {"Labels": {}}}
ANSWERS: dict[str, Any] = {
    "/version": VERSION,
    "/containers/json": [],
    "/images/json": [],
    "/info": {"Architecture": "x86_64", "NCPU": 2},
    "/images/mine/json": HERE,
}


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    """The SDK keeps its connections open: they go here, not in some other test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def checks(ran: Ran) -> dict[str, tuple[bool, str]]:
    assert ran.code == 0, ran.err
    return {one["name"]: (one["good"], one["says"]) for one in ran.json["checks"]}


# --- doctor


def test_without_an_engine_the_doctor_says_how_to_get_one_and_asks_for_no_image(
    layerforge: Command, tmp_path: Path
) -> None:
    found = checks(layerforge("doctor", "--json"))
    good, says = found["container"]
    assert not good
    assert "/nonexistent/docker.sock" in says
    assert not [name for name in found if name.startswith("image")]
    assert found["uv"][0]
    assert found["uv"][1].startswith("uv ")
    assert found["store"][1].startswith(f"{tmp_path / 'store'}, ")
    assert {f"python{python}" for python in runtimes.runtimes()} <= set(found)


def test_what_is_there_and_what_is_not_is_marked_for_people(layerforge: Command) -> None:
    lines = layerforge("doctor").out.splitlines()
    assert any(line.startswith("✓ uv ") for line in lines)
    assert any(line.startswith("! container ") for line in lines)


def test_an_interpreter_that_is_not_here_is_fetched_or_how_to_get_it_is_said(
    layerforge: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    monkeypatch.setenv("UV_PYTHON_PREFERENCE", "only-managed")
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "none"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "none"))
    absent = [says for name, (good, says) in checks(layerforge("doctor", "--json")).items() if not good]
    assert any("Python 3.14" in says for says in absent), absent


def test_images_that_are_there_are_told_from_those_to_be_made_and_those_that_failed(
    layerforge: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with serving(tmp_path / "docker.sock", ANSWERS) as calls:
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
        kept = DiskStore(root=tmp_path / "store", progress=FakeProgress())
        engines.remember(kept, target(), ImageFailure(at=time.time(), message="it cannot be made", hint="name another"))
        found = checks(layerforge("doctor", "--json"))
    assert found["container"] == (True, "an engine answers")
    assert found["image 3.13"] == (False, "it cannot be made; name another")
    assert found["image 3.12"][1].startswith("not here; the first build makes it")
    assert sum(name.endswith("/images/json") for name in calls) == len(runtimes.runtimes())
    with serving(tmp_path / "other.sock", ANSWERS | {"/images/json": [{"Id": "sha256:one"}], "sha256:one/json": HERE}):
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/other.sock")
        assert checks(layerforge("doctor", "--json"))["image 3.13"][0]


def test_an_engine_that_answers_nothing_more_is_told(
    layerforge: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with serving(tmp_path / "docker.sock", {"/version": VERSION}):
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
        good, says = checks(layerforge("doctor", "--json"))["images"]
    assert not good
    assert says.startswith("the container engine refused")


# --- where to build and run


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DiskStore:
    monkeypatch.setenv("LAYERFORGE_CACHE", str(tmp_path / "store"))
    return DiskStore(root=tmp_path / "store", progress=FakeProgress())


def test_an_image_that_is_named_is_run_in_with_the_functions_memory(
    store: DiskStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    progress = FakeProgress()
    with serving(tmp_path / "docker.sock", ANSWERS):
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
        chosen = engines.choose("auto", "mine", target(), None, progress, memory=512)
        assert isinstance(chosen.builder, DockerEngine)
        assert chosen.engine.identity == f"sha256:one {512 * 2**20}"
        assert progress.lines == ["engine docker: mine"]
        plain = engines.choose("docker", "mine", target(), None, progress)
        assert plain.engine.identity == f"sha256:one {1769 * 2**20}"


def test_an_image_that_cannot_be_had_is_an_error_only_where_it_is_required(
    store: DiskStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    progress = FakeProgress()
    with serving(tmp_path / "docker.sock", {name: ANSWERS[name] for name in ("/version", "/containers/json")}) as calls:
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
        with pytest.raises(EngineError):
            engines.choose("docker", None, target(), None, progress)
        chosen = engines.choose("auto", None, target(), None, progress)
        assert (chosen.builder, chosen.engine.name) == (None, "host")
        assert chosen.lacking
        before = len(calls)
        again = engines.choose("auto", None, target(), None, progress)
    assert "(just now; --engine docker tries again)" in again.lacking
    assert len(calls) - before == 1, "that an engine is there is asked, the image is not"


def test_the_host_takes_no_image(store: DiskStore) -> None:
    with pytest.raises(UsageError, match="--image goes with the container engine"):
        engines.choose("host", "mine", target(), None, FakeProgress())
    assert engines.choose("host", None, target(), None, FakeProgress()).builder is None
