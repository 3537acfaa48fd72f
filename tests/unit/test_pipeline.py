"""The whole line in one process: a local index, engines and builders that run nothing, and a store on disk."""

from __future__ import annotations

import json
import re
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import pytest

import elves
from builders import ARCHIVE, FINE, IMAGE, SHA256, FakeBuilder
from fakes import FakeProgress, target
from forging import forge
from layerforge import pipeline, planning
from layerforge.build.engine import Job as EngineJob
from layerforge.build.engine import Outcome, Task
from layerforge.build.errors import EngineError
from layerforge.build.graph import Done, Failed, Job, Result, Runner, in_order
from layerforge.build.interpreters import Interpreter
from layerforge.build.options import Options
from layerforge.build.plan import SYSTEM, Plan, as_json
from layerforge.build.session import Session
from layerforge.build.threads import ThreadsRunner
from layerforge.build.wire import error_of, told
from layerforge.build.work import LackingError
from layerforge.core.errors import LayerforgeError, StepError, UsageError, VerificationError
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Target
from layerforge.core.store.disk import DiskStore
from layerforge.perform import perform, verify_zip
from layerforge.report.delivery import Layer
from layerforge.resolve import targets
from layerforge.resolve.catalogue import Catalogue
from layerforge.resolve.errors import LockError
from layerforge.resolve.recipe import BytecodeMode, Compression, Docstrings
from layerforge.verify.rules_table import Expect
from sdists import make_sdist, publish
from wheels import digest as hash_of
from wheels import lock_of, make_wheel

RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
TAG = RUNNING.replace(".", "")
HERE = Interpreter(path=Path(sys.executable), version=sys.version.split()[0])
STEM = f"demo-py{TAG}-x86_64"


@dataclass
class CheckEngine:
    """An engine in which every check ends as it is told to."""

    failing: Mapping[str, str] = field(default_factory=dict)
    """Errors by the module that cannot be imported."""
    refuses: str = ""
    jobs: list[EngineJob] = field(default_factory=list)
    name: str = "fake"
    has_runtime_packages: bool = True

    @property
    def identity(self) -> str:
        return f"fake {self.refuses}"

    def refusal(self, target: Target) -> str:
        return self.refuses

    def run(self, job: EngineJob) -> Outcome:
        self.jobs.append(job)
        [word] = re.findall(r"checking\('(\w+)'", job.init)
        failed: list[dict[str, Any]] = [
            {"failed": name, "error": why, "trace": []} for name, why in self.failing.items()
        ]
        reports = [{"import_seconds": 0.5, "import_cpu_seconds": 0.25}, *failed, {"done": True}]
        output = "".join(f"\nlayerforge-check:{word}{json.dumps(report)}\n" for report in reports)
        return Outcome(status=0, output=output, seconds=1.0)


@dataclass(kw_only=True)
class Line:
    """All that a layer is made with."""

    folder: Path
    engine: CheckEngine = field(default_factory=CheckEngine)
    builder: FakeBuilder | None = None
    store: str = "store"
    folders: tuple[Path, ...] = ()
    progress: FakeProgress = field(default_factory=FakeProgress)

    def forge(self, *words: str | Path, given: Path | None = None, out: str = "out", **facts: Any) -> Layer:
        """The layer of one target."""
        self.progress = FakeProgress()
        [request] = targets.requests([str(word) for word in words], given, self.known)
        return forge(request, self.options(out, **facts), self.session)

    def plan(self, word: str | Path, **facts: Any) -> Plan:
        """What would be done for one target, as it is shown."""
        self.progress = FakeProgress()
        [request] = targets.requests([str(word)], None, self.known)
        return planning.prepare(request, self.options(**facts), self.session, fetches=False).plan

    @property
    def known(self) -> Catalogue:
        return Catalogue(folders=(self.folder / "recipes",))

    def options(self, out: str = "out", **facts: Any) -> Options:
        plain = Options(
            target=target(RUNNING),
            interpreter=HERE,
            compression=Compression.FAST,
            output=self.folder / out,
            epoch=0,
        )
        return replace(plain, **facts)

    @property
    def session(self) -> Session:
        store = DiskStore(root=self.folder / self.store, progress=self.progress)
        return Session(
            store=store, progress=self.progress, engine=self.engine, builder=self.builder, folders=self.folders
        )

    def spec(self, wheel: Path, text: str) -> Path:
        """A folder with a recipe of the package demo, locked to a wheel; ``text`` goes on where its layer is told."""
        folder = self.folder / "recipes" / "demo"
        folder.mkdir(parents=True, exist_ok=True)
        package = '[package]\nname = "demo"\nversions = ">=0"\n'
        layer = '[layer]\nrequires = ["demo"]\n'
        (folder / "recipe.toml").write_text(f"schema = 2\n{package}{layer}{text}")
        (folder / "requirements.lock").write_text(lock_of(wheel))
        return folder

    def kept(self, kind: str) -> Path:
        """The only value of a kind in the store."""
        [path] = (self.session.store.folder / "values" / kind).glob("*/*")
        return path

    @property
    def notes(self) -> dict[str, str]:
        """What was said of each step of the last layer."""
        told = zip(self.progress.steps, self.progress.told, strict=True)
        return {title: "; ".join(step.notes) for title, step in told}

    def written(self, out: str = "out") -> dict[str, bytes]:
        place = self.folder / out
        return {path.name: path.read_bytes() for path in place.iterdir()} if place.is_dir() else {}


@pytest.fixture
def line(index: Path, tmp_path: Path) -> Line:
    """A line whose index has the package demo."""
    files = {
        "demo/__init__.py": b"'''Doc.'''\nVALUE = 1\n",
        "demo/tests/__init__.py": b"",
        "demo/tests/test_it.py": b"def test(): pass\n",
        "demo-1.0.dist-info/LICENSE": b"Do what you want.\n",
    }
    make_wheel(index, files=files, metadata="License-Expression: MIT\n")
    return Line(folder=tmp_path)


def names_in(path: Path) -> set[str]:
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def text_in(path: Path, name: str) -> str:
    with zipfile.ZipFile(path) as archive:
        return archive.read(name).decode()


def test_a_layer_is_built_verified_and_written_with_all_that_stands_beside_it(line: Line) -> None:
    layer = line.forge("demo")
    assert set(line.written()) == {
        f"{STEM}{suffix}" for suffix in (".zip", ".manifest.json", ".sbom.json", ".licences.txt", ".lock")
    }
    assert names_in(layer.path) == {
        "python/demo/__init__.py",
        f"python/demo/__pycache__/__init__.cpython-{TAG}.pyc",
        *(f"python/demo-1.0.dist-info/{name}" for name in ("LICENSE", "METADATA", "RECORD", "WHEEL")),
        # uv's own
        *(f"python/demo-1.0.dist-info/{name}" for name in ("INSTALLER", "REQUESTED")),
    }
    assert line.progress.steps == [
        "resolve",
        "install",
        "prune",
        "link",
        "strip",
        "bytecode",
        "record",
        "compress",
        "verify",
        "write",
    ]
    made = layer.manifest
    assert (made.name, made.python, made.engine, made.interpreter) == ("demo", RUNNING, "fake", HERE.version)
    assert [(one.name, one.version, one.origin, one.licence) for one in made.packages] == [
        ("demo", "1.0", "wheel", "MIT")
    ]
    assert {group.name for group in made.edits} >= {"prune", "bytecode"}
    assert layer.verdict is not None
    assert (layer.verdict.engine, layer.verdict.findings) == ("fake", ())
    assert layer.verdict.figures.import_seconds == 0.5
    assert line.notes["verify"] == "no findings; run on fake; import 500 ms (250 ms CPU)"
    [job] = line.engine.jobs
    assert "checking(" in job.init
    assert "'demo'" in job.init
    written = line.written()
    assert b"Do what you want." in written[f"{STEM}.licences.txt"]
    assert written[f"{STEM}.lock"].startswith(b"demo==1.0 \\\n    --hash=sha256:")
    assert json.loads(written[f"{STEM}.manifest.json"])["verified"]["engine"] == "fake"
    assert {one["name"] for one in json.loads(written[f"{STEM}.sbom.json"])["components"]} == {"demo"}


def test_each_pass_sees_what_the_one_before_left_and_the_manifest_tells_of_them_in_that_order(
    line: Line, index: Path
) -> None:
    library = elves.image(soname="libx.so.1", needed=("libc.so.6",))
    files = {
        "demo/__init__.py": b"'''Doc.'''\nVALUE = 1\n",
        "demo/tests/__init__.py": b"",
        "demo/a/libx.so.1": library,
        "demo/bb/libx.so.1": library,
        "demo/ccc/libx.so.1": library,
    }
    wheel = make_wheel(index, version="2.0", files=files)
    layer = line.forge(line.spec(wheel, '[prune]\nremove = ["demo/a/**"]\n'))
    compiled = f"python/demo/__pycache__/__init__.cpython-{TAG}.pyc"
    edited: dict[str, list[str]] = {}
    for group in layer.manifest.edits:
        edited.setdefault(group.name, []).extend(group.files)
    # Were libraries linked first, the link would lead to the one that is pruned; were they stripped before they are
    # linked, two would be. What is pruned is not compiled, and the RECORD lists what there is in the end.
    assert [(name, sorted(paths)) for name, paths in edited.items()] == [
        ("prune", ["python/demo/a/libx.so.1", "python/demo/tests/__init__.py"]),
        ("link", ["python/demo/ccc/libx.so.1"]),
        ("strip", ["python/demo/bb/libx.so.1"]),
        ("bytecode", [compiled]),
        ("record", ["python/demo-2.0.dist-info/RECORD"]),
    ]
    assert [line.notes[name].split()[2] for name in edited][:4] == ["saved", "saved", "saved", "added"]
    told = json.loads(line.written()[f"{STEM}.manifest.json"])
    assert [row["pass"] for row in told["saved"]] == ["prune", "link", "strip", "bytecode", "record"]
    names = names_in(layer.path)
    record = text_in(layer.path, "python/demo-2.0.dist-info/RECORD")
    assert {f"python/{row.partition(',')[0]}" for row in record.splitlines()} == names
    assert {name for name in names if name.startswith("python/demo/")} == {
        "python/demo/__init__.py",
        compiled,
        "python/demo/bb/libx.so.1",
        "python/demo/ccc/libx.so.1",
    }
    assert text_in(layer.path, "python/demo/ccc/libx.so.1") == "../bb/libx.so.1"
    assert layer.verdict is not None
    assert layer.verdict.findings == ()


def test_a_layer_that_was_built_before_comes_from_the_store_with_its_verdict(line: Line) -> None:
    first = line.forge("demo")
    before = line.written()
    again = line.forge("demo", out="again")
    assert line.progress.steps == ["resolve", "verify", "write"]
    assert line.progress.lines == ["demo was built before: the store has it"]
    assert line.notes["verify"].endswith(" (these bytes were verified before)")
    assert line.written("again") == before
    assert (again.manifest, again.verdict) == (first.manifest, first.verdict)
    assert len(line.engine.jobs) == 1, "the same bytes are not run again"


def test_another_store_makes_the_same_bytes(line: Line) -> None:
    line.forge("demo")
    line.store = "other store"
    line.forge("demo", out="again")
    assert "install" in line.progress.steps
    assert line.written("again") == line.written()


@pytest.mark.parametrize(
    "facts",
    [
        {"compression": Compression.SMALL},
        {"bytecode": BytecodeMode.ONLY},
        {"bytecode": BytecodeMode.NONE},
        {"docstrings": Docstrings.DROP},
        {"epoch": 1_700_000_000},
    ],
    ids=str,
)
def test_what_decides_the_bytes_makes_another_layer(facts: dict[str, Any], line: Line) -> None:
    first = line.forge("demo")
    other = line.forge("demo", out="other", **facts)
    assert "install" in line.progress.steps
    assert other.manifest.key != first.manifest.key
    assert other.manifest.sha256 != first.manifest.sha256


def test_a_layer_that_nobody_wants_verified_is_not_run(line: Line) -> None:
    layer = line.forge("demo", verify=False)
    assert layer.verdict is None
    assert "verify" not in line.progress.steps
    assert not line.engine.jobs
    assert f"{STEM}.zip" in line.written()


def test_an_engine_that_cannot_run_the_layer_leaves_the_check_out_and_says_why(line: Line) -> None:
    line.engine.refuses = "this machine has other plans"
    layer = line.forge("demo")
    assert layer.verdict is not None
    assert (layer.verdict.engine, layer.verdict.skipped) == ("", "this machine has other plans")
    assert not line.engine.jobs


def test_a_layer_that_does_not_load_is_not_written_and_set_aside(line: Line) -> None:
    line.engine.failing = {"demo": "ImportError: libx.so.1: cannot open shared object file"}
    with pytest.raises(
        VerificationError, match="the layer demo is not fit for Lambda, so it was not written"
    ) as caught:
        line.forge("demo")
    assert not line.written()
    assert any("libx.so.1" in detail for detail in caught.value.details)
    [aside] = re.findall(r"layerforge inspect (\S+)`", caught.value.hint)
    assert "python/demo/__init__.py" in names_in(Path(aside))


def test_what_failed_before_is_run_again(line: Line) -> None:
    line.engine.failing = {"demo": "ImportError: for now"}
    with pytest.raises(VerificationError):
        line.forge("demo")
    line.engine.failing = {}
    layer = line.forge("demo")
    assert "install" not in line.progress.steps
    assert layer.verdict is not None
    assert layer.verdict.findings == ()
    assert len(line.engine.jobs) == 2


def test_nothing_is_made_of_requirements_that_cannot_be_had(line: Line) -> None:
    with pytest.raises(LockError, match="there is no package absent"):
        line.forge("absent")
    assert not line.written()
    assert line.progress.steps == ["resolve"]


def test_what_counts_on_other_systems_alone_makes_no_layer(line: Line) -> None:
    with pytest.raises(LockError, match=f"nothing is required on Python {RUNNING} for x86_64"):
        line.forge("demo; sys_platform == 'win32'")
    assert not line.written()


def test_the_pins_of_a_given_lock_are_taken_whatever_is_newer(line: Line, index: Path) -> None:
    text = lock_of(index / "demo-1.0-py3-none-any.whl")
    make_wheel(index, "demo", "2.0")
    (line.folder / "my.lock").write_text(text)
    assert [one.version for one in line.forge("demo", given=line.folder / "my.lock").manifest.packages] == ["1.0"]
    assert [one.version for one in line.forge("demo", out="other").manifest.packages] == ["2.0"]


def test_wheels_are_installed_from_where_the_requirements_file_says(line: Line) -> None:
    make_wheel(line.folder / "own", "elsewhere")
    (line.folder / "needs.txt").write_text("--find-links own\ndemo\nelsewhere\n")
    layer = line.forge(line.folder / "needs.txt")
    assert [one.name for one in layer.manifest.packages] == ["demo", "elsewhere"]


@pytest.mark.parametrize(("kind", "anew"), [("layer", True), ("archive", True), ("verdict", False)])
def test_what_was_spoilt_in_the_store_is_made_again_with_the_same_bytes(kind: str, anew: bool, line: Line) -> None:
    first = line.forge("demo")
    kept = line.kept(kind)
    kept.write_bytes(kept.read_bytes() + b"?")
    again = line.forge("demo", out="again")
    assert line.progress.warnings == [f"the stored {kind} {kept.name[:12]} was damaged; it is made again"]
    assert ("install" in line.progress.steps) is anew
    assert line.written("again") == line.written()
    assert again.verdict == first.verdict
    assert len(line.engine.jobs) == (1 if anew else 2)
    line.forge("demo", out="third")
    assert (line.progress.steps, line.progress.warnings) == (["resolve", "verify", "write"], [])


def test_a_record_without_its_zip_is_no_layer(line: Line) -> None:
    line.forge("demo")
    line.kept("archive").unlink()
    line.forge("demo", out="again")
    assert "compress" in line.progress.steps
    assert line.written("again") == line.written()


def test_a_budget_that_changed_since_counts_for_the_layer_of_the_store(line: Line, index: Path) -> None:
    wheel = index / "demo-1.0-py3-none-any.whl"
    line.forge(line.spec(wheel, 'budget = { unzipped = "9 MB" }\n'))
    layer = line.forge(line.spec(wheel, 'budget = { unzipped = "8 MB" }\n'))
    assert layer.manifest.budget.unzipped == 8_000_000
    assert "install" not in line.progress.steps
    assert len(line.engine.jobs) == 2, "another budget is another verdict"
    with pytest.raises(VerificationError) as caught:
        line.forge(line.spec(wheel, "budget = { unzipped = 100 }\n"), out="other")
    assert [finding.rule for finding in caught.value.findings] == ["LF303"]
    assert "install" not in line.progress.steps
    assert not line.written("other")


def test_what_the_rules_refuse_is_not_run_and_nothing_of_it_is_written(line: Line, index: Path) -> None:
    foreign = elves.image(machine=elves.ARM64, soname="libx.so")
    make_wheel(index, version="2.0", files={"demo/__init__.py": b"", "demo/libx.so": foreign})
    with pytest.raises(VerificationError) as caught:
        line.forge("demo")
    assert [(finding.rule, finding.path) for finding in caught.value.findings] == [("LF102", "python/demo/libx.so")]
    assert not line.engine.jobs
    assert not line.written()
    line.forge("demo", verify=False)
    assert f"{STEM}.zip" in line.written(), "whoever does not want it verified gets it"


def test_an_older_layer_stays_where_a_new_one_is_refused(line: Line, index: Path) -> None:
    line.forge("demo")
    before = line.written()
    make_wheel(index, version="2.0")
    line.engine.failing = {"demo": "ImportError: no"}
    with pytest.raises(VerificationError):
        line.forge("demo")
    assert line.written() == before


@pytest.mark.parametrize("mode", [BytecodeMode.BESIDE, BytecodeMode.ONLY, BytecodeMode.NONE])
def test_a_source_that_is_no_python_of_today_spoils_no_layer(mode: BytecodeMode, line: Line, index: Path) -> None:
    make_wheel(index, version="2.0", files={"demo/__init__.py": b"", "demo/old.py": b"print 1\n"})
    layer = line.forge("demo", bytecode=mode)
    assert layer.manifest.uncompilable == (set() if mode is BytecodeMode.NONE else {"python/demo/old.py"})
    assert layer.verdict is not None
    assert layer.verdict.findings == ()
    assert "python/demo/old.py" in names_in(layer.path)


# --- interpreters


def test_without_an_interpreter_there_is_no_bytecode_and_the_way_out_is_named(line: Line) -> None:
    with pytest.raises(UsageError, match=f"no CPython {RUNNING} on this machine"):
        line.forge("demo", interpreter=None)
    layer = line.forge("demo", interpreter=None, bytecode=BytecodeMode.NONE)
    assert layer.manifest.interpreter == ""
    assert not [name for name in names_in(layer.path) if name.endswith(".pyc")]


@dataclass
class Carrying(FakeBuilder):
    """A builder whose image has an interpreter: a link to this one."""

    has: bool = True

    def copy_out(self, path: str, into: Path) -> None:
        if not self.has:
            raise EngineError("it is gone")
        (into / "bin").mkdir(parents=True)
        program = into / "bin" / f"python{RUNNING}"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        program.chmod(0o755)


def test_the_interpreter_of_the_image_compiles_where_this_machine_has_none(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAYERFORGE_CACHE", str(line.folder / "cache"))
    line.builder = Carrying({})
    layer = line.forge("demo", interpreter=None)
    assert layer.manifest.interpreter == HERE.version
    assert f"python/demo/__pycache__/__init__.cpython-{TAG}.pyc" in names_in(layer.path)


def test_an_image_without_an_interpreter_is_as_none_at_all(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAYERFORGE_CACHE", str(line.folder / "cache"))
    line.builder = Carrying({}, has=False)
    with pytest.raises(UsageError, match=f"no CPython {RUNNING} on this machine"):
        line.forge("demo", interpreter=None)
    assert line.progress.warnings == ["the image's CPython cannot be copied: it is gone"]


# --- compiled


RECIPES = {
    "demo": """
schema = 2
[package]
name = "demo"
versions = "==1.*"
[layer]
requires = ["demo", "made"]
""",
    "made": """
schema = 2
[package]
name = "made"
versions = "==1.*"
build = "source"
needs = ["blas"]
system = ["libgomp.so.1"]
[build]
packages = ["cmake"]
""",
    "blas": """
schema = 2
[library]
name = "blas"
version = "1.0"
source = { url = "https://nowhere.invalid/blas.tar.gz", sha256 = "SHA256" }
script = "make install"
ship = ["lib/*.so"]
""",
}


OWN = '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n'
"""A build system that brings itself."""

STEPS = {"blas", "made", SYSTEM}


@dataclass
class Equipping(FakeBuilder):
    """A builder that gets more packages of its system, and has another image then."""

    def equipped(self, packages: tuple[str, ...], progress: Progress) -> Self:
        return replace(self, image=replace(self.image, reference=f"test with {' '.join(packages)}"))


@pytest.fixture
def compiled(line: Line, index: Path, monkeypatch: pytest.MonkeyPatch) -> Line:
    """A line with recipes that compile a library and a package on it, and take another library out of the image."""
    for name, text in RECIPES.items():
        (line.folder / "recipes" / name).mkdir(parents=True)
        (line.folder / "recipes" / name / "recipe.toml").write_text(text.replace("SHA256", SHA256))
    spec = line.folder / "recipes" / "demo"
    sdist = make_sdist(index, "made", pyproject=OWN)
    config = line.folder / "uv.toml"
    config.write_text(f'index-url = "{publish(index, line.folder / "simple")}"\n')
    monkeypatch.setenv("UV_CONFIG_FILE", str(config))
    wheel = make_wheel(line.folder / "made", "made")
    made = f"made==1.0 --hash={hash_of(sdist)} --hash={hash_of(wheel)}\n"
    (spec / "requirements.lock").write_text(lock_of(index / "demo-1.0-py3-none-any.whl") + made)
    line.builder = Equipping(
        {
            "blas": {"lib/libblas.so": b"text"},
            "made": {wheel.name: wheel.read_bytes()},
            SYSTEM: {"lib/libgomp.so.1": b"text"},
        },
    )
    line.session.store.put("source", SHA256, ARCHIVE)
    return line


def test_what_a_recipe_compiles_is_in_the_layer_and_named_as_such(compiled: Line) -> None:
    layer = compiled.forge(compiled.folder / "recipes" / "demo", verify=False)
    shown = [step for step in compiled.progress.steps if step in {*STEPS, "install"}]
    # What has the longest way to go is first.
    assert shown == ["blas", "made", SYSTEM, "install"]
    assert [(one.name, one.origin) for one in layer.manifest.packages] == [
        ("blas", "compiled"),
        ("demo", "wheel"),
        ("made", "compiled"),
    ]
    assert {"lib/libblas.so", "lib/libgomp.so.1", "python/made/__init__.py"} <= names_in(layer.path)
    licences = compiled.written()[f"{STEM}.licences.txt"].decode()
    assert "taken from the build image: libgomp.so.1" in licences


MEND = "--- made/__init__.py\n+++ made/__init__.py\n@@ -1 +1 @@\n-VALUE = 1\n+VALUE = 2\n"


def test_what_was_compiled_is_patched_as_a_wheel_is_and_not_compiled_again_for_another_patch(compiled: Line) -> None:
    assert isinstance(compiled.builder, Equipping)
    patches = compiled.folder / "recipes" / "made" / "patches"
    patches.mkdir()
    for value in ("2", "3"):
        compiled.builder.tasks.clear()
        (patches / "mend.patch").write_text(MEND.replace("= 2", f"= {value}"))
        layer = compiled.forge(compiled.folder / "recipes" / "demo", verify=False)
        assert text_in(layer.path, "python/made/__init__.py") == f"VALUE = {value}\n"
        assert [(one.package, one.name) for one in layer.manifest.patches] == [("made", "mend.patch")]
    assert not [task.name for task in compiled.builder.tasks if task.name in STEPS]


SAID = "cc: cc 14.2\nlibgomp.so.1 deb debian-12 libgomp1 14.2.0-1 amd64 gcc-14 GPL-3.0-or-later\n"
"""What the image answers when it is asked for its compilers and for the packages of its libraries."""


def test_what_is_compiled_is_told_of_beside_the_zip_with_the_image_that_did_it(compiled: Line) -> None:
    assert isinstance(compiled.builder, Equipping)
    compiled.builder.outcomes = {"origins": replace(FINE, output=SAID)}
    compiled.forge(compiled.folder / "recipes" / "demo", verify=False)
    bill = json.loads(compiled.written()[f"{STEM}.sbom.json"])
    parts = {one["name"]: one for one in bill["components"]}
    assert {name: one["version"] for name, one in parts.items()} == {
        "blas": "1.0",
        "demo": "1.0",
        "made": "1.0",
        "libgomp1": "14.2.0-1",
    }
    assert SHA256 in parts["blas"]["purl"]
    facts = {one["name"]: one["value"] for one in bill["metadata"]["properties"]}
    told = {name.rpartition("layerforge:")[2]: value for name, value in facts.items()}
    assert told["image"] == "test with cmake"
    assert told["compiler:cc"] == "cc 14.2"
    needs = {one["ref"]: one.get("dependsOn", []) for one in bill["dependencies"]}
    assert parts["blas"]["bom-ref"] in needs[parts["made"]["bom-ref"]]


def test_a_step_finds_the_archive_in_the_users_folder_and_its_needs_where_they_were_made(compiled: Line) -> None:
    assert isinstance(compiled.builder, Equipping)
    compiled.store = "empty store"
    compiled.folders = (compiled.folder / "archives",)
    (compiled.folder / "archives").mkdir()
    (compiled.folder / "archives" / "any name").write_bytes(ARCHIVE)
    compiled.forge(compiled.folder / "recipes" / "demo", verify=False)
    tasks = {task.name: task for task in compiled.builder.tasks}
    assert {mount.target for mount in tasks["made"].mounts} == {
        "/work",
        "/src",
        "/env",
        "/driver",
        "/out",
        "/prefix/blas",
    }
    assert tasks["made"].env["SOURCE_DATE_EPOCH"] == "0"
    logs = compiled.session.store.place("logs")
    assert {re.split("[-. ]", path.name)[0] for path in logs.iterdir() if path.read_text() == "a line\n"} == {
        "blas",
        "made",
        "system",
        "origins",
    }


def test_a_step_finds_the_archive_that_the_image_carries(compiled: Line) -> None:
    assert isinstance(compiled.builder, Equipping)
    compiled.store = "empty store"
    compiled.builder.image = replace(IMAGE, sources="/usr/src/carried")
    layer = compiled.forge(compiled.folder / "recipes" / "demo", verify=False)
    # There is no such host as that of the recipe.
    assert "lib/libblas.so" in names_in(layer.path)


def test_the_layer_of_a_plan_that_was_carried_out_needs_no_step_at_all(compiled: Line) -> None:
    assert isinstance(compiled.builder, Equipping)
    first = compiled.forge(compiled.folder / "recipes" / "demo", verify=False)
    compiled.builder.tasks.clear()
    again = compiled.forge(compiled.folder / "recipes" / "demo", out="again", verify=False)
    assert compiled.builder.tasks == []
    assert not STEPS & set(compiled.progress.steps)
    assert compiled.written("again") == compiled.written()
    assert again.manifest == first.manifest


def costs(line: Line) -> dict[str, bool]:
    """Whether the store has what compiling the demo takes, by name."""
    [request] = targets.requests([str(line.folder / "recipes" / "demo")], None, line.known)
    found = planning.cost_of([planning.prepare(request, line.options(), line.session)])
    return {one.name: one.kept for one in found.steps}


def test_what_a_layer_costs_is_what_has_to_be_compiled_for_it(compiled: Line) -> None:
    assert isinstance(compiled.builder, Equipping)
    assert costs(compiled) == {"blas 1.0": False, "made 1.0": False}
    assert compiled.builder.tasks == []
    compiled.forge(compiled.folder / "recipes" / "demo", verify=False)
    assert costs(compiled) == {}
    compiled.kept("layer").unlink()
    assert costs(compiled) == {"blas 1.0": True, "made 1.0": True}


def test_a_layer_whose_zip_is_no_longer_there_has_to_be_made_again(compiled: Line) -> None:
    compiled.forge(compiled.folder / "recipes" / "demo", verify=False)
    compiled.kept("archive").unlink()
    assert costs(compiled) == {"blas 1.0": True, "made 1.0": True}


def test_a_step_that_fails_leaves_neither_a_layer_nor_a_workspace(compiled: Line) -> None:
    assert isinstance(compiled.builder, Equipping)
    compiled.builder.outcomes = {"made": replace(FINE, status=2, output="x.c:1: error: no")}
    with pytest.raises(StepError, match="made failed with status 2"):
        compiled.forge(compiled.folder / "recipes" / "demo", verify=False)
    assert not compiled.written()
    assert not list((compiled.session.store.folder / "work").glob("tmp*"))
    # What the others made is kept.
    compiled.builder.outcomes = {}
    compiled.builder.tasks.clear()
    compiled.forge(compiled.folder / "recipes" / "demo", verify=False)
    assert [task.name for task in compiled.builder.tasks if task.name in STEPS] == ["made", SYSTEM]


def test_what_the_command_line_adds_to_the_compiled_packages_is_compiled_though_no_build_lock_knows_it(
    compiled: Line, index: Path
) -> None:
    assert isinstance(compiled.builder, Equipping)
    make_wheel(index, "helper")
    sdist = make_sdist(index, "demo", pyproject=OWN.replace("[]", '["helper"]'))
    publish(index, compiled.folder / "simple")
    spec = compiled.folder / "recipes" / "demo"
    (spec.parent / "made" / "build.lock").write_text("# nothing is needed to compile made\n")
    locked = (spec / "requirements.lock").read_text()
    (spec / "requirements.lock").write_text(locked.replace("demo==1.0 ", f"demo==1.0 --hash={hash_of(sdist)} "))
    wheel = index / "demo-1.0-py3-none-any.whl"
    compiled.builder.makes = {**compiled.builder.makes, "demo": {wheel.name: wheel.read_bytes()}}
    layer = compiled.forge(spec, verify=False, from_source=("demo",))
    assert {one.name: one.origin for one in layer.manifest.packages} == dict.fromkeys(
        ["blas", "demo", "made"], "compiled"
    )
    [task] = [task for task in compiled.builder.tasks if task.name == "demo"]
    assert "/env" in {mount.target for mount in task.mounts}


def test_a_build_lock_that_a_source_has_outgrown_is_found_before_anything_runs_and_a_plan_downloads_nothing(
    compiled: Line, index: Path
) -> None:
    assert isinstance(compiled.builder, Equipping)
    sdist = make_sdist(index, "made", pyproject=OWN.replace("[]", '["helper"]'))
    publish(index, compiled.folder / "simple")
    spec = compiled.folder / "recipes" / "demo"
    (spec.parent / "made" / "build.lock").write_text("# nothing is needed to compile made\n")
    demo = lock_of(index / "demo-1.0-py3-none-any.whl")
    (spec / "requirements.lock").write_text(f"{demo}made==1.0 --hash={hash_of(sdist)}\n")
    planned = compiled.plan(spec)
    assert compiled.progress.steps == []
    assert [step["step"] for step in as_json(planned)["steps"]] == ["library", "compile", "system", "wheel"]
    with pytest.raises(LockError, match=r"build\.lock is stale: it does not hold what made is compiled with"):
        compiled.forge(spec, verify=False)
    assert compiled.builder.tasks == []


def test_what_is_built_is_what_a_plan_shows(compiled: Line) -> None:
    shown = as_json(compiled.plan(compiled.folder / "recipes" / "demo"))
    layer = compiled.forge(compiled.folder / "recipes" / "demo", verify=False)
    assert shown["key"] == layer.manifest.key
    names = [step.get("name") or step["sonames"] for step in shown["steps"]]
    assert names == ["blas", "made", ["libgomp.so.1"], "demo"]


def test_the_second_layer_compiles_nothing_again(compiled: Line) -> None:
    compiled.forge(compiled.folder / "recipes" / "demo", verify=False)
    assert isinstance(compiled.builder, Equipping)
    assert sorted(task.name for task in compiled.builder.tasks if task.name in STEPS) == sorted(STEPS)
    compiled.builder.tasks.clear()
    compiled.forge(compiled.folder / "recipes" / "demo", out="other", verify=False, compression=Compression.SMALL)
    assert "made" in compiled.progress.steps
    assert not [task.name for task in compiled.builder.tasks if task.name in STEPS]


def test_a_recipe_is_built_of_wheels_where_nothing_can_be_compiled(compiled: Line, index: Path) -> None:
    compiled.builder = None
    make_wheel(index, "made")
    publish(index, compiled.folder / "simple")
    layer = compiled.forge(compiled.folder / "recipes" / "demo", verify=False)
    assert [(one.name, one.origin) for one in layer.manifest.packages] == [("demo", "wheel"), ("made", "wheel")]
    assert not [name for name in names_in(layer.path) if name.startswith("lib/")]


@dataclass
class Meeting(FakeBuilder):
    """A builder whose first two steps wait until both of them run."""

    both: threading.Barrier = field(default_factory=lambda: threading.Barrier(2))

    def equipped(self, packages: tuple[str, ...], progress: Progress) -> Self:
        return self

    def perform(self, task: Task, on_line: Callable[[str], None]) -> Outcome:
        if task.name in {"blas", SYSTEM}:
            self.both.wait(60)
        return super().perform(task, on_line)


def test_as_many_steps_run_at_the_same_time_as_the_options_say(compiled: Line) -> None:
    assert isinstance(compiled.builder, Equipping)
    compiled.builder = Meeting(compiled.builder.makes)
    compiled.forge(compiled.folder / "recipes" / "demo", verify=False, jobs=2)
    assert not compiled.builder.both.broken


# --- several layers


OTHER = '\n[layer]\nrequires = ["made"]\n'


def prepared(line: Line, *words: str | Path, **facts: Any) -> list[planning.Prepared]:
    """Plans of a layer for each word."""
    line.progress = FakeProgress()
    found = targets.requests([str(word) for word in words], None, line.known, each=True)
    return [planning.prepare(request, line.options(**facts), line.session) for request in found]


def ends(
    line: Line, *words: str | Path, fail_fast: bool = False, runner_of: Any = None, **facts: Any
) -> dict[str, pipeline.Ended]:
    """How each layer ended, by its name."""
    here = runner_of or (lambda found: pipeline.here(found, 2))
    found = pipeline.layers(prepared(line, *words, **facts), here, fail_fast=fail_fast)
    return {one.plan.spec.name: ended for one, ended in found}


def steps_of(line: Line) -> list[str]:
    assert isinstance(line.builder, FakeBuilder)
    return sorted(task.name for task in line.builder.tasks if task.name in STEPS)


@pytest.fixture
def two(compiled: Line, index: Path) -> tuple[Path, Path]:
    """Two layers that are compiled of the same steps, of which one is of the package alone."""
    recipes = compiled.folder / "recipes"
    with (recipes / "made" / "recipe.toml").open("a") as file:
        file.write(OTHER)
    locked = (recipes / "demo" / "requirements.lock").read_text().splitlines(keepends=True)
    (recipes / "made" / "requirements.lock").write_text(next(one for one in locked if one.startswith("made==")))
    publish(index, compiled.folder / "simple")
    return recipes / "demo", recipes / "made"


def test_what_several_layers_share_is_carried_out_once(compiled: Line, two: tuple[Path, Path]) -> None:
    found = ends(compiled, *two, verify=False)
    assert all(isinstance(one, pipeline.Delivered) and not one.kept for one in found.values())
    assert steps_of(compiled) == sorted(STEPS)
    assert {name for name in compiled.written() if name.endswith(".zip")} == {f"{STEM}.zip", f"made-py{TAG}-x86_64.zip"}
    compiled.forge(two[0], out="alone", verify=False)
    both = compiled.written()
    assert all(both[name] == data for name, data in compiled.written("alone").items())


def test_a_graph_has_each_job_once_and_a_layer_waits_for_all_of_its_steps(
    compiled: Line, two: tuple[Path, Path]
) -> None:
    found = planning.graph(prepared(compiled, *two))
    keys = [job.key for job in found.jobs]
    assert len(set(keys)) == len(keys) == 5
    titles = {job.title: job for job in found.jobs}
    assert set(titles) == {"blas 1.0", "made 1.0", SYSTEM, f"demo-py{TAG}-x86_64", f"made-py{TAG}-x86_64"}
    for name in ("demo", "made"):
        layer = titles[f"{name}-py{TAG}-x86_64"]
        assert set(layer.needs) == {titles[step].key for step in ("blas 1.0", "made 1.0", SYSTEM)}
        assert layer.demand.image == IMAGE.digest
    assert titles["made 1.0"].needs == (titles["blas 1.0"].key,)
    assert not found.refused
    assert compiled.builder is not None
    assert steps_of(compiled) == []


def test_a_layer_that_fails_does_not_end_the_others(compiled: Line, two: tuple[Path, Path], index: Path) -> None:
    assert isinstance(compiled.builder, Equipping)
    compiled.builder.outcomes = {"made": replace(FINE, status=2, output="no")}
    make_wheel(index, "plain")
    publish(index, compiled.folder / "simple")
    found = ends(compiled, *two, "plain")
    assert found["demo"] is found["made"]
    assert isinstance(found["demo"], StepError)
    assert isinstance(found["plain"], pipeline.Delivered)
    assert set(compiled.written()) >= {f"plain-py{TAG}-x86_64.zip"}


def test_with_fail_fast_what_has_not_ended_is_not_begun(compiled: Line, two: tuple[Path, Path], index: Path) -> None:
    assert isinstance(compiled.builder, Equipping)
    make_wheel(index, "plain")
    publish(index, compiled.folder / "simple")
    compiled.builder.outcomes = {"blas": replace(FINE, status=2, output="no")}
    found = ends(compiled, *two, "plain", fail_fast=True, runner_of=lambda graph: pipeline.here(graph, 1))
    assert isinstance(found["demo"], StepError)
    assert found["demo"].message == "blas failed with status 2"
    assert found["made"] is found["demo"]
    assert isinstance(found["plain"], pipeline.NotBegunError)
    assert not compiled.written()


def test_what_cannot_be_had_is_known_before_anything_is_compiled(compiled: Line, two: tuple[Path, Path]) -> None:
    compiled.store = "empty store"
    found = ends(compiled, *two)
    assert all(isinstance(one, LockError) for one in found.values())
    assert steps_of(compiled) == []


def test_a_layer_that_the_store_has_is_no_job_unless_it_is_still_to_be_verified(line: Line, index: Path) -> None:
    make_wheel(index, "plain")
    ends(line, "demo", "plain", verify=False)
    assert planning.graph(prepared(line, "demo", "plain", verify=False)).jobs == ()
    found = planning.graph(prepared(line, "demo", "plain"))
    assert [(job.title, job.needs) for job in found.jobs] == [(STEM, ()), (STEM.replace("demo", "plain"), ())]
    verified = ends(line, "demo", "plain")
    assert all(isinstance(one, pipeline.Delivered) and one.kept for one in verified.values())
    assert len(line.engine.jobs) == 2
    assert planning.graph(prepared(line, "demo", "plain")).jobs == ()
    assert set(ends(line, "demo", "plain")) == {"demo", "plain"}
    assert len(line.engine.jobs) == 2


def test_results_that_turn_out_to_be_damaged_are_made_again(compiled: Line, two: tuple[Path, Path]) -> None:
    compiled.forge(two[0], verify=False)
    assert isinstance(compiled.builder, Equipping)
    first = compiled.written()
    for kind in ("built", "archive"):
        for path in (compiled.session.store.folder / "values" / kind).glob("*/*"):
            path.write_bytes(path.read_bytes()[:-1] + b"!")
    compiled.builder.tasks.clear()
    compiled.forge(two[0], out="again", verify=False)
    assert steps_of(compiled) == sorted(STEPS)
    assert compiled.written("again") == first


def test_what_is_gone_again_and_again_is_an_error_in_the_end(compiled: Line, two: tuple[Path, Path]) -> None:
    built = compiled.session.store.folder / "values" / "built"

    @dataclass
    class Forgetful:
        inner: Runner

        def run(self, jobs: Sequence[Job], *, fail_fast: bool = False) -> Iterator[Result]:
            for job in in_order(jobs):
                yield from self.inner.run([replace(job, needs=())])
                for path in built.glob("*/*"):
                    path.unlink()

    found = ends(compiled, two[0], runner_of=lambda graph: Forgetful(pipeline.here(graph, 1)))
    assert isinstance(found["demo"], LackingError)


@dataclass
class Elsewhere:
    """Does jobs as another machine does: it has the task as JSON, the store, and an engine."""

    session: Session

    def run(self, jobs: Sequence[Job], *, fail_fast: bool = False) -> Iterator[Result]:
        for job in in_order(jobs):
            try:
                yield replace(perform(job.task, self.session), where="elsewhere")
            except LayerforgeError as error:
                yield Failed(key=job.key, error=error_of(told(error)), where="elsewhere")


def elsewhere(line: Line, **facts: Any) -> Elsewhere:
    store = DiskStore(root=line.folder / line.store, progress=line.progress)
    plain = Session(store=store, progress=line.progress, engine=line.engine, builder=line.builder, interpreter=HERE)
    return Elsewhere(replace(plain, **facts))


def test_another_machine_does_all_jobs_with_nothing_but_the_store(compiled: Line, two: tuple[Path, Path]) -> None:
    assert isinstance(compiled.builder, Equipping)
    there = elsewhere(compiled, builder=compiled.builder.equipped(("cmake",), FakeProgress()))
    found = ends(compiled, *two, runner_of=lambda _graph: there, verify=False)
    assert all(isinstance(one, pipeline.Delivered) for one in found.values())
    away = compiled.written()
    compiled.store = "other"
    compiled.session.store.put("source", SHA256, ARCHIVE)
    ends(compiled, *two, out="here", verify=False)
    assert compiled.written("here") == away


def test_a_machine_that_lacks_what_a_job_takes_says_so(compiled: Line, two: tuple[Path, Path]) -> None:
    assert isinstance(compiled.builder, Equipping)
    found = ends(compiled, two[0], runner_of=lambda _graph: elsewhere(compiled, builder=None))
    assert isinstance(found["demo"], EngineError)
    assert "no container engine" in found["demo"].message
    other = replace(compiled.builder, image=replace(IMAGE, digest="sha256:2"))
    found = ends(compiled, two[0], runner_of=lambda _graph: elsewhere(compiled, builder=other))
    assert isinstance(found["demo"], EngineError)
    assert "another than that of the plan" in found["demo"].message
    old = replace(HERE, version=f"{RUNNING}.999")
    found = ends(compiled, two[0], runner_of=lambda _graph: elsewhere(compiled, interpreter=old))
    assert isinstance(found["demo"], UsageError)
    assert f"CPython {RUNNING}.999" in found["demo"].message


def test_a_layer_that_another_machine_refuses_is_set_aside_here(line: Line) -> None:
    line.engine = CheckEngine(failing={"demo": "ImportError: no"})
    there = elsewhere(line)
    found = ends(line, "demo", runner_of=lambda _graph: there)
    assert isinstance(found["demo"], VerificationError)
    aside = line.session.store.place("refused") / f"{STEM}.zip"
    assert aside.is_file()
    assert str(aside) in found["demo"].hint
    assert found["demo"].findings
    assert not line.written()


def test_an_interrupt_while_a_layer_is_delivered_ends_what_runs(compiled: Line, two: tuple[Path, Path]) -> None:
    found = pipeline.layers(prepared(compiled, *two), lambda graph: pipeline.here(graph, 1))
    next(found)
    with pytest.raises(KeyboardInterrupt):
        found.throw(KeyboardInterrupt())
    assert not list((compiled.session.store.folder / "work").glob("tmp*"))


@dataclass
class Stopped(FakeBuilder):
    """A builder whose image is asked what it is made of when the build is stopped."""

    asked: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    def equipped(self, packages: tuple[str, ...], progress: Progress) -> Self:
        return self

    def perform(self, task: Task, on_line: Callable[[str], None]) -> Outcome:
        if task.name == "origins":
            self.asked.set()
            assert self.ended.wait(60)
            raise EngineError("the container is gone")
        return super().perform(task, on_line)

    def stop(self) -> None:
        self.ended.set()


def test_a_layer_that_was_stopped_before_its_end_is_not_kept(compiled: Line, two: tuple[Path, Path]) -> None:
    assert isinstance(compiled.builder, Equipping)
    builder = compiled.builder = Stopped(compiled.builder.makes)
    [one] = prepared(compiled, two[0], verify=False)
    found = planning.graph([one])
    here = pipeline.here(found, 2)
    assert isinstance(here, ThreadsRunner)

    def perform_or_wait(job: Job) -> Done:
        if job.key == "waits":
            assert builder.asked.wait(60)
            return Done(key=job.key)
        return here.perform(job)

    waits = Job(key="waits", title="", demand=found.jobs[0].demand, seconds=9999, task="")
    running = replace(here, perform=perform_or_wait).run([*found.jobs, waits])
    while next(running).key != "waits":
        pass
    # Now the image is being asked, and the layer is all that is left.
    running.close()  # type: ignore[attr-defined]
    assert builder.ended.is_set()
    assert not list((compiled.session.store.folder / "values" / "layer").glob("*/*"))


# --- zips of others


def test_any_zip_is_verified_whoever_made_it(line: Line, tmp_path: Path) -> None:
    layer = line.forge("demo")
    expect = Expect(target=target(RUNNING), spec=None, bytecode=None)
    (tmp_path / "work").mkdir()
    verdict = verify_zip(layer.path, expect, line.engine, tmp_path / "work")
    assert (verdict.engine, verdict.skipped) == ("fake", "")
    jobs = len(line.engine.jobs)
    verdict = verify_zip(layer.path, expect, line.engine, tmp_path / "work", unrun="nobody asked")
    assert (verdict.engine, verdict.skipped) == ("", "nobody asked")
    assert len(line.engine.jobs) == jobs


def test_what_a_recipe_keeps_is_no_advice_but_in_a_zip_of_others_it_is(line: Line, index: Path, tmp_path: Path) -> None:
    files = {"demo/__init__.py": b"", "demo/__init__.pyi": b"# told\n" * 30_000}
    wheel = make_wheel(index, version="2.0", files=files)
    layer = line.forge(line.spec(wheel, '[prune]\nkeep = ["demo/*.pyi"]\n'))
    assert layer.verdict is not None
    assert layer.verdict.notes == ()
    expect = Expect(target=target(RUNNING), spec=None, bytecode=None)
    (tmp_path / "work").mkdir()
    foreign = tmp_path / "foreign.zip"
    foreign.write_bytes(layer.path.read_bytes())
    verdict = verify_zip(foreign, expect, line.engine, tmp_path / "work")
    assert [note for note in verdict.notes if "type stubs" in note]
