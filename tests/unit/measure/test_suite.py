from __future__ import annotations

import inspect
import io
import json
import os
import py_compile
import subprocess
import sys
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import pytest

import zips
from fakes import FakeProgress, FakeStep, target
from keys import assert_decided_by
from layerforge import cli
from layerforge.build.engine import Image, Outcome, Task
from layerforge.cli import suite as suites
from layerforge.core.errors import StepError, UsageError, VerificationError
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Arch
from layerforge.core.store.disk import DiskStore
from layerforge.examine import examine
from layerforge.layer.distributions import Distribution
from layerforge.measure.suite import collect, prepare, pytest_run, test_tools
from layerforge.measure.suite import compare as comparing
from layerforge.measure.suite import prove as suite
from layerforge.measure.suite.compare import Proof, compare, excuses, unused
from layerforge.measure.suite.prepare import SuiteRequest, locked_beside, wheel_pins
from layerforge.measure.suite.prove import find_package
from layerforge.measure.suite.pytest_run import End, SuiteRun
from layerforge.resolve import recipe_file
from layerforge.resolve.errors import LockError, RecipeError
from layerforge.resolve.left_out import LeftOut, Why
from layerforge.resolve.lock import Pin
from wheels import digest, make_wheel

IMAGE = Image(reference="test", digest="sha256:1", arch=Arch.X86_64)


def put(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def a_run(tests: Mapping[str, str], ending: str = "") -> SuiteRun:
    made = {name: End(outcome=end, seconds=0.1, message=f"why {name}\nmore") for name, end in tests.items()}
    return SuiteRun(tests=made, seconds=1.0, total=len(tests), ending=ending, log="last line" if ending else "")


# --- where tests lie


def test_tests_lie_in_the_package_and_come_from_the_sources_before_the_wheel(tmp_path: Path) -> None:
    sources = put(
        tmp_path / "sources",
        {
            "src/demo/__init__.py": "",
            "src/demo/conftest.py": "",
            "src/demo/part/tests/test_a.py": "new",
            "src/demo/part/tests/data/x.csv": "1",
            "src/demo/vendored/tests/test_c.py": "",
            "tests/test_outside.py": "",
        },
    )
    wheel = put(
        tmp_path / "wheel", {"demo/__init__.py": "", "demo/part/tests/test_a.py": "old", "demo/part/tests/gen.py": ""}
    )
    found = collect.tests_of(
        sources, wheel, ["demo/__init__.py", "demo/part/tests/test_a.py", "demo/part/tests/gen.py"], "demo"
    )
    assert sorted(found.files) == [
        "demo/conftest.py",
        "demo/part/tests/data/x.csv",
        "demo/part/tests/gen.py",
        "demo/part/tests/test_a.py",
    ]
    assert found.files["demo/part/tests/test_a.py"].read_text() == "new"
    assert (found.beside, found.roots) == (False, ("demo",))


def test_tests_beside_the_package_are_taken_where_it_holds_none(tmp_path: Path) -> None:
    sources = put(tmp_path / "sources", {"six.py": "", "conftest.py": "", "tests/test_six.py": ""})
    wheel = put(tmp_path / "wheel", {"six.py": ""})
    found = collect.tests_of(sources, wheel, ["six.py"], "six")
    assert (found.beside, found.roots) == (True, ("tests",))
    assert sorted(found.files) == ["conftest.py", "tests/test_six.py"]


def test_a_package_without_tests_is_refused(tmp_path: Path) -> None:
    sources = put(tmp_path / "sources", {"demo/__init__.py": ""})
    with pytest.raises(UsageError, match="neither the sources nor the wheel of demo hold tests"):
        collect.tests_of(sources, put(tmp_path / "wheel", {"demo/__init__.py": ""}), ["demo/__init__.py"], "demo")


def test_nothing_of_the_layer_is_replaced_or_hidden(tmp_path: Path) -> None:
    new = put(tmp_path / "new", {"a.py": "new"}) / "a.py"
    layer = put(
        tmp_path / "layer", {"pkg/held.py": "old", "pkg/tests/natype.pyc": "code", "pkg/tests/test_b.pyc": "code"}
    )
    wanted = ("pkg/held.py", "pkg/tests/natype.py", "pkg/tests/test_b.py", "pkg/tests/test_a.py")
    added = collect.add(dict.fromkeys(wanted, new), layer)
    assert added == 2
    assert (layer / "pkg/held.py").read_text() == "old"
    assert not (layer / "pkg/tests/natype.py").exists()
    assert (layer / "pkg/tests/test_a.py").exists()
    assert (layer / "pkg/tests/test_b.py").exists()


HELPERS = {
    "demo/__init__.py": "from demo import _used\n",
    "demo/_used.py": "",
    "demo/_lazy.py": "",
    "demo/load.py": "import importlib\nimportlib.import_module('demo._lazy')\n",
    "demo/_simd.cpython-313-x86_64-linux-gnu.so": "",
    "demo/_umath_tests.cpython-313-x86_64-linux-gnu.so": "",
    "demo/_other.cpython-313-x86_64-linux-gnu.so": "",
    "demo/public.py": "",
    "demo/_pre/__init__.py": "",
    "demo/_pre/utils.py": "from . import deep\n",
    "demo/_pre/deep.py": "",
    "demo/_pre/unused.py": "",
    "demo/tests/test_it.py": (
        "from demo import _used, _lazy, _simd, public\nfrom .._pre.utils import x\nimport demo._umath_tests\n"
    ),
}


def test_only_what_tests_alone_import_is_taken_from_the_wheel(tmp_path: Path) -> None:
    wheel = put(tmp_path / "wheel", HELPERS)
    layer = put(tmp_path / "layer", {"demo/__init__.pyc": "", "demo/load.py": ""})
    found = collect.tests_of(tmp_path / "none", wheel, HELPERS, "demo")
    assert sorted(collect.helpers(found, wheel, HELPERS, layer)) == [
        "demo/_pre/__init__.py",
        "demo/_pre/deep.py",
        "demo/_pre/utils.py",
        "demo/_simd.cpython-313-x86_64-linux-gnu.so",
        "demo/_umath_tests.cpython-313-x86_64-linux-gnu.so",
    ]


def test_a_test_that_the_wheel_lacks_has_its_relative_imports_resolved_too(tmp_path: Path) -> None:
    wheel = put(tmp_path / "wheel", HELPERS)
    (wheel / "demo/tests/test_it.py").unlink()
    sources = put(tmp_path / "sources", {"demo/tests/test_new.py": "from .._pre.utils import x\n"})
    recorded = [path for path in HELPERS if path != "demo/tests/test_it.py"]
    layer = put(tmp_path / "layer", {"demo/__init__.pyc": "", "demo/load.py": ""})
    found = collect.tests_of(sources, wheel, recorded, "demo")
    assert list(found.files) == ["demo/tests/test_new.py"]
    assert "demo/_pre/utils.py" in collect.helpers(found, wheel, recorded, layer)


def test_a_layer_that_holds_every_module_gets_none_of_the_wheel(tmp_path: Path) -> None:
    wheel = put(tmp_path / "wheel", HELPERS)
    layer = put(tmp_path / "layer", {name.replace(".cpython-313-x86_64-linux-gnu", ""): "" for name in HELPERS})
    assert collect.helpers(collect.tests_of(tmp_path / "none", wheel, HELPERS, "demo"), wheel, HELPERS, layer) == {}


# --- what they need


def test_the_extra_for_tests_counts_without_linters_and_other_extras() -> None:
    rows = (
        "plain>=1",
        "pytest-cov; extra == 'test'",
        "pandas>=2; extra == 'tests'",
        "colorama; sys_platform == 'win32' and extra == 'test'",
        "sphinx; extra == 'doc'",
        "not a requirement !",
    )
    text = "Metadata-Version: 2.1\nName: demo\n" + "".join(f"Requires-Dist: {row}\n" for row in rows)
    assert list(test_tools.declared(text, target())) == ["pandas>=2"]


def test_what_a_record_lists_outside_of_its_folder_is_never_removed(tmp_path: Path, packages: Path) -> None:
    kept = put(tmp_path / "home", {"mine": "", "other": ""})
    env = tmp_path / "env"
    lines = (f"{kept}/mine", "demo/../../home/other", '"demo/a,b.py"', "demo", "demo/x.py")
    record = "".join(f"{line},,\n" for line in lines)
    put(env, {"demo/x.py": "", "demo/a,b.py": "", "demo-1.0.dist-info/RECORD": record})
    assert test_tools.recorded(env, "demo") == ["demo/a,b.py", "demo", "demo/x.py"]
    held = Distribution(name="demo", version="1.0", info="python/demo-1.0.dist-info", record=None)
    tool = Pin(name="pytest", version="9.0", hashes=(digest(packages / "pytest-9.0-py3-none-any.whl"),))
    test_tools.install((tool,), (held,), target(), env)
    assert sorted(path.name for path in kept.iterdir()) == ["mine", "other"]
    assert list((env / "demo").iterdir()) == []


# --- running


def a_room(tmp_path: Path, builder: Any = None, *, jobs: int = 2) -> pytest_run.TestEnvironment:
    return pytest_run.TestEnvironment(
        builder=builder,
        python="3.13",
        site="python",
        root="python",
        env=tmp_path / "env",
        settings={"MORE": "1"},
        driver=tmp_path / "driver",
        jobs=jobs,
        seconds=60.0,
        logs=tmp_path,
    )


@dataclass
class FakeBuilder:
    """Answers each task by its name's second word with lines of results, and remembers the tasks."""

    results: Mapping[str, Mapping[str, str]]
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    tasks: list[Task] = field(default_factory=list)
    image: Image = IMAGE
    seen: dict[str, list[str]] = field(default_factory=dict)
    collected: int = 5
    message: str | None = None

    def equipped(self, packages: tuple[str, ...], progress: Progress) -> Self:
        raise AssertionError(packages)

    def copy_out(self, path: str, into: Path) -> None:
        raise AssertionError

    def stop(self) -> None:
        raise AssertionError

    def perform(self, task: Task, on_line: Callable[[str], None]) -> Outcome:
        self.tasks.append(task)
        side = task.name.split("-")[1]
        mounts = {mount.target: mount for mount in task.mounts}
        self.seen[side] = sorted(
            path.relative_to(mounts["/opt"].source).as_posix()
            for path in mounts["/opt"].source.rglob("*")
            if path.is_file()
        )
        rows: list[dict[str, Any]] = [{"of": self.collected}]
        rows += [
            {
                "id": name,
                "outcome": end,
                "seconds": 0.1,
                "message": f"why {name}" if self.message is None else self.message,
            }
            for name, end in self.results.get(side, {}).items()
        ]
        (mounts["/work"].source / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        on_line("....")
        return self.outcomes.get(side, Outcome(status=0, output="said", seconds=2.0))


def test_a_suite_runs_against_the_layer_first_and_can_write_to_its_own_folder_alone(tmp_path: Path) -> None:
    builder = FakeBuilder({"x": {"a::t": "passed"}})
    run = pytest_run.run_suite(
        a_room(tmp_path, builder), "demo-x", tmp_path / "opt", ("/opt/python/demo",), tmp_path / "w", FakeStep()
    )
    assert run.tests["a::t"].outcome == "passed"
    [task] = builder.tasks
    assert {mount.target: mount.writable for mount in task.mounts} == {
        "/work": True,
        "/opt": False,
        "/env": False,
        "/driver": False,
    }
    assert task.env["PYTHONPATH"].split(":") == ["/opt/python", "/env", "/driver"]
    assert task.env["LD_LIBRARY_PATH"].endswith(":/opt/lib")
    assert (task.env["MORE"], task.env["CC"]) == ("1", "/bin/false")
    assert task.argv[task.argv.index("-n") + 1] == "2"
    assert task.argv[-1] == "/opt/python/demo"


def test_a_line_that_was_cut_off_loses_one_test_only(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    file.write_text('{"of": 3}\n{"id": "a", "outcome": "failed", "seconds": 1, "message": "x"}\n{"id": "b", "outc')
    tests, total = pytest_run.read(file)
    assert (list(tests), tests["a"].failing, total) == (["a"], True, 3)


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "3",
        '{"of": "many"}',
        '{"id": 3}',
        '{"id": "b", "outcome": [], "seconds": 1, "message": ""}',
        '{"id": "b", "outcome": "failed", "seconds": "1", "message": ""}',
        "[" * 100_000,
    ],
)
def test_a_line_that_is_no_result_is_left_out(line: str, tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    file.write_text(f'{{"of": 3}}\n{line}\n{{"id": "a", "outcome": "failed", "seconds": 1, "message": "\\ud800"}}\n')
    tests, total = pytest_run.read(file)
    assert (list(tests), tests["a"].message, total) == (["a"], "?", 3)


def test_a_sign_that_a_test_printed_moves_no_bar() -> None:
    step = FakeStep()
    for text in ('{"done": "x"}', "{}", '{"done": 1, "of": null}', "{[}"):
        pytest_run.watcher(step)(f"layerforge-suite:{text}")
    assert (step.advanced, step.expected) == (0, 0)


def test_the_bar_moves_by_what_the_plugin_says_wherever_it_stands_on_a_line() -> None:
    step = FakeStep()
    watch = pytest_run.watcher(step)
    for line in (
        "collecting",
        '...layerforge-suite:{"done": 2, "failed": 0, "of": 10}',
        'layerforge-suite:{"done": 7, "failed": 1, "of": 10}',
    ):
        watch(line)
    assert (step.advanced, step.expected) == (7, 10)


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome(status=-9, output="tail", seconds=60.0, timed_out=True), "did not end within 1 minute: 2 of 3 tests"),
        (Outcome(status=-9, output="tail", seconds=1.0, out_of_memory=True), "ran out of memory"),
        (Outcome(status=-11, output="tail", seconds=1.0), "ended by SIGSEGV"),
        (Outcome(status=4, output="tail", seconds=1.0), "pytest ended with status 4"),
        (Outcome(status=1, output="tail", seconds=1.0), ""),
    ],
)
def test_a_run_that_is_not_whole_says_why(tmp_path: Path, outcome: Outcome, words: str) -> None:
    builder = FakeBuilder({"x": {"a::t": "passed"}}, {"x": outcome}, collected=3)
    run = pytest_run.run_suite(a_room(tmp_path, builder), "demo-x", tmp_path / "opt", (), tmp_path / "w", FakeStep())
    assert words in run.ending
    assert bool(run.ending) == bool(words)
    assert run.log == ("tail" if words else "")


# --- the plugin, in a real pytest

SUITE = {
    "demo/__init__.py": "",
    "demo/tests/__init__.py": "",
    "demo/tests/test_a.py": """
import os
import pytest

def test_good(): pass

def test_bad(): assert 1 == 2, "numbers differ"

@pytest.mark.parametrize("word", ["a/b", "c[d]"])
def test_words(word): pass

@pytest.mark.skip(reason="no cause")
def test_skipped(): pass

@pytest.mark.xfail
def test_expected(): assert False

@pytest.mark.xfail
def test_unexpected(): pass

@pytest.fixture
def broken(): raise RuntimeError("no fixture")

def test_fixture(broken): pass

def test_crash():
    if os.environ.get("CRASH"):
        os.abort()
""",
    "demo/tests/test_import.py": "import nothing_like_it\n",
    "demo/tests/test_module.py": "import pytest\npytest.skip('not here', allow_module_level=True)\n",
}


def with_plugin(tmp_path: Path, program: Sequence[str], tests: Sequence[str] = (), **more: str) -> list[dict[str, Any]]:
    """Runs a Python program with the plugin's options behind it, and returns the lines that were written."""
    site, driver, results = tmp_path / "python", tmp_path / "driver", tmp_path / "results.jsonl"
    pytest_run.make_driver(driver)
    env = {**os.environ, "PYTHONPATH": f"{site}:{driver}", "LAYERFORGE_RESULTS": str(results), **more}
    options = [
        "-c",
        str(driver / "pytest.ini"),
        "-p",
        "layerforge_suite",
        "-p",
        "no:cacheprovider",
        f"--rootdir={site}",
    ]
    argv = [sys.executable, *program, *options, "--assert=plain", "--continue-on-collection-errors", *tests]
    done = subprocess.run(argv, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "layerforge-suite:{" in done.stderr, done.stdout + done.stderr
    return [json.loads(line) for line in results.read_text().splitlines()]


def test_the_plugin_writes_how_each_test_ended(tmp_path: Path) -> None:
    site = put(tmp_path / "python", SUITE)
    rows = with_plugin(tmp_path, ["-m", "pytest"], [str(site / "demo")])
    ends = {row["id"].removeprefix("demo/tests/"): row["outcome"] for row in rows if "id" in row}
    assert ends == {
        "test_a.py::test_good": "passed",
        "test_a.py::test_bad": "failed",
        "test_a.py::test_words[a/b]": "passed",
        "test_a.py::test_words[c[d]]": "passed",
        "test_a.py::test_skipped": "skipped",
        "test_a.py::test_expected": "xfailed",
        "test_a.py::test_unexpected": "xpassed",
        "test_a.py::test_fixture": "error",
        "test_a.py::test_crash": "passed",
        "test_import.py": "error",
        "test_module.py": "skipped",
    }
    [bad] = [row for row in rows if row.get("id", "").endswith("test_bad")]
    assert "numbers differ" in bad["message"]
    assert {"of": 9} in rows


def test_ids_are_the_same_where_packages_are_bytecode_alone(tmp_path: Path) -> None:
    site = put(tmp_path / "python", SUITE)
    for source in (site / "demo/__init__.py", site / "demo/tests/__init__.py"):
        py_compile.compile(str(source), str(source.with_suffix(".pyc")))
        source.unlink()
    rows = with_plugin(tmp_path, ["-m", "pytest"], ["-k", "good or words", str(site / "demo/tests/test_a.py")])
    names = [row["id"] for row in rows if "id" in row]
    file = "demo/tests/test_a.py"
    assert names == [f"{file}::test_good", f"{file}::test_words[a/b]", f"{file}::test_words[c[d]]"]


def test_a_test_that_crashes_alone_is_written_with_its_signal_and_the_next_one_runs(tmp_path: Path) -> None:
    site, names = put(tmp_path / "python", SUITE), tmp_path / "names.json"
    names.write_text(json.dumps(["demo/tests/test_a.py::test_crash", "demo/tests/test_a.py::test_good"]))
    program = [str(tmp_path / "driver/layerforge_suite.py"), str(names), str(site)]
    rows = [row for row in with_plugin(tmp_path, program, CRASH="1") if "id" in row]
    ends = [(row["id"].partition("::")[2], row["outcome"]) for row in rows]
    assert ends == [("test_crash", "crashed"), ("test_good", "passed")]
    assert rows[0]["message"] == "ended by signal 6"


# --- comparing


def test_a_run_comes_back_as_it_was_kept_and_what_is_none_is_none() -> None:
    run = a_run({"a::b": "passed", "a::c": "failed"}, "it was ended")
    assert pytest_run.load(pytest_run.dump(run)) == run
    for value in (b"", b"[]", b"\xff", b'{"tests": [], "seconds": 1, "total": 1}', b'{"tests": {"a": 1}}'):
        assert pytest_run.load(value) is None


def test_what_fails_or_is_gone_on_the_layer_alone_counts_against_it() -> None:
    wheels = a_run(
        {"f::same": "passed", "f::bad": "passed", "f::skip": "skipped", "f::both": "failed", "f::gone": "xfailed"}
        | {"f::fixed": "error", "f::less": "passed"}
    )
    layer = a_run(
        {"f::same": "passed", "f::bad": "failed", "f::skip": "crashed", "f::both": "error", "f::fixed": "passed"}
        | {"f::new": "failed", "f::less": "skipped"}
    )
    found = compare(layer, wheels)
    assert found.worse == ("f::bad", "f::new", "f::skip")
    assert (found.gone, found.both) == (("f::gone",), ("f::both",))
    assert (found.better, found.skipped) == (("f::fixed",), ("f::less",))


def test_a_file_that_cannot_be_collected_is_one_finding_not_one_for_each_of_its_tests() -> None:
    found = compare(a_run({"f.py": "error"}), a_run({"f.py::a": "passed", "f.py::b": "passed", "g.py::c": "passed"}))
    assert (found.worse, found.gone) == (("f.py",), ("g.py::c",))


@pytest.mark.parametrize(
    ("message", "gist"),
    [
        (
            "AssertionError: \nItems are not equal:\n ACTUAL: 1\n DESIRED: 2",
            "AssertionError: Items are not equal: ACTUAL: 1",
        ),
        (
            "ImportError while importing\nTraceback:\nE   ModuleNotFoundError: No module named 'x'\n",
            "ModuleNotFoundError: No module named 'x'",
        ),
        ("ValueError: one\nmore", "ValueError: one"),
        ("", "no message"),
    ],
)
def test_a_finding_shows_the_line_that_says_most(tmp_path: Path, packages: Path, message: str, gist: str) -> None:
    runs = {"wheels": {"t::a": "passed"}, "layer": {"t::a": "failed"}, "alone": {"t::a": "failed"}}
    [one] = prove(tmp_path, FakeBuilder(runs, message=message)).findings
    assert one.message == f"failed here, passed on the index's wheels: {gist}"


def test_of_a_run_that_was_stopped_only_what_ran_is_compared() -> None:
    wheels = a_run({"f::a": "passed", "f::b": "passed"})
    assert compare(a_run({"f::a": "passed"}, ending="no time"), wheels).gone == ()
    cut = compare(a_run({"f::a": "failed", "f::b": "failed"}), a_run({"f::a": "passed"}, ending="no time"))
    assert cut.worse == ("f::a",)


def test_globs_of_the_recipe_excuse_ids_with_brackets_and_those_that_match_nothing_are_named() -> None:
    table = {"f.py::t[**": "meant", "f.py::t[a/b]": "second", "g.py::**": "nothing"}
    assert excuses(["f.py::t[a/b]", "f.py::u"], table) == {"f.py::t[a/b]": "meant"}
    assert unused(["f.py::t[a/b]"], table, ["f.py::t[a/b]", "g.py::t"]) == ("g.py::**",)


def test_globs_for_the_suite_of_another_package_are_not_named_as_useless() -> None:
    table = {"numpy/tests/test_a.py::t": "meant", "sklearn/tests/test_b.py::t": "meant", "**/test_c.py::t": "meant"}
    known = ["sklearn/tests/test_b.py::t", "sklearn/tests/test_d.py::t"]
    assert unused([], table, known) == ("sklearn/tests/test_b.py::t", "**/test_c.py::t")
    assert unused(["sklearn/tests/test_b.py::t"], table, known) == ("**/test_c.py::t",)


# --- the whole


@pytest.fixture
def packages(index: Path) -> Path:
    """An index with a package, its sources, and something that is called as the tools are."""
    for name, version in (
        ("pytest", "9.0"),
        ("pytest-xdist", "3.8"),
        ("pytest-timeout", "2.4"),
        ("hypothesis", "6.150"),
    ):
        make_wheel(index, name, version)
    tests = {"demo/tests/__init__.py": b"", "demo/tests/test_it.py": b"def test_one(): pass\n"}
    make_wheel(index, "demo", "1.0", {"demo/__init__.py": b"V = 1\n", "demo/_probe_tests.py": b"", **tests})
    put_sdist(
        index / "demo-1.0.tar.gz",
        {
            **tests,
            "PKG-INFO": b"Metadata-Version: 2.2\nName: demo\nVersion: 1.0\n",
            "pyproject.toml": b"[project]\nname='demo'\nversion='1.0'\n",
        },
    )
    return index


def put_sdist(path: Path, files: Mapping[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(f"demo-1.0/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def a_layer(tmp_path: Path, version: str = "1.0") -> Path:
    info = f"python/demo-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: demo\nVersion: {version}\n".encode()
    record = b"demo/__init__.py,,\n"
    return zips.of(
        tmp_path / "demo.zip",
        {"python/demo/__init__.py": b"V = 2\n", f"{info}/METADATA": metadata, f"{info}/RECORD": record},
    )


def put_lock(layer: Path, index: Path) -> None:
    hashes = [digest(index / name) for name in ("demo-1.0-py3-none-any.whl", "demo-1.0.tar.gz")]
    layer.with_suffix(".lock").write_text(f"demo==1.0 --hash={hashes[0]} --hash={hashes[1]}\n")


def an_order(path: Path, *selection: str, **excused: str) -> SuiteRequest:
    seen = examine.examine(path)
    return SuiteRequest(
        examination=seen,
        target=target(),
        package=find_package(seen, "Demo"),
        excused={name.replace("__", "::"): why for name, why in excused.items()},
        selection=selection,
        jobs=1,
        seconds=60.0,
    )


def prove(
    tmp_path: Path,
    builder: FakeBuilder,
    *selection: str,
    excused: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
    progress: FakeProgress | None = None,
) -> Proof:
    layer = a_layer(tmp_path)
    put_lock(layer, tmp_path / "index")
    order = replace(an_order(layer, *selection), excused=excused or {}, env=env or {})
    progress = progress or FakeProgress()
    return suite.prove(order, builder, DiskStore(root=tmp_path / "store", progress=progress), progress)


def test_a_layer_is_held_against_its_packages_tests(tmp_path: Path, packages: Path) -> None:
    builder = FakeBuilder(
        {
            "wheels": {
                "t::good": "passed",
                "t::bad": "passed",
                "t::meant": "passed",
                "t::sometimes": "passed",
                "t::old": "failed",
            },
            "layer": {
                "t::good": "passed",
                "t::bad": "failed",
                "t::meant": "failed",
                "t::sometimes": "failed",
                "t::old": "failed",
            },
            "alone": {"t::bad": "crashed", "t::sometimes": "passed"},
        }
    )
    proof = prove(tmp_path, builder, excused={"t::meant": "it is", "t::never": "?"})
    assert [(one.rule, one.path) for one in proof.findings] == [("LF405", "t::bad")]
    assert proof.findings[0].message == "crashed here, passed on the index's wheels: why t::bad"
    result = comparing.data(proof)
    assert result["layer"]["counts"] == {"failed": 4, "passed": 1}
    assert result["excused"] == [{"id": "t::meant", "reason": "it is"}]
    assert (result["flaky"], result["both"], result["unused_excuses"]) == (["t::sometimes"], ["t::old"], ["t::never"])
    names = json.loads(json.dumps(result))["only_on_layer"]
    assert [row["id"] for row in names] == ["t::bad"]


def test_the_layers_side_alone_has_the_functions_variables(tmp_path: Path, packages: Path) -> None:
    builder = FakeBuilder(
        {"wheels": {"t::a": "passed"}, "layer": {"t::a": "failed"}, "alone": {"t::a": "failed"}},
    )
    prove(tmp_path, builder, env={"DEMO_DATA": "/opt/share/demo"})
    found = [(task.name.split("-")[1], task.env.get("DEMO_DATA")) for task in builder.tasks]
    assert found == [("wheels", None), ("layer", "/opt/share/demo"), ("alone", "/opt/share/demo")]


def test_the_layer_gets_tests_and_their_helpers_and_keeps_its_own_files(tmp_path: Path, packages: Path) -> None:
    builder = FakeBuilder({"wheels": {"t::a": "passed"}, "layer": {"t::a": "passed"}})
    prove(tmp_path, builder)
    assert "python/demo/tests/test_it.py" in builder.seen["layer"]
    assert "python/demo/_probe_tests.py" in builder.seen["layer"]
    assert "python/demo-1.0.dist-info/RECORD" in builder.seen["wheels"]
    assert {task.argv[-1] for task in builder.tasks} == {"/opt/python/demo"}


def test_the_wheels_run_once_and_then_come_from_the_store(tmp_path: Path, packages: Path) -> None:
    builder = FakeBuilder({"wheels": {"t::a": "passed"}, "layer": {"t::a": "passed"}})
    first, second = prove(tmp_path, builder), prove(tmp_path, builder)
    assert [task.name.split("-")[1] for task in builder.tasks] == ["wheels", "layer", "layer"]
    assert first.wheels == second.wheels
    prove(tmp_path, replace(builder, image=replace(IMAGE, digest="sha256:2")))
    assert [task.name.split("-")[1] for task in builder.tasks][3:] == ["wheels", "layer"]


def test_a_run_of_the_wheels_that_was_stopped_is_not_kept(tmp_path: Path, packages: Path) -> None:
    stopped = {"wheels": Outcome(status=-9, output="", seconds=60.0, timed_out=True)}
    builder = FakeBuilder({"wheels": {"t::a": "passed"}, "layer": {"t::a": "passed"}}, stopped)
    progress = FakeProgress()
    prove(tmp_path, builder)
    prove(tmp_path, builder, progress=progress)
    assert [task.name.split("-")[1] for task in builder.tasks] == ["wheels", "layer"] * 2
    [warning] = progress.warnings
    assert "did not end within 1 minute:" in warning
    assert "not held against the layer" in warning


def test_a_layer_on_which_pytest_does_not_start_is_a_finding_with_its_last_words(
    tmp_path: Path, packages: Path
) -> None:
    broken = {"layer": Outcome(status=4, output="ImportError: libopenblas.so.0", seconds=1.0)}
    proof = prove(tmp_path, FakeBuilder({"wheels": {"t::a": "passed"}}, broken))
    [one] = proof.findings
    assert one.rule == "LF407"
    assert "pytest ended with status 4\n    ImportError: libopenblas.so.0" in one.message


def test_tests_that_do_not_run_on_the_wheels_prove_nothing(tmp_path: Path, packages: Path) -> None:
    broken = {"wheels": Outcome(status=4, output="usage", seconds=1.0)}
    with pytest.raises(StepError, match="do not run on the index's wheels"):
        prove(tmp_path, FakeBuilder({"wheels": {"t.py": "error"}}, broken))
    with pytest.raises(UsageError, match="no test of demo is chosen"):
        prove(tmp_path, FakeBuilder({}), "nothing")


def test_a_selection_is_a_path_that_has_to_be_there_or_an_expression(tmp_path: Path, packages: Path) -> None:
    builder = FakeBuilder({"wheels": {"t::a": "passed"}, "layer": {"t::a": "passed"}})
    prove(tmp_path, builder, "demo/tests/test_it.py::test_one", "not slow", "one or two")
    argv = builder.tasks[-1].argv
    assert argv[argv.index("-k") + 1] == "(not slow) and (one or two)"
    assert argv[-1] == "/opt/python/demo/tests/test_it.py::test_one"
    for wrong, words in (
        ("demo/nowhere", "there is no demo/nowhere"),
        ("demo/../..", "there is no demo"),
        (str(tmp_path), f"there is no {tmp_path}"),
        ("two words", "is neither a path"),
        ("two(words)", "is neither a path"),
        ("", "is neither a path"),
    ):
        with pytest.raises(UsageError, match=words):
            prove(tmp_path, builder, wrong)


def test_a_package_that_the_layer_does_not_hold_is_refused_with_those_it_holds(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not hold scipy") as caught:
        find_package(examine.examine(a_layer(tmp_path)), "scipy")
    assert caught.value.hint == "it holds demo"


def test_other_files_in_the_index_than_in_the_lock_beside_the_layer_are_refused(tmp_path: Path, packages: Path) -> None:
    held = (Distribution(name="demo", version="1.0", info="python/demo-1.0.dist-info", record=None),)
    layer = a_layer(tmp_path)
    put_lock(layer, packages)
    [wheel] = wheel_pins(held, locked_beside(layer, target()), target())
    assert wheel.hashes == (digest(packages / "demo-1.0-py3-none-any.whl"),)
    layer.with_suffix(".lock").write_text(f"demo==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(LockError, match=r"other files of demo 1\.0"):
        wheel_pins(held, locked_beside(layer, target()), target())


def test_the_wheels_to_compare_with_are_without_what_the_layer_is_without(index: Path) -> None:
    make_wheel(index, requires=["huge"])
    held = (Distribution(name="demo", version="1.0", info="python/demo-1.0.dist-info", record=None),)
    with pytest.raises(LockError):
        wheel_pins(held, {}, target())
    out = (LeftOut(name="huge", version="1.0", why=Why.ASKED),)
    assert [one.name for one in wheel_pins(held, {}, target(), out)] == ["demo"]


def test_a_layer_that_counts_on_the_runtimes_packages_finds_them_behind_all_else(tmp_path: Path) -> None:
    room = a_room(tmp_path)
    alone, beside = (pytest_run.environment(replace(room, beside_runtime=one))["PYTHONPATH"] for one in (False, True))
    assert beside == f"{alone}:/var/runtime"


def test_a_lock_beside_the_layer_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "demo.lock").write_bytes(b"\xff")
    with pytest.raises(LockError, match=r"demo\.lock cannot be read"):
        locked_beside(tmp_path / "demo.zip", target())


# --- the recipe


def test_a_recipe_gives_a_reason_for_each_test_that_it_excuses(tmp_path: Path) -> None:
    text = 'schema = 2\n[package]\nname = "demo"\nversions = ">=0"\n[check.excused]\n'
    file = tmp_path / "recipe.toml"
    file.write_text(text + '"demo/tests/test_a.py::**" = "meant"\n')
    assert recipe_file.load(tmp_path).check.excused == {"demo/tests/test_a.py::**": "meant"}
    file.write_text(text + '"demo/tests/test_a.py::**" = true\n')
    with pytest.raises(RecipeError) as caught:
        recipe_file.load(tmp_path)
    assert "check.excused must be a table of texts" in caught.value.details[0]


# --- the command


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--jobs", "2"], 2, "go with --suite"),
        (["--suite", "demo", "--memory", "512"], 2, "tests need more"),
        (["--suite", "nope"], 2, "it holds demo"),
        (["--suite", "demo", "--engine", "host"], 5, "run in containers only"),
        (["--suite", "demo"], 5, "there is no"),
    ],
)
def test_what_cannot_be_run_ends_with_the_contracts_code_and_says_why(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    words: str,
) -> None:
    monkeypatch.setenv("LAYERFORGE_CACHE", str(tmp_path / "store"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nowhere")
    target_options = ["--python", "3.13", "--arch", "x86_64"]
    assert cli.run(["verify", str(a_layer(tmp_path)), *target_options, *arguments]) == code
    assert words in " ".join(capsys.readouterr().err.split())


# --- what a kept run is known by


@dataclass(frozen=True, kw_only=True)
class Decisive:
    """All that a run on the wheels is known by."""

    order: SuiteRequest
    room: pytest_run.TestEnvironment
    hashes: tuple[str, ...] = ("sha256:1",)
    arguments: tuple[str, ...] = ("/opt/python/demo",)
    tests: tuple[str, ...] = ("demo/test_a.py", "demo/test_b.py")

    @property
    def key(self) -> str:
        return prepare.key_of(**vars(self))


@pytest.fixture
def decisive(tmp_path: Path) -> Decisive:
    room = pytest_run.TestEnvironment(
        builder=FakeBuilder({}),
        python="3.13",
        site="python",
        root="python",
        env=tmp_path,
        settings={},
        driver=tmp_path,
        jobs=1,
        seconds=60.0,
        logs=tmp_path,
    )
    return Decisive(order=an_order(a_layer(tmp_path)), room=room)


def test_each_thing_that_decides_how_a_suite_ends_changes_the_key_of_its_run(decisive: Decisive) -> None:
    assert [field.name for field in fields(Decisive)] == list(inspect.signature(prepare.key_of).parameters)
    other = replace(decisive.order, package=replace(decisive.order.package, name="other"))
    parts = {
        "order": other,
        "room": replace(decisive.room, settings={"A": "1"}),
        "hashes": ("sha256:2",),
        "arguments": ("-k", "fast", "/opt/python/demo"),
        "tests": ("demo/test_a.py",),
    }
    assert_decided_by(lambda asked: asked.key, decisive, parts)
    assert replace(decisive, tests=decisive.tests[::-1]).key == decisive.key


def test_of_a_request_the_package_and_the_target_change_the_key_of_its_run(decisive: Decisive) -> None:
    parts = {"target": target("3.12"), "package": replace(decisive.order.package, name="other")}
    # How long it may take decides only whether there is a run to keep, and what is chosen is among the arguments.
    never = {
        "examination": replace(decisive.order.examination, sha256="0" * 64),
        "excused": {"t::a": "it is"},
        "selection": ("demo/tests",),
        "jobs": 4,
        "seconds": 1.0,
        # The wheels do without.
        "env": {"A": "1"},
        # What is installed in its stead, or not, is among the hashes.
        "left_out": (LeftOut(name="boto3", why=Why.RUNTIME),),
    }
    assert_decided_by(lambda order: replace(decisive, order=order).key, decisive.order, parts, never)
    arm = replace(decisive.order, target=target(arch=Arch.ARM64))
    assert replace(decisive, order=arm).key != decisive.key


def test_of_an_environment_image_folder_and_settings_change_the_key_of_its_run(decisive: Decisive) -> None:
    other = FakeBuilder({}, image=replace(IMAGE, digest="sha256:2"))
    parts = {
        "builder": other,
        "site": "python/lib/python3.13/site-packages",
        "settings": {"A": "1"},
        "beside_runtime": True,
    }
    # The Python is the target's, and the folder of the tests is in every argument.
    elsewhere = Path("/elsewhere")
    never = {"python": "3.12", "root": "tests", "env": elsewhere, "driver": elsewhere, "logs": elsewhere}
    never |= {"jobs": 4, "seconds": 1.0}
    assert_decided_by(lambda room: replace(decisive, room=room).key, decisive.room, parts, never)
    assert_decided_by(
        lambda image: replace(decisive, room=replace(decisive.room, builder=FakeBuilder({}, image=image))).key,
        IMAGE,
        {"digest": "sha256:2", "made_of": "3"},
        {"reference": "other", "arch": Arch.ARM64, "sources": "/sources", "base": "sha256:0"},
    )


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        (prepare, "SCHEMA", 0),
        (prepare, "INI", "[pytest]"),
        (prepare, "OPTIONS", ()),
        (pytest_run, "PLUGIN", "sitecustomize.py"),
        (pytest_run, "ENV", "/elsewhere"),
    ],
)
def test_how_suites_are_run_is_part_of_the_key(
    module: ModuleType, name: str, value: object, decisive: Decisive, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = decisive.key
    monkeypatch.setattr(module, name, value)
    assert decisive.key != before


# --- the command's part


def test_the_result_is_shown_written_and_an_error_where_the_layer_is_worse(
    tmp_path: Path, packages: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layer, progress = a_layer(tmp_path), FakeProgress()
    put_lock(layer, tmp_path / "index")
    store = DiskStore(root=tmp_path / "store", progress=progress)
    order, written = an_order(layer), tmp_path / "suite.json"
    well = FakeBuilder({"wheels": {"t::a": "passed"}, "layer": {"t::a": "passed"}})
    suites.run(order, well, store, progress, written, as_json=True)
    shown = capsys.readouterr()
    assert json.loads(shown.out) == json.loads(written.read_text())
    assert json.loads(shown.out)["layer"]["counts"] == {"passed": 1}
    assert "no findings" in shown.err
    worse = FakeBuilder({"layer": {"t::a": "failed"}, "alone": {"t::a": "failed"}})
    with pytest.raises(VerificationError, match=r"demo does on .* what it does not on the index's wheels: 1 finding"):
        suites.run(order, worse, store, progress, None, as_json=False)
    assert "LF405 error t::a: failed here, passed on the index's wheels" in capsys.readouterr().out
    with pytest.raises(UsageError, match="there is no folder"):
        suites.run(order, worse, store, progress, tmp_path / "absent" / "suite.json", as_json=False)
