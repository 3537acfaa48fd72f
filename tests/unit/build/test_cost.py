from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from builders import IMAGE, a_library
from fakes import FakeProgress, target
from layerforge.build import cost, durations
from layerforge.build.durations import Duration
from layerforge.build.plan import LibraryStep, Plan, Toolchain, plan
from layerforge.core.runtimes import Arch
from layerforge.core.store.disk import DiskStore
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import Compression, Library


@pytest.fixture
def store(tmp_path: Path) -> DiskStore:
    return DiskStore(root=tmp_path / "store", progress=FakeProgress())


def a_plan(*libraries: Library, system: tuple[str, ...] = (), arch: Arch = Arch.X86_64) -> Plan:
    spec = LayerSpec(name="demo", requires=("demo",), libraries=libraries, system=system)
    return plan(spec, target(arch=arch), (), Compression.FAST, None, 0, Toolchain(image=IMAGE, build_pins={}))


def step_of(planned: Plan, name: str) -> LibraryStep:
    [step] = [one for one in planned.steps if isinstance(one, LibraryStep) and one.library.name == name]
    return step


def timed(name: str, minutes: float, *needs: str) -> Library:
    return replace(a_library(name, *needs), minutes=minutes)


def test_what_the_store_has_is_not_compiled_and_the_rest_takes_the_sum_of_what_each_takes(store: DiskStore) -> None:
    planned = a_plan(timed("a", 1), timed("b", 2), timed("c", 4), timed("d", 0, "c"))
    store.put("built", step_of(planned, "a").key, b"made")
    durations.keep(step_of(planned, "b"), Arch.X86_64, Duration(seconds=50, share=30), store)
    found = cost.cost([planned], store)
    assert [one.name for one in found.kept] == ["a 1.0"]
    assert [one.name for one in found.compiled] == ["b 1.0", "c 1.0", "d 1.0"]
    assert [one.name for one in found.unknown] == ["d 1.0"]
    assert found.seconds == 30 + 240


def test_what_several_layers_share_is_compiled_once(store: DiskStore) -> None:
    plans = [a_plan(timed("a", 1)), a_plan(timed("a", 1), timed("b", 2))]
    assert cost.cost(plans, store).seconds == 180


def test_a_library_of_the_image_costs_nothing_worth_telling(store: DiskStore) -> None:
    assert cost.cost([a_plan(system=("libgomp.so.1",))], store).steps == ()


def test_the_cost_as_data_says_of_each_step_what_is_known(store: DiskStore) -> None:
    planned = a_plan(timed("a", 1), timed("b", 2), timed("c", 0))
    store.put("built", step_of(planned, "a").key, b"made")
    durations.keep(step_of(planned, "a"), Arch.X86_64, Duration(seconds=50.04, share=30), store)
    found = cost.as_json(cost.cost([planned], store))
    assert (found["seconds"], found["unknown"]) == (120, ["c"])
    assert [row["key"] for row in found["steps"]] == [step_of(planned, name).key for name in "abc"]
    assert [(row["step"], row["version"]) for row in found["steps"]] == [("library", "1.0")] * 3
    assert [row["at"] for row in found["steps"]] == ["near", "make", "make"]
    assert [(row["name"], row["in_store"], row["seconds"], row["basis"]) for row in found["steps"]] == [
        ("a", True, 50.0, "measured"),
        ("b", False, 120, "recipe"),
        ("c", False, None, None),
    ]


def test_a_run_without_a_compiler_costs_nothing(store: DiskStore) -> None:
    spec = LayerSpec(name="demo", requires=("demo",), libraries=(timed("a", 1),))
    found = cost.cost([plan(spec, target(), (), Compression.FAST, None, 0)], store)
    assert cost.as_json(found) == {"seconds": 0, "unknown": [], "steps": []}


def test_what_is_made_for_several_targets_says_for_which(store: DiskStore) -> None:
    plans = [a_plan(timed("a", 1)), a_plan(timed("a", 1), arch=Arch.ARM64)]
    assert [one.name for one in cost.cost(plans, store).steps] == ["a 1.0 for py313-x86_64", "a 1.0 for py313-arm64"]
    assert [one.name for one in cost.cost(plans[:1], store).steps] == ["a 1.0"]
