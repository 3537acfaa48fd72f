"""Packages that are compiled, and libraries that come from the image: what their steps see, and what they may make."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from builders import ARCHIVE, FINE, BuildContext, FakeBuilder, a_library, build
from fakes import FakeStore, stock, target
from layerforge.build.engine import Outcome, Task
from layerforge.build.plan import Built, Toolchain, plan
from layerforge.build.steps import carry_out
from layerforge.build.task import StepContext, unpacked_source
from layerforge.build.work import sources_of, work_of
from layerforge.core import digest
from layerforge.core.errors import StepError
from layerforge.core.watched import Watched
from layerforge.resolve.errors import LockError
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.lock import Pin
from layerforge.resolve.recipe import Compression, Settings, Source, SourcePackage
from sdists import make_sdist, publish
from served_index import NOWHERE
from wheels import make_wheel

DEMO = "demo-1.0-cp313-cp313-linux_x86_64.whl"


@pytest.fixture
def released(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index with what can be compiled, and a tool to do so with."""
    for name in ("demo", "base"):
        make_sdist(index, name, files={"src.c": "int x;\n"})
    make_wheel(index, "helper", files={"helper/__init__.py": b"", "helper-1.0.data/scripts/help": b"#!python\n"})
    config = tmp_path / "uv.toml"
    config.write_text(f'index-url = "{publish(index, tmp_path / "simple")}"\n')
    monkeypatch.setenv("UV_CONFIG_FILE", str(config))
    return index


def pin(path: Path) -> Pin:
    name = path.name.split("-")[0]
    return Pin(name=name, version="1.0", hashes=(f"sha256:{digest.of_file(path)}",))


def a_context(tmp_path: Path, released: Path, builder: FakeBuilder, spec: LayerSpec) -> BuildContext:
    pins = tuple(pin(path) for path in sorted(released.glob("*.tar.gz")))
    build_pins = {"demo": tuple(pin(path) for path in released.glob("helper-*.whl"))}
    toolchain = Toolchain(image=builder.image, build_pins=build_pins)
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    return BuildContext(
        plan=plan(spec, target(), pins, Compression.FAST, None, 0, toolchain),
        builder=builder,
        search=stock(store=FakeStore()),
        workspace=workspace,
        logs=tmp_path,
    )


COMPILED = LayerSpec(
    name="demo",
    requires=("demo",),
    packages=(
        SourcePackage(
            name="demo",
            needs=("base",),
            settings=Settings(env={"LEVEL": "1"}, config={"setup-args": ("-Da=b", "-Dc=d")}),
            arch_settings={"x86_64": Settings(env={"LEVEL": "2"})},
        ),
        SourcePackage(name="base"),
    ),
)


def a_wheel(tmp_path: Path, name: str) -> bytes:
    return make_wheel(tmp_path / "made", name).read_bytes()


def a_builder(tmp_path: Path, **outcomes: Outcome) -> FakeBuilder:
    """A builder whose steps make a wheel each."""
    base, demo = a_wheel(tmp_path, "base"), a_wheel(tmp_path, "demo")
    makes = {"base": {"base-1.0-py3-none-any.whl": base}, "demo": {DEMO: demo}}
    return FakeBuilder(makes, outcomes)


def test_a_package_is_compiled_with_what_is_locked_for_it_and_what_the_same_plan_has_compiled(
    released: Path, tmp_path: Path
) -> None:
    builder = a_builder(tmp_path)
    built = build(a_context(tmp_path, released, builder, COMPILED), 1)
    assert {name: wheel.name for name, wheel in built.wheels.items()} == {
        "base": "base-1.0-py3-none-any.whl",
        "demo": DEMO,
    }
    assert not built.shipped
    assert [task.name for task in builder.tasks] == ["base", "demo"]
    last = builder.tasks[-1]
    places = {mount.target: mount for mount in last.mounts}
    assert {target: mount.writable for target, mount in places.items()} == {
        "/work": True,
        "/src": False,
        "/env": False,
        "/driver": False,
        "/out": True,
    }
    assert sorted(path.name for path in places["/env"].source.glob("*") if path.is_dir()) == [
        "base",
        "base-1.0.dist-info",
        "bin",
        "helper",
        "helper-1.0.dist-info",
    ]
    assert (places["/env"].source / "bin/help").read_bytes() == b"#!/var/lang/bin/python3.13\n"
    assert (places["/src"].source / "src.c").is_file()
    assert (last.env["PYTHONPATH"], last.env["LEVEL"]) == ("/driver:/env", "2")
    assert "build_wheel.py /driver/settings.json /out" in last.argv[-1]
    assert {path.name for path in places["/driver"].source.iterdir()} == {
        "build_wheel.py",
        "sitecustomize.py",
        "settings.json",
    }
    assert json.loads((places["/driver"].source / "settings.json").read_text()) == {
        "backend": "setuptools.build_meta",
        "backend_path": [],
        "config": {"setup-args": ["-Da=b", "-Dc=d"]},
    }


def test_flags_of_single_files_put_stand_ins_in_the_compilers_place_and_what_none_of_them_saw_is_asked_for_at_the_end(
    released: Path, tmp_path: Path
) -> None:
    builder = a_builder(tmp_path)
    alone = SourcePackage(name="base", settings=Settings(module_flags={"base/*.o": "-Os"}))
    build(a_context(tmp_path, released, builder, replace(COMPILED, packages=(COMPILED.packages[0], alone))), 1)
    own, other = builder.tasks
    assert [task.name for task in (own, other)] == ["base", "demo"]
    [rows] = [mount.source / "rows.json" for mount in own.mounts if mount.target == "/compile-with"]
    assert json.loads(rows.read_text())[0]["flags"] == "-Os"
    before, make, after = (own.argv[-1].index(part) for part in ("--set-up", "build_wheel.py", "--check"))
    assert before < make < after
    assert "compile_with" not in other.argv[-1]


def test_a_machine_without_an_index_compiles_with_what_another_has_put_into_the_store(
    released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compiled(name: str) -> set[str]:
        """Files of the build environment of the last step on a machine, with nothing in uv's cache."""
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.setenv("UV_CACHE_DIR", str(folder / "uv-cache"))
        context = a_context(folder, released, builder := a_builder(folder), COMPILED)
        build(replace(context, search=replace(stock(store=store), wheels=folder / "wheels")), 1)
        [env] = [mount.source for mount in builder.tasks[-1].mounts if mount.target == "/env"]
        return {path.relative_to(env).as_posix() for path in env.rglob("*")}

    store = FakeStore(shared=True)
    first = compiled("first")
    store.values = {place: value for place, value in store.values.items() if place[0] != "built"}
    (tmp_path / "nowhere.toml").write_text(f'index-url = "{NOWHERE}"\n')
    monkeypatch.setenv("UV_CONFIG_FILE", str(tmp_path / "nowhere.toml"))
    assert compiled("second") == first
    assert "bin/help" in first


def test_a_machine_that_was_not_given_a_source_distribution_finds_it_by_itself(released: Path, tmp_path: Path) -> None:
    builder = a_builder(tmp_path)
    alone = LayerSpec(name="base", requires=("base",), packages=(SourcePackage(name="base"),))
    context = a_context(tmp_path, released, builder, alone)
    [step] = sources_of(context.plan).values()
    known = digest.of_file(next(released.glob("base-*.tar.gz")))
    work = work_of(context.plan, step, Source(url="", sha256=known), builder.image.identity)
    carried = StepContext(builder=builder, search=context.search, workspace=context.workspace, logs=context.logs)

    carry_out(work, carried)

    assert context.search.store.get("source", known) is not None
    assert [task.name for task in builder.tasks] == ["base"]


def test_a_step_that_is_to_end_does_not_unpack_its_source_first(released: Path, tmp_path: Path) -> None:
    builder = a_builder(tmp_path)
    context = a_context(tmp_path, released, builder, replace(COMPILED, packages=(SourcePackage(name="base"),)))
    data = next(released.glob("base-*.tar.gz")).read_bytes()
    known = digest.sha256(data)
    context.search.store.put("source", known, data)
    [step] = sources_of(context.plan).values()
    work = work_of(context.plan, step, Source(url=NOWHERE, sha256=known), builder.image.identity)
    ending = threading.Event()
    search = replace(context.search, progress=Watched(progress=context.search.progress, ending=ending))
    carried = StepContext(builder=builder, search=search, workspace=context.workspace, logs=context.logs)
    ending.set()

    with pytest.raises(KeyboardInterrupt):
        unpacked_source(carried, work, context.workspace)
    assert not [path for path in context.workspace.rglob("*") if path.name == "src.c"]


def test_a_package_that_needs_a_library_finds_it_where_compilers_look(released: Path, tmp_path: Path) -> None:
    builder = a_builder(tmp_path)
    builder.makes = {**builder.makes, "blas": {"lib/x.so": b"elf"}}
    package = replace(COMPILED.packages[1], needs=("blas",))
    library = a_library("blas")
    spec = replace(COMPILED, packages=(package,), libraries=(library,))
    context = a_context(tmp_path, released, builder, spec)
    context.search.store.put("source", library.source.sha256, ARCHIVE)
    built = build(context, 1)
    assert list(built.shipped) == ["blas"]
    assert builder.tasks[-1].env["LIBRARY_PATH"] == "/prefix/blas/lib"
    assert "/prefix/blas" in {mount.target for mount in builder.tasks[-1].mounts}


@pytest.mark.parametrize("made", [{}, {"a-1-py3-none-any.whl": b"", "b-1-py3-none-any.whl": b""}])
def test_a_package_makes_one_wheel(made: Mapping[str, bytes], released: Path, tmp_path: Path) -> None:
    spec = replace(COMPILED, packages=(SourcePackage(name="base"),))
    builder = FakeBuilder({"base": made})
    with pytest.raises(StepError, match=r"did not make \*\.whl|base made 2 wheels instead of one"):
        build(a_context(tmp_path, released, builder, spec), 1)


def test_a_package_that_the_lock_does_not_hold_cannot_be_compiled(released: Path, tmp_path: Path) -> None:
    spec = replace(COMPILED, packages=(SourcePackage(name="absent"),))
    with pytest.raises(LockError, match="absent is to be compiled but the lock does not hold it"):
        a_context(tmp_path, released, a_builder(tmp_path), spec)


SYSTEM = LayerSpec(name="demo", requires=("demo",), system=("libgomp.so.1", "odd name.so"))


def from_image(tmp_path: Path, released: Path, builder: FakeBuilder) -> Built:
    return build(a_context(tmp_path, released, builder, SYSTEM), 1)


def test_libraries_of_the_image_are_copied_by_the_image_itself(released: Path, tmp_path: Path) -> None:
    builder = FakeBuilder({"system libraries": {"lib/libgomp.so.1": b"elf", "lib/odd name.so": b"elf"}})
    built = from_image(tmp_path, released, builder)
    assert (built.shipped["system libraries"] / "lib/libgomp.so.1").read_bytes() == b"elf"
    [task] = builder.tasks
    assert {mount.target for mount in task.mounts} == {"/work", "/out"}
    assert "cp -L \"$found\" /out/lib/'odd name.so'" in task.argv[-1]


def test_a_library_that_the_image_lacks_is_told(released: Path, tmp_path: Path) -> None:
    lacking = replace(FINE, status=1, output="the image has no library libgomp.so.1\n")
    with pytest.raises(StepError, match="system libraries failed with status 1") as caught:
        from_image(tmp_path, released, FakeBuilder({}, {"system libraries": lacking}))
    assert caught.value.details == ("the image has no library libgomp.so.1",)


def test_a_killed_step_is_told_with_its_signal(released: Path, tmp_path: Path) -> None:
    killed = replace(FINE, status=-11, output="")
    with pytest.raises(StepError, match="system libraries was ended by SIGSEGV"):
        from_image(tmp_path, released, FakeBuilder({}, {"system libraries": killed}))


class PipeBuilder(FakeBuilder):
    """Leaves a pipe beside the result."""

    def perform(self, task: Task, on_line: Callable[[str], None]) -> Outcome:
        outcome = super().perform(task, on_line)
        [out] = [mount for mount in task.mounts if mount.target == "/out"]
        os.mkfifo(out.source / "lib/pipe")
        return outcome


def test_what_no_layer_may_hold_is_refused_with_its_name(released: Path, tmp_path: Path) -> None:
    builder = PipeBuilder({"system libraries": {"lib/libgomp.so.1": b"elf", "lib/odd name.so": b"elf"}})
    with pytest.raises(StepError, match="system libraries made something that no layer may hold") as caught:
        from_image(tmp_path, released, builder)
    assert caught.value.details == ("lib/pipe is neither a file nor a folder nor a link",)
