"""What is the same of an image on every machine that has made it of the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from fakes import FakeProgress
from layerforge.build.container import images
from layerforge.build.container.made_images import IDENTITY, LABEL, MadeImage, identity, made
from layerforge.build.engine import Image
from layerforge.core.runtimes import Arch
from unit.build.fake_docker import FakeDocker, FakeImage

WANTED = MadeImage(
    tag="made:1", key="k", text="FROM base\n", arch=Arch.X86_64, what="it", hint="", facts=("FROM base", "3.13")
)
PACKAGES = b"gcc 11 x86_64\nmake 4 x86_64\n"


def rooted(*layers: str, **facts: Any) -> FakeImage:
    return FakeImage(attrs={"Architecture": "amd64", "RootFS": {"Layers": list(layers)}}, **facts)


@dataclass
class Making:
    """What an image is made of on some machine."""

    wanted: MadeImage = WANTED
    says: bytes = PACKAGES
    status: int = 0
    base: FakeImage | None = None
    layers: Sequence[str] = ("base", "own")
    id: str = "sha256:this-machine's"
    engine: FakeDocker = field(default_factory=FakeDocker)

    def identity(self) -> str:
        """What the image says of itself once it is made."""
        self.engine.ready = [{"chunks": (self.says,), "code": self.status}]
        self.engine.makes = rooted(*self.layers, id=self.id)
        if self.base is not None:
            self.engine.there["base:latest"] = self.base
        return identity(made(self.engine.sdk, self.wanted, FakeProgress()), self.wanted.key)


def test_an_identity_is_the_same_wherever_the_same_was_made_in_whatever_order_the_packages_are_told() -> None:
    first = Making().identity()
    assert len(first) == 64
    assert Making(id="sha256:another", says=b"make 4 x86_64\ngcc 11 x86_64\n").identity() == first


@pytest.mark.parametrize(
    "other",
    [
        Making(says=PACKAGES.replace(b"11", b"12")),
        Making(says=PACKAGES + b"cmake 3 x86_64\n"),
        Making(wanted=replace(WANTED, facts=("FROM base", "3.12"))),
        Making(wanted=replace(WANTED, facts=("FROM other", "3.13"))),
        Making(wanted=replace(WANTED, arch=Arch.ARM64)),
    ],
)
def test_whatever_decides_the_contents_changes_the_identity(other: Making) -> None:
    assert other.identity() not in {"", Making().identity()}


def test_the_contents_of_the_image_that_another_is_made_on_count_whatever_it_is_called() -> None:
    wanted = replace(WANTED, base="base")
    ids = [
        Making(wanted=wanted, base=rooted(layer, id=name), layers=(layer, "own")).identity()
        for layer, name in [("one", "sha256:a"), ("two", "sha256:a"), ("one", "sha256:b")]
    ]
    assert ids[0] == ids[2] != ids[1]


@pytest.mark.parametrize(
    "unknown",
    [
        Making(says=b""),
        Making(status=1),
        Making(wanted=replace(WANTED, base="base")),
        Making(wanted=replace(WANTED, base="base"), base=rooted("pulled anew")),
        Making(wanted=replace(WANTED, base="base"), base=rooted()),
    ],
)
def test_an_image_of_which_not_all_can_be_told_has_no_identity_but_its_digest(unknown: Making) -> None:
    assert unknown.identity() == ""
    assert Image(reference="r", digest="sha256:1", arch=Arch.X86_64, made_of="").identity == "sha256:1"
    assert unknown.engine.calls == ["build made:1"] * 2
    assert unknown.identity() == ""
    assert unknown.engine.calls == ["build made:1"] * 2, "it is asked once"


def test_an_image_that_was_made_before_it_had_an_identity_gets_one() -> None:
    engine = FakeDocker(there={"made:1": rooted("base", "own", id="sha256:old", labels={LABEL: "k"})})
    assert Making(engine=engine).identity() == Making().identity()
    assert [call["fileobj"].getvalue() for call in engine.asked] == [b"FROM sha256:old\n"]


def test_the_identity_of_the_image_that_another_was_made_on_is_not_its_own() -> None:
    inherited: Mapping[str, str] = {LABEL: "k", IDENTITY: "base's-key identity"}
    engine = FakeDocker(there={"made:1": rooted("base", "own", labels=inherited)})
    assert Making(engine=engine).identity() == Making().identity()


def test_an_image_with_more_packages_is_told_by_what_the_first_is_and_not_by_its_digest() -> None:
    def equipped(digest: str, made_of: str, packages: tuple[str, ...] = ("cmake",)) -> Image:
        engine = FakeDocker(ready=[{"chunks": (PACKAGES,)}])
        image = Image(reference="r", digest=digest, arch=Arch.X86_64, made_of=made_of)
        return images.with_packages(engine.sdk, image, packages, FakeProgress())

    first = equipped("sha256:1", "abc")
    assert equipped("sha256:2", "abc") == first
    assert equipped("sha256:2", "abd").identity != first.identity
    assert equipped("sha256:2", "abc", ("gcc",)).identity != first.identity
    assert equipped("sha256:2", "").identity != equipped("sha256:1", "").identity
    assert first.identity not in {"abc", first.digest}


def test_a_dockerfile_names_the_image_that_it_begins_with() -> None:
    text = "# FROM here\nARG PYTHON\nFROM there/python:${PYTHON}\nRUN true\n"
    assert images._base(text, "3.13") == "there/python:3.13"
    assert images._base("RUN true\n", "3.13") == ""
