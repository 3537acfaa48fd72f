from __future__ import annotations

import io
import json
import os
import tarfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from builders import ARCHIVE, FINE, IMAGE, SHA256, BuildContext, FakeBuilder, a_library, build
from fakes import FakeProgress, FakeStore, stock, target
from layerforge.build import compiler_flags
from layerforge.build.durations import KIND, SharedClock
from layerforge.build.engine import Builder, Outcome, Task
from layerforge.build.plan import SYSTEM, LibraryStep, Toolchain, plan
from layerforge.core.errors import StepError
from layerforge.core.runtimes import Arch
from layerforge.resolve.errors import LockError, RecipeError
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import Compression, Library, Settings, Source


def a_context(tmp_path: Path, builder: Builder, *libraries: Library, store: FakeStore | None = None) -> BuildContext:
    spec = LayerSpec(name="demo", requires=("demo",), libraries=libraries)
    toolchain = Toolchain(image=builder.image, build_pins={})
    workspace = tmp_path / f"workspace-{len(list(tmp_path.iterdir()))}"
    workspace.mkdir()
    return BuildContext(
        plan=plan(spec, target(), (), Compression.FAST, None, 0, toolchain),
        builder=builder,
        search=stock(store=store or FakeStore(values={("source", SHA256): ARCHIVE})),
        workspace=workspace,
        logs=tmp_path,
    )


def test_a_library_is_made_once_and_then_comes_from_the_store(tmp_path: Path) -> None:
    builder = FakeBuilder({"a": {"lib/liba.so": b"elf"}})
    store = FakeStore(values={("source", SHA256): ARCHIVE})
    first = build(a_context(tmp_path, builder, a_library("a"), store=store), 1)
    assert (first.shipped["a"] / "lib/liba.so").read_bytes() == b"elf"
    second = build(a_context(tmp_path, builder, a_library("a"), store=store), 1)
    assert (second.shipped["a"] / "lib/liba.so").read_bytes() == b"elf"
    assert len(builder.tasks) == 1


def test_a_step_sees_its_sources_its_needs_and_nothing_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    builder = FakeBuilder({"a": {"lib/liba.so": b"a"}, "b": {"lib/libb.so": b"b"}, "c": {"lib/libc.so": b"c"}})
    libraries = a_library("c", "b"), a_library("b", "a"), a_library("a")
    build(a_context(tmp_path, builder, *libraries), 2)
    assert [task.name for task in builder.tasks] == ["a", "b", "c"]
    last = builder.tasks[-1]
    assert {mount.target: mount.writable for mount in last.mounts} == {
        "/work": True,
        "/src": False,
        "/prefix/a": False,
        "/prefix/b": False,
        "/prefix/c": True,
    }
    assert last.env["PREFIX"] == "/prefix/c"
    assert last.env["LEVEL"] == "2"
    assert last.env["CFLAGS"] == f"{compiler_flags.FLAGS[Arch.X86_64]} -DMORE"
    assert last.env["PKG_CONFIG_PATH"] == "/prefix/a/lib/pkgconfig:/prefix/b/lib/pkgconfig"
    assert not [name for name in last.env if name.startswith(("AWS", "PYTEST", "UV"))]
    assert "secret" not in last.env.values()
    assert os.environ["HOME"] not in last.env.values()


def test_steps_that_need_nothing_of_each_other_run_at_the_same_time(tmp_path: Path) -> None:
    builder = FakeBuilder({name: {"lib/x.so": b""} for name in "abcd"})
    built = build(a_context(tmp_path, builder, *(a_library(name) for name in "abcd")), 4)
    assert sorted(built.shipped) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("output", "hint"),
    [
        ("x.c:1:10: fatal error: zlib.h: No such file or directory", "the header zlib.h is missing"),
        ("x.c:1:10: fatal error: 'zlib.h' file not found", "the header zlib.h is missing"),
        ("/usr/bin/ld: cannot find -lopenblas", "the library openblas is missing"),
        ('../meson.build:2: ERROR: Dependency "openblas" not found', "openblas is missing"),
        ("/bin/sh: 1: cmake: not found", "the program cmake: is missing"),
        ("ModuleNotFoundError: No module named 'Cython'", "the module 'Cython' is missing"),
        ("cc: No space left on device", "the disk is full"),
        ("fatal: Could not resolve host: example.com", "steps have no network"),
        ("cp: cannot create regular file '/usr/lib/x': Read-only file system", "a step may write to its working"),
        ("sh: 1: Cannot fork", "a step may have 4,096 processes at once"),
        ("something else", "the whole log"),
    ],
)
def test_a_failed_step_shows_its_last_lines_its_log_and_one_hint(tmp_path: Path, output: str, hint: str) -> None:
    builder = FakeBuilder({}, {"a": Outcome(status=2, output=f"first\n{output}\n", seconds=1.0)})
    with pytest.raises(StepError, match="a failed with status 2") as caught:
        build(a_context(tmp_path, builder, a_library("a")), 1)
    assert caught.value.details[-1] == output
    assert hint.replace("'", "").replace(":", "") in caught.value.hint.replace("'", "").replace(":", "")
    assert str(tmp_path) in caught.value.hint


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        (replace(FINE, status=-9, out_of_memory=True), r"a ran out of memory: it may have 8\.6 GB"),
        (replace(FINE, status=-9, timed_out=True), r"a did not end within 14,400 seconds"),
        (FINE, r"a ended well but did not make lib/\*\.so"),
    ],
)
def test_a_step_without_a_result_is_an_error_and_leaves_nothing_in_the_store(
    tmp_path: Path, outcome: Outcome, message: str
) -> None:
    builder = FakeBuilder({}, {"a": outcome})
    context = a_context(tmp_path, builder, a_library("a"))
    with pytest.raises(StepError, match=message):
        build(context, 1)
    assert isinstance(context.search.store, FakeStore)
    assert not [kind for kind, _ in context.search.store.values if kind == "built"]


def test_what_is_shipped_only_since_later_is_missed_in_the_store_too(tmp_path: Path) -> None:
    builder = FakeBuilder({"a": {"lib/liba.so": b"elf"}})
    store = FakeStore(values={("source", SHA256): ARCHIVE})
    build(a_context(tmp_path, builder, a_library("a"), store=store), 1)
    with pytest.raises(StepError, match=r"did not make lib/\*\.so\.2"):
        build(a_context(tmp_path, builder, a_library("a", ship=("lib/*.so", "lib/*.so.2")), store=store), 1)
    assert len(builder.tasks) == 1


@dataclass
class SlowBuilder(FakeBuilder):
    """One library fails at once; the other runs until it is stopped, for which it is not ready at first."""

    starts: threading.Event = field(default_factory=threading.Event)
    ends: threading.Event = field(default_factory=threading.Event)
    calls: int = 0

    def perform(self, task: Task, on_line: Callable[[str], None]) -> Outcome:
        if task.name == "fails":
            assert self.starts.wait(30)
            return Outcome(status=1, output="", seconds=0.0)
        self.starts.set()
        assert self.ends.wait(30)
        return Outcome(status=-9, output="", seconds=0.0)

    def stop(self) -> None:
        self.calls += 1
        if self.calls > 1:
            self.ends.set()


def test_what_still_runs_when_a_step_fails_is_ended_even_if_it_starts_late(tmp_path: Path) -> None:
    builder = SlowBuilder({})
    with pytest.raises(StepError, match="fails failed"):
        build(a_context(tmp_path, builder, a_library("fails"), a_library("runs")), 2)
    assert builder.ends.is_set()


def test_what_changes_a_result_changes_its_key_and_that_of_what_needs_it(tmp_path: Path) -> None:
    builder = FakeBuilder({name: {"lib/x.so": b""} for name in "ab"})
    store = FakeStore(values={("source", SHA256): ARCHIVE})
    build(a_context(tmp_path, builder, a_library("a"), a_library("b", "a"), store=store), 1)
    build(a_context(tmp_path, builder, a_library("a"), a_library("b", "a", script="other"), store=store), 1)
    assert [task.name for task in builder.tasks] == ["a", "b", "b"]
    build(a_context(tmp_path, builder, a_library("a", script="other"), a_library("b", "a"), store=store), 1)
    assert [task.name for task in builder.tasks] == ["a", "b", "b", "a", "b"]


def test_another_image_makes_everything_anew(tmp_path: Path) -> None:
    store = FakeStore(values={("source", SHA256): ARCHIVE})
    for digest in ("sha256:1", "sha256:2"):
        builder = FakeBuilder({"a": {"lib/x.so": b""}}, image=replace(IMAGE, digest=digest))
        build(a_context(tmp_path, builder, a_library("a"), store=store), 1)
        assert len(builder.tasks) == 1


def test_a_cycle_and_an_unknown_need_are_recipe_errors(tmp_path: Path) -> None:
    builder = FakeBuilder({})
    with pytest.raises(RecipeError, match="form a cycle") as caught:
        a_context(tmp_path, builder, a_library("a", "b"), a_library("b", "a"))
    assert "→" in caught.value.details[0]
    with pytest.raises(RecipeError, match="need what nothing builds") as caught:
        a_context(tmp_path, builder, a_library("a", "zlib"))
    assert caught.value.details == ("a needs zlib",)


def test_a_source_with_another_hash_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "demo.tar.gz"
    wrong.write_bytes(b"something else")
    library = replace(a_library("a"), source=Source(url=wrong.as_uri(), sha256=SHA256))
    with pytest.raises(LockError, match="does not have the hash"):
        build(a_context(tmp_path, FakeBuilder({}), library, store=FakeStore()), 1)


def test_a_file_with_the_right_hash_is_taken_from_the_folder_of_sources(tmp_path: Path) -> None:
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "whatever-it-is-called").write_bytes(ARCHIVE)
    builder = FakeBuilder({"a": {"lib/x.so": b""}})
    context = a_context(tmp_path, builder, a_library("a"), store=FakeStore())
    build(replace(context, search=stock(folders=[folder])), 1)
    assert builder.tasks


def test_a_source_that_cannot_be_had_says_how_to_provide_it(tmp_path: Path) -> None:
    library = replace(a_library("a"), source=Source(url=(tmp_path / "absent").as_uri(), sha256=SHA256))
    with pytest.raises(LockError, match="cannot be downloaded") as caught:
        build(a_context(tmp_path, FakeBuilder({}), library, store=FakeStore()), 1)
    assert "--sources" in caught.value.hint


def test_the_same_result_is_kept_as_the_same_bytes(tmp_path: Path) -> None:
    kept = []
    for umask in (0o022, 0o077):
        store = FakeStore(values={("source", SHA256): ARCHIVE})
        builder = FakeBuilder({"a": {"lib/b.so": b"b", "lib/a.so": b"a"}})
        before = os.umask(umask)
        try:
            build(a_context(tmp_path, builder, a_library("a"), store=store), 1)
        finally:
            os.umask(before)
        kept += [value for (kind, _), value in store.values.items() if kind == "built"]
    with tarfile.open(fileobj=io.BytesIO(kept[0])) as tar:
        assert [member.name for member in tar] == ["lib", "lib/a.so", "lib/b.so"]
    assert kept[0] == kept[1]


def test_a_result_that_is_no_archive_is_made_again(tmp_path: Path) -> None:
    builder = FakeBuilder({"a": {"lib/a.so": b"a"}})
    store = FakeStore(values={("source", SHA256): ARCHIVE})
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    build(a_context(tmp_path / "first", builder, a_library("a"), store=store), 1)
    [key] = [key for key in store.values if key[0] == "built"]
    right, store.values[key] = store.values[key], b"no archive"
    build(a_context(tmp_path / "second", builder, a_library("a"), store=store), 1)
    assert store.values[key] == right
    assert len(builder.tasks) == 2


NATIVE = "cc -O2 -march=native -c x.c -o x.o"


@pytest.mark.parametrize(
    "line", [NATIVE, "[3/9] g++ -march=haswell -mcpu=native -o x x.c", "rustc -o x -C target-cpu=native"]
)
def test_a_step_that_compiled_for_this_machine_alone_fails_and_is_not_kept(tmp_path: Path, line: str) -> None:
    builder = FakeBuilder({"a": {"lib/x.so": b""}}, log=f"first\n{line}\nlast\n")
    context = a_context(tmp_path, builder, a_library("a"))
    with pytest.raises(StepError, match="a was compiled for this machine's processor") as caught:
        build(context, 1)
    assert caught.value.details == (line,)
    assert "the whole log" in caught.value.hint
    assert isinstance(context.search.store, FakeStore)
    assert not [kind for kind, _ in context.search.store.values if kind == "built"]


@pytest.mark.parametrize(
    "line",
    [
        "checking whether the C compiler accepts -march=native... yes",
        "cc -march=native -march=haswell -c x.c",
        "cc -mtune=native -c x.c",
        "cc -DNAME=x-march=native -c x.c",
    ],
)
def test_a_log_that_only_tells_of_such_flags_is_no_failure(tmp_path: Path, line: str) -> None:
    builder = FakeBuilder({"a": {"lib/x.so": b""}}, log=f"{line}\n")
    assert build(a_context(tmp_path, builder, a_library("a")), 1).shipped


@pytest.mark.parametrize(
    "library",
    [
        replace(a_library("a"), settings=Settings(env={"CFLAGS": "-O2 -march=native"})),
        replace(a_library("a"), arch_settings={"x86_64": Settings(flags={"CXXFLAGS": "-mcpu=native"})}),
        replace(a_library("a"), settings=Settings(config={"setup-args": ("-Dc_args=-march=native",)})),
        a_library("a", script=f"cd x\n  {NATIVE}\n"),
    ],
)
def test_a_recipe_that_asks_for_the_build_machines_processor_is_refused(tmp_path: Path, library: Library) -> None:
    with pytest.raises(RecipeError, match="compiles a for the processor of the machine that builds it") as caught:
        a_context(tmp_path, FakeBuilder({}), library)
    assert "native" in caught.value.details[0]


def test_a_recipe_may_take_such_a_flag_out(tmp_path: Path) -> None:
    script = "# upstream has -march=native\nsed -i 's/-march=native//' Makefile\nmake"
    other = replace(a_library("a", script=script), arch_settings={"arm64": Settings(env={"CFLAGS": "-mcpu=native"})})
    assert a_context(tmp_path, FakeBuilder({}), other).plan.steps


def test_a_step_gets_the_time_and_the_memory_of_its_context(tmp_path: Path) -> None:
    builder = FakeBuilder({"a": {"lib/x.so": b""}})
    build(replace(a_context(tmp_path, builder, a_library("a")), timeout=5.0, memory=2**20), 1)
    assert [(task.timeout, task.memory) for task in builder.tasks] == [(5.0, 2**20)]


@dataclass
class LinkingBuilder(FakeBuilder):
    """Leaves a link as well."""

    link: str = ""

    def perform(self, task: Task, on_line: Callable[[str], None]) -> Outcome:
        outcome = super().perform(task, on_line)
        [out] = [mount.source for mount in task.mounts if mount.writable and mount.target != "/work"]
        (out / "lib/liblink.so").symlink_to(self.link)
        return outcome


def test_a_link_to_the_prefix_of_the_container_becomes_one_that_stays_in_the_result(tmp_path: Path) -> None:
    builder = LinkingBuilder(makes={"a": {"lib/liba.so": b"elf"}}, link="/prefix/a/lib/liba.so")
    store = FakeStore(values={("source", SHA256): ARCHIVE})
    for _ in range(2):
        built = build(a_context(tmp_path, builder, a_library("a"), store=store), 1)
        assert (built.shipped["a"] / "lib/liblink.so").readlink() == Path("liba.so")
    assert len(builder.tasks) == 1


@pytest.mark.parametrize("link", ["/etc/passwd", "../../../secret", "/prefix/other/lib/x.so"])
def test_a_link_that_leads_out_of_the_result_is_refused_and_not_kept(tmp_path: Path, link: str) -> None:
    builder = LinkingBuilder(makes={"a": {"lib/liba.so": b"elf"}}, link=link)
    store = FakeStore(values={("source", SHA256): ARCHIVE})
    with pytest.raises(StepError, match="no layer may hold"):
        build(a_context(tmp_path, builder, a_library("a"), store=store), 1)
    assert not [kind for kind, _ in store.values if kind == "built"]


@dataclass
class TimedBuilder(FakeBuilder):
    """Each task takes a minute more than the one before."""

    now: float = 0.0

    def perform(self, task: Task, on_line: Callable[[str], None]) -> Outcome:
        outcome = super().perform(task, on_line)
        self.now += 60.0 * len(self.tasks)
        return outcome


def timed(context: BuildContext, builder: TimedBuilder) -> BuildContext:
    return replace(context, clock=SharedClock(lambda: builder.now))


def shown(context: BuildContext) -> dict[str, list[tuple[str, float | None]]]:
    """What was shown of the place and of the time of each step."""
    progress = context.search.progress
    assert isinstance(progress, FakeProgress)
    return {title: step.long for title, step in zip(progress.steps, progress.told, strict=True)}


def test_a_step_that_is_carried_out_is_numbered_and_its_time_is_kept_for_the_next(tmp_path: Path) -> None:
    builder = TimedBuilder({name: {"lib/x.so": b""} for name in "abc"})
    store = FakeStore(values={("source", SHA256): ARCHIVE})
    build(timed(a_context(tmp_path, builder, a_library("b"), store=store), builder), 1)
    libraries = a_library("a"), a_library("b", "a"), replace(a_library("c", "b"), minutes=3.0)
    context = timed(a_context(tmp_path, builder, *libraries, store=store), builder)
    build(context, 1)
    assert shown(context) == {"a": [("1 of 3", None)], "b": [("2 of 3", 60.0)], "c": [("3 of 3", 180.0)]}
    kept = [json.loads(store.values[KIND, step.key]) for step in context.plan.steps if isinstance(step, LibraryStep)]
    assert [(one["seconds"], one["share"]) for one in kept] == [(120, 120), (180, 180), (240, 240)]


def test_a_step_from_the_store_has_no_number_and_neither_has_one_that_takes_a_second(tmp_path: Path) -> None:
    builder = TimedBuilder({"a": {"lib/x.so": b""}, "b": {"lib/x.so": b""}, SYSTEM: {"lib/libgomp.so.1": b""}})
    store = FakeStore(values={("source", SHA256): ARCHIVE})
    build(a_context(tmp_path, builder, a_library("a"), store=store), 1)
    context = a_context(tmp_path, builder, a_library("a"), a_library("b", "a"), store=store)
    spec = replace(context.plan.spec, system=("libgomp.so.1",))
    toolchain = Toolchain(image=builder.image, build_pins={})
    context = replace(context, plan=plan(spec, target(), (), Compression.FAST, None, 0, toolchain))
    build(context, 1)
    assert shown(context) == {"a": [], "b": [("1 of 1", None)], SYSTEM: []}


def test_the_time_of_a_step_that_failed_is_not_kept(tmp_path: Path) -> None:
    builder = FakeBuilder({}, {"a": Outcome(status=2, output="no", seconds=1.0)})
    store = FakeStore(values={("source", SHA256): ARCHIVE})
    with pytest.raises(StepError):
        build(a_context(tmp_path, builder, a_library("a"), store=store), 1)
    assert not [kind for kind, _ in store.values if kind == KIND]
