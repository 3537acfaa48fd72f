from __future__ import annotations

from pathlib import Path

from builders import ARCHIVE, IMAGE, SHA256, a_library
from fakes import FakeStore, stock, target
from layerforge.build import wire
from layerforge.build.durations import Duration, keep
from layerforge.build.jobs import MEMORY, lacking, step_job
from layerforge.build.plan import SYSTEM, LibraryStep, Plan, Toolchain, plan
from layerforge.build.work import Input, StepWork, inputs_of, layer_work_of, sources_of
from layerforge.core.runtimes import Arch
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.lock import Pin
from layerforge.resolve.recipe import Compression, SourcePackage


def pin(name: str) -> Pin:
    return Pin(name=name, version="1.0", hashes=("sha256:" + "a" * 64,))


def a_plan() -> Plan:
    """``top`` needs the package ``base`` and the library ``c``, which stand on the libraries ``a`` and ``b``."""
    spec = LayerSpec(
        name="demo",
        requires=("top",),
        libraries=(a_library("a"), a_library("b", "a"), a_library("c", "b")),
        packages=(
            SourcePackage(name="base", needs=("b",), build_lock=Path("/x/build.lock")),
            SourcePackage(name="top", needs=("base", "c")),
        ),
        system=("libgomp.so.1",),
        build_packages=("cmake",),
    )
    toolchain = Toolchain(image=IMAGE, build_pins={})
    return plan(spec, target(), (pin("base"), pin("top")), Compression.FAST, None, 7, toolchain)


def test_a_step_takes_the_libraries_below_all_that_it_needs_and_of_packages_only_its_own() -> None:
    planned = a_plan()
    steps = sources_of(planned)
    found = list(inputs_of(planned, steps["top"]))
    assert [(one.name, one.library) for one in found] == [("a", True), ("b", True), ("c", True), ("base", False)]
    assert all(one.key == steps[one.name].key for one in found)
    assert list(inputs_of(planned, steps["a"])) == []
    assert [one.name for one in inputs_of(planned, steps["base"])] == ["a", "b"]
    assert list(inputs_of(planned, steps[SYSTEM])) == []


def test_a_step_is_a_job_that_waits_for_what_is_still_to_be_made_of_all_that_it_takes() -> None:
    planned = a_plan()
    steps = sources_of(planned)
    store = FakeStore(values={("source", SHA256): ARCHIVE, ("built", steps["b"].key): b"made"})
    wanted = lacking(planned, store)
    assert set(wanted) == {steps[name].key for name in ("a", "c", "base", "top", SYSTEM)}
    job = step_job(planned, steps["c"], IMAGE, wanted, stock(store=store))
    # What it needs directly is there, and what that needs, which it takes too, is not.
    assert job.needs == (steps["a"].key,)
    assert (job.key, job.title) == (steps["c"].key, "c 1.0")
    assert (job.demand.arch, job.demand.image, job.demand.memory) == (Arch.X86_64, IMAGE.digest, MEMORY)
    work = wire.work_of(job.task)
    assert isinstance(work, StepWork)
    assert (work.key, work.epoch, work.build_packages) == (job.key, 7, ("cmake",))
    assert work.inputs[0] == Input(name="a", key=steps["a"].key, library=True)


def test_what_is_damaged_is_lacking_though_the_store_holds_it() -> None:
    planned = a_plan()
    store = FakeStore(values={("built", step.key): b"made" for step in sources_of(planned).values()})
    key = sources_of(planned)["b"].key
    assert lacking(planned, store) == {}
    assert list(lacking(planned, store, {key})) == [key]


def test_a_job_is_expected_to_take_as_long_as_last_time() -> None:
    planned = a_plan()
    step = sources_of(planned)["a"]
    assert isinstance(step, LibraryStep)
    store = FakeStore(values={("source", SHA256): ARCHIVE})
    assert step_job(planned, step, None, (), stock(store=store)).seconds == 0
    keep(step, Arch.X86_64, Duration(seconds=50, share=30), store)
    assert step_job(planned, step, None, (), stock(store=store)).seconds == 50
    assert 0 < step_job(planned, sources_of(planned)[SYSTEM], None, (), stock(store=store)).seconds < 60


def test_what_a_step_is_made_from_lies_in_the_store_before_it_begins_also_where_a_folder_has_it(
    tmp_path: Path,
) -> None:
    planned = a_plan()
    (tmp_path / "any name").write_bytes(ARCHIVE)
    store = FakeStore()
    library = sources_of(planned)["a"]
    assert isinstance(library, LibraryStep)
    step_job(planned, library, IMAGE, (), stock(store=store, folders=(tmp_path,)))
    assert store.values["source", SHA256] == ARCHIVE


def test_the_work_of_a_layer_of_wheels_asks_for_no_image() -> None:
    planned = plan(LayerSpec(name="x", requires=("x",)), target(), (pin("x"),), Compression.FAST, None, 0)
    assert layer_work_of(planned, "sha256:1", verify=True).image == ""
    assert layer_work_of(a_plan(), "sha256:1", verify=True).image == "sha256:1"
