"""Which of the workers' images a target is planned with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import FakeBuilder
from fakes import target
from layerforge.build.cluster.images import chosen, for_target
from layerforge.build.cluster.offers import Offer, OfferedImage, Release
from layerforge.build.cluster.roll import STARTUP, offers_of, told
from layerforge.build.elsewhere import Elsewhere
from layerforge.build.engine import Image
from layerforge.build.errors import ClusterError
from layerforge.core.runtimes import Arch

RELEASE = Release(version="1", schema=1, source_schema=1, store="s3://team")
ONE = OfferedImage(identity="sha256:1", reference="lambda:3.13", arch=Arch.X86_64, pythons=("3.13",))
TWO = replace(ONE, identity="sha256:2", reference="lambda:other")
ARM = replace(ONE, identity="sha256:3", arch=Arch.ARM64)


def a_worker(*images: OfferedImage, arch: Arch = Arch.X86_64, release: Release = RELEASE) -> Offer:
    return Offer(name="w", arch=arch, processors=2, memory=10**9, images=images, release=release)


def refused(*offers: Offer, python: str = "3.13", arch: Arch = Arch.X86_64, reference: str = "") -> ClusterError:
    with pytest.raises(ClusterError) as error:
        for_target(offers, target(python, arch), RELEASE, reference)
    return error.value


def test_a_target_is_planned_with_the_image_of_a_worker_of_its_processor() -> None:
    workers = [a_worker(ONE), a_worker(ARM, arch=Arch.ARM64)]
    found = for_target(workers, target(arch=Arch.ARM64), RELEASE)
    assert found == Elsewhere(image=Image(reference="lambda:3.13", digest="sha256:3", arch=Arch.ARM64))
    assert found.image.identity == "sha256:3"


def test_the_image_that_most_workers_have_is_taken_and_of_two_always_the_same() -> None:
    assert for_target([a_worker(ONE, TWO), a_worker(TWO)], target(), RELEASE).image.digest == "sha256:2"
    both = [a_worker(TWO), a_worker(ONE)]
    assert for_target(both, target(), RELEASE) == for_target(both[::-1], target(), RELEASE)


def test_an_image_that_is_named_is_taken_though_others_are_on_more_workers() -> None:
    workers = [a_worker(ONE, TWO), a_worker(ONE)]
    assert for_target(workers, target(), RELEASE, "lambda:other").image.digest == "sha256:2"
    error = refused(*workers, reference="mine")
    assert error.message == "no worker has the image mine for Python 3.13 on x86_64"


def test_what_is_missing_is_named_with_what_each_worker_has() -> None:
    error = refused(a_worker(ONE), a_worker(), arch=Arch.ARM64)
    assert error.message == "no worker has an image for Python 3.13 on arm64"
    assert error.details == ("w: x86_64, lambda:3.13 for Python 3.13", "w: x86_64, no image")
    assert refused(a_worker(ONE), python="3.12").message == "no worker has an image for Python 3.12 on x86_64"
    assert (error.exit_code, "layerforge worker --image" in error.hint) == (5, True)


def test_an_image_of_another_processor_than_its_workers_is_of_no_use() -> None:
    assert refused(a_worker(ARM), arch=Arch.ARM64).message == "no worker has an image for Python 3.13 on arm64"


def test_workers_of_another_release_count_for_nothing() -> None:
    other = replace(RELEASE, store="s3://others")
    assert refused(a_worker(ONE, release=other)).message == "no worker uses the store s3://team; w uses s3://others"
    assert refused().message == "there is no worker"


def test_an_image_that_carries_sources_is_not_planned_with_from_afar() -> None:
    carrying = replace(TWO, carries_sources=True)
    error = refused(a_worker(carrying))
    assert "that carries no sources of its own" in error.message
    assert error.details == ("lambda:other",)
    assert for_target([a_worker(carrying), a_worker(carrying, ONE)], target(), RELEASE).image.digest == "sha256:1"


def test_the_engine_of_this_machine_is_taken_where_a_worker_has_its_image() -> None:
    own = FakeBuilder({}, image=Image(reference="mine", digest="sha256:9", arch=Arch.X86_64, made_of="sha256:2"))
    workers = [a_worker(ONE), a_worker(ONE, TWO)]
    assert chosen(workers, target(), own, RELEASE) is own
    strange = replace(own, image=replace(own.image, made_of="sha256:8"))
    assert chosen(workers, target(), strange, RELEASE) == for_target(workers, target(), RELEASE)
    assert chosen(workers, target(), None, RELEASE) == for_target(workers, target(), RELEASE)


def test_what_a_worker_says_of_its_images_comes_to_whoever_plans() -> None:
    offer = a_worker(ONE, replace(TWO, carries_sources=True))
    info = {"workers": {"tls://w:1": {STARTUP: told(offer), "id": "w-1", "name": "w"}}}
    assert offers_of(info) == ([replace(offer, address="tls://w:1", identity="w-1")], [])
