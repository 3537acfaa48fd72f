from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerforge.build.cluster.offers import Offer, OfferedImage, Release, covers, demanded, missing, offered
from layerforge.build.graph import Demand
from layerforge.core.runtimes import Arch

IMAGE = "sha256:" + "0123456789ab" * 5 + "cdef"
RELEASE = Release(version="1.2", schema=6, source_schema=2, store="s3://team/layers")
OFFER = Offer(
    name="big",
    arch=Arch.X86_64,
    processors=8,
    memory=16 * 10**9,
    images=(OfferedImage(identity=IMAGE, reference="build:3.13", arch=Arch.X86_64, pythons=("3.13",)),),
    release=RELEASE,
    identity="Worker-1",
)
DEMAND = Demand(arch=Arch.X86_64, image=IMAGE, processors=8, memory=16 * 10**9)


def test_a_worker_that_has_all_can_take_a_job() -> None:
    assert missing(DEMAND, [OFFER], RELEASE) == ""
    assert covers(offered(OFFER), demanded(DEMAND, RELEASE))


@pytest.mark.parametrize(
    ("demand", "why"),
    [
        (replace(DEMAND, arch=Arch.ARM64), "no worker is for arm64"),
        (replace(DEMAND, image="sha256:" + "f" * 64), f"no worker has the image sha256:{'f' * 64}"),
        (replace(DEMAND, processors=16), "it needs 16 processors, the largest worker offers 8"),
        (replace(DEMAND, memory=17_200_000_000), "it needs 17.2 GB of memory, the largest worker offers 16.0 GB"),
    ],
)
def test_what_is_missing_is_named(demand: Demand, why: str) -> None:
    assert missing(demand, [OFFER], RELEASE) == why
    assert not covers(offered(OFFER), demanded(demand, RELEASE))


def test_a_demand_that_two_workers_meet_only_together_is_not_met() -> None:
    wide = replace(OFFER, memory=4 * 10**9)
    deep = replace(OFFER, processors=2, identity="Worker-2")
    assert missing(DEMAND, [wide, deep], RELEASE) == "it needs 16.0 GB of memory, the largest worker offers 4.0 GB"


def test_without_workers_that_is_what_is_said() -> None:
    assert missing(DEMAND, [], RELEASE) == "there is no worker"


def test_a_worker_of_another_version_or_schema_is_told_apart() -> None:
    older = replace(OFFER, release=replace(RELEASE, version="1.1", schema=5))
    said = "no worker is of layerforge 1.2 (schema 6/2); they are of layerforge 1.1 (schema 5/2)"
    assert missing(DEMAND, [older], RELEASE) == said
    assert not covers(offered(older), demanded(DEMAND, RELEASE))


def test_a_worker_of_another_store_is_told_apart() -> None:
    other = replace(OFFER, release=replace(RELEASE, store="s3://others"))
    assert missing(DEMAND, [other], RELEASE) == "no worker uses the store s3://team/layers; big uses s3://others"
    assert not covers(offered(other), demanded(DEMAND, RELEASE))


@given(
    st.builds(
        Demand,
        arch=st.sampled_from(Arch),
        image=st.sampled_from(["", IMAGE, "sha256:" + "a" * 64]),
        processors=st.integers(0, 16),
        memory=st.integers(0, 32 * 10**9),
    ),
    st.integers(1, 16),
    st.integers(0, 32 * 10**9),
)
def test_nothing_is_missing_exactly_where_the_resources_cover_the_demand(
    demand: Demand, processors: int, memory: int
) -> None:
    offer = replace(OFFER, processors=processors, memory=memory)
    assert (missing(demand, [offer], RELEASE) == "") == covers(offered(offer), demanded(demand, RELEASE))
