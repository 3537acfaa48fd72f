from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from docker.errors import DockerException

from fakes import FakeProgress, target
from layerforge.build.container.docker_engine import DockerEngine
from layerforge.build.container.images import SOURCES, build_image_here, copy_out, find_image, with_packages
from layerforge.build.engine import Image
from layerforge.build.errors import EngineError
from layerforge.core.runtimes import Arch
from unit.build.fake_docker import FakeDocker, FakeImage, a_tar, refusal

IMAGE = Image(reference="mine:1", digest="sha256:one", arch=Arch.X86_64, sources="/sources")
TAG = "layerforge-build:py313-x86_64"


def found(engine: FakeDocker, reference: str | None = "mine:1", arch: Arch = Arch.X86_64) -> Image:
    return find_image(engine.sdk, target(arch=arch), reference, FakeProgress())


# --- an image that is named


def test_an_image_that_is_here_is_taken_with_its_label_for_sources() -> None:
    engine = FakeDocker(there={"mine:1": FakeImage(labels={SOURCES: "/sources"})})
    assert found(engine) == IMAGE
    assert engine.calls == []


@pytest.mark.parametrize(("reference", "pulled"), [("mine:1", "mine:1"), ("mine", "mine:latest")])
def test_an_image_that_is_not_here_is_pulled_for_the_layers_processor(reference: str, pulled: str) -> None:
    said: list[dict[str, Any]] = [
        {"status": "Pulling"},
        {"id": "a", "status": "Downloading", "progressDetail": {"current": 5, "total": 9}},
    ]
    engine = FakeDocker(registry={pulled: FakeImage(id="sha256:two")}, said=said)
    assert found(engine, reference).digest == "sha256:two"
    assert engine.calls == [f"pull {pulled}"]
    assert engine.asked[0]["platform"] == "linux/amd64"


@pytest.mark.parametrize(
    ("said", "message", "hint"),
    [
        ([{"error": "dial tcp: lookup registry: no such host"}], "cannot be pulled", "docker load"),
        (refusal("denied"), "there is no image mine:1, and it cannot be pulled", "docker login"),
        ([{"error": "write: no space left on device"}], "disk is full", "docker system prune"),
    ],
)
def test_an_image_that_cannot_be_pulled_says_why(said: list[dict[str, str]], message: str, hint: str) -> None:
    with pytest.raises(EngineError, match=message) as caught:
        found(FakeDocker(said=said))
    assert hint in caught.value.hint


def test_a_name_that_the_engine_refuses_is_no_image() -> None:
    with pytest.raises(EngineError, match="there is no image mine:1") as caught:
        found(FakeDocker(there={"mine:1": refusal("invalid reference format", 400)}))
    assert caught.value.details == ("invalid reference format",)


@pytest.mark.parametrize(("said", "words"), [("arm64", "is for arm64"), ("s390x", "is for s390x"), ("", "unknown")])
def test_an_image_of_another_processor_is_refused_with_both_ways_out(said: str, words: str) -> None:
    engine = FakeDocker(there={"mine:1": FakeImage(attrs={"Architecture": said})})
    with pytest.raises(EngineError, match=words) as caught:
        found(engine)
    assert "--platform linux/amd64 mine:1" in caught.value.hint
    assert "--arch" in caught.value.hint


def test_an_image_of_another_processor_than_the_machines_is_tried() -> None:
    image = FakeImage(attrs={"Architecture": "arm64"})
    engine = FakeDocker(there={"mine:1": image}, ready=[{"code": 0}])
    assert found(engine, arch=Arch.ARM64).arch is Arch.ARM64
    [box] = engine.boxes
    assert box.settings["network_mode"] == "none"
    assert engine.gone == [box.settings["name"]]
    for facts in ({"code": 255}, {"start_error": refusal("exec format error")}):
        engine.ready = [facts]
        with pytest.raises(EngineError, match="this machine cannot run programs for arm64") as caught:
            found(engine, arch=Arch.ARM64)
        assert "emulation" in caught.value.hint


# --- the image that is built


def test_the_build_image_is_built_once_and_known_by_its_label() -> None:
    engine = FakeDocker(said=[{"stream": "Step 1\nStep 2\n"}, {}])
    assert not build_image_here(engine.sdk, target())
    made = found(engine, None)
    assert (made.reference, made.digest, engine.calls) == (TAG, "sha256:built", [f"build {TAG}"] * 2)
    assert engine.asked[0]["buildargs"] == {"PYTHON": "3.13"}
    assert engine.asked[1]["fileobj"].getvalue() == b"FROM sha256:built\n", "it gets a label that says what it is"
    assert build_image_here(engine.sdk, target())
    assert not build_image_here(engine.sdk, target("3.12"))
    assert found(engine, None).digest == "sha256:built"
    assert engine.calls == [f"build {TAG}"] * 2, "it is there"


@pytest.mark.parametrize(
    ("said", "message", "last"),
    [
        ([{"stream": "one\ntwo\n"}, {"error": "dnf failed"}], f"the build image {TAG} cannot be made", "dnf failed"),
        ([{"error": "No space left on device"}], "disk is full", "No space left on device"),
    ],
)
def test_an_image_that_cannot_be_made_shows_its_last_lines(said: list[dict[str, str]], message: str, last: str) -> None:
    with pytest.raises(EngineError, match=message) as caught:
        found(FakeDocker(said=said), None)
    assert caught.value.details[-1] == last


def test_an_engine_that_breaks_off_is_told_as_such() -> None:
    with pytest.raises(EngineError, match="the container engine stopped answering"):
        build_image_here(FakeDocker(lost=DockerException("connection reset")).sdk, target())


def test_packages_of_the_system_make_an_image_of_their_own_whatever_their_order() -> None:
    engine = FakeDocker()
    plain = DockerEngine(client=engine.sdk, image=IMAGE)
    more = plain.equipped(("zlib-devel", "cmake"), FakeProgress())
    assert more.image.digest == "sha256:built"
    assert more.image.reference.startswith("layerforge-build:")
    again = with_packages(engine.sdk, IMAGE, ("cmake", "zlib-devel"), FakeProgress())
    assert again == more.image
    assert len(engine.calls) == 2
    assert b"FROM sha256:one" in (text := engine.asked[0]["fileobj"].getvalue())
    assert b"cmake zlib-devel" in text


# --- sources that an image carries


def test_the_sources_in_an_image_are_copied_out_and_the_container_is_gone(tmp_path: Path) -> None:
    engine = FakeDocker(ready=[{"archive": a_tar({"sources/a.tar.gz": b"a" * 500})}])
    DockerEngine(client=engine.sdk, image=IMAGE).copy_out("/sources", tmp_path / "out")
    assert (tmp_path / "out" / "a.tar.gz").read_bytes() == b"a" * 500
    assert [one.name for one in tmp_path.iterdir()] == ["out"]
    assert engine.gone == [engine.boxes[0].settings["name"]]


def test_sources_that_another_process_has_copied_meanwhile_are_kept(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").write_text("theirs")
    copy_out(FakeDocker(ready=[{"archive": a_tar({"sources/a": b"ours"})}]).sdk, IMAGE, "/sources", tmp_path / "out")
    assert (tmp_path / "out" / "a").read_text() == "theirs"


@pytest.mark.parametrize(
    ("archive", "words"),
    [
        (None, "has no folder /sources"),
        (a_tar({"../out": b"x"}), "lead out of their folder"),
    ],
)
def test_sources_that_are_not_there_or_lead_out_are_refused(tmp_path: Path, archive: bytes | None, words: str) -> None:
    with pytest.raises(EngineError, match=words) as caught:
        copy_out(FakeDocker(ready=[{"archive": archive}]).sdk, IMAGE, "/sources", tmp_path / "in")
    assert SOURCES in caught.value.hint
    assert not (tmp_path / "out").exists()
