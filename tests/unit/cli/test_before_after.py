"""A zip and the layer that was built again of it, run by an engine that says how long it took."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import zips
from fakes import FakeProgress, a_manifest
from layerforge.build.engine import Job, Outcome
from layerforge.build.host import HostEngine
from layerforge.cli import rebuild_view, rebuilding, terminal
from layerforge.cli.before_after import BeforeAfter, Measuring, before_after, place_of, strangers
from layerforge.cli.coldstart_options import RunPlace
from layerforge.core.findings import Finding, Severity
from layerforge.core.store.disk import DiskStore
from layerforge.examine.examine import examine
from layerforge.report.delivery import Layer

INFO = "demo-1.0.dist-info"
PACKAGE = {
    "demo/__init__.py": b"x = 1\n",
    "demo/__pycache__/__init__.cpython-313.pyc": b"",
    f"{INFO}/METADATA": b"Name: demo\nVersion: 1.0\n",
    f"{INFO}/RECORD": b"demo/__init__.py,,\n",
}


@dataclass
class FakeLambda:
    """Functions that start in a third of the time with what stands in ``python/demo/new``."""

    processors: int = 2
    broken: frozenset[str] = frozenset()
    """Names of the folders with which functions fail."""
    jobs: list[Job] = field(default_factory=list)

    def run(self, job: Job) -> Outcome:
        self.jobs.append(job)
        if job.opt.name in self.broken:
            text = 'Traceback (most recent call last):\n  File "init.txt", line 1, in <module>\nImportError: no demo'
            return Outcome(status=1, output=text, seconds=1.0)
        init = 1000.0 if job.opt.name == "after" else 3000.0
        return Outcome(
            status=0,
            output="",
            seconds=1.0,
            init_ms=init,
            init_cpu_ms=init,
            invoke_ms=(2.0, 1.0),
            peak_memory=70_000_000,
        )


def compared(
    folder: Path, broken: Iterable[str] = (), *, root: str = "python/", more: Mapping[str, bytes] | None = None
) -> tuple[BeforeAfter, FakeLambda]:
    old = zips.of(folder / "old.zip", {root + path: data for path, data in PACKAGE.items()} | dict(more or {}))
    new = zips.of(folder / "new.zip", {f"python/{path}": data for path, data in PACKAGE.items()})
    engine = FakeLambda(broken=frozenset(broken))
    progress = FakeProgress()
    by = Measuring(
        engine=HostEngine(interpreter=None),
        place=RunPlace(engine=engine, image="image"),
        store=DiskStore(root=folder / "store", progress=progress),
        progress=progress,
        runs=2,
        run_it=False,
    )
    layer = Layer(path=new, manifest=a_manifest(), verdict=None)
    return before_after(rebuilding.origin(old, None, "x86_64"), layer, by), engine


@pytest.mark.parametrize("root", ["python/", ""])
def test_cold_starts_of_both_are_measured_in_turns_and_kept_beside_the_new_layer(tmp_path: Path, root: str) -> None:
    both, engine = compared(tmp_path, root=root)
    init = both.pair.changes.init
    assert init
    assert (init.ms.before, init.ms.after, init.in_turns) == (3000.0, 1000.0, True)
    assert ("init at 1,769 MB", "3,000 ms", "1,000 ms", "0.33 ×") in list(rebuild_view.rows(both))
    assert [job.opt.name for job in engine.jobs] == ["after", "before"] * 3
    assert {job.init for job in engine.jobs} == {"__import__('demo')\n"}
    kept = json.loads((tmp_path / "new.coldstart.json").read_text())
    assert kept["against"]["sha256"] == both.old.examination.sha256


def test_a_zip_that_does_not_load_is_told_and_the_new_layer_is_measured_all_the_same(tmp_path: Path) -> None:
    both, _ = compared(tmp_path, ["before"])
    assert both.pair.changes.init is None
    [line] = [one for one in both.remarks if "old.zip" in one]
    assert line == "with old.zip the function fails in its init phase: ImportError: no demo"
    kept = json.loads((tmp_path / "new.coldstart.json").read_text())
    assert [size["runs"] for size in kept["sizes"]] == [2]
    assert "init at 1,769 MB" in [row[0] for row in rebuild_view.rows(both)]
    assert ("init at 1,769 MB", "does not load", "1,000 ms", "") in list(rebuild_view.rows(both))


def test_where_nothing_can_be_measured_that_is_told(tmp_path: Path) -> None:
    both, _ = compared(tmp_path, ["before", "after"])
    assert not (tmp_path / "new.coldstart.json").exists()
    assert "with new.zip the function fails in its init phase: ImportError: no demo" in both.remarks


def test_a_zip_that_must_not_be_unpacked_is_not_run(tmp_path: Path) -> None:
    both, engine = compared(tmp_path, more={"../outside.py": b""})
    assert not engine.jobs
    [line] = [one for one in both.remarks if one.startswith("before was not run")]
    assert "would be written outside of it" in line
    assert not (tmp_path / "store/outside.py").exists()


def test_an_engine_that_runs_no_functions_gives_no_place() -> None:
    assert place_of(HostEngine(interpreter=None)) is None


def test_packages_of_which_nothing_is_as_it_was_are_strangers(tmp_path: Path) -> None:
    new = {f"python/{path}": data for path, data in PACKAGE.items()}
    seen = examine(zips.of(tmp_path / "a.zip", new))
    assert not list(strangers(seen, seen))
    other = examine(zips.of(tmp_path / "b.zip", {**new, "python/demo/__init__.py": b"y = 2\n"}))
    assert not list(strangers(seen, other)), "its METADATA are the same"
    metadata = {f"python/{INFO}/METADATA": b"Name: demo\nVersion: 1.0\nSummary: theirs\n"}
    theirs = examine(zips.of(tmp_path / "c.zip", {**new, **metadata, "python/demo/__init__.py": b"y = 2\n"}))
    [line] = strangers(seen, theirs)
    assert line.startswith("no file of demo 1.0 is as it was")
    bare = {path: data for path, data in {**new, **metadata}.items() if not path.endswith(".py")}
    assert not list(strangers(seen, examine(zips.of(tmp_path / "d.zip", bare)))), "its sources are gone on purpose"


def test_errors_come_before_warnings_and_the_screen_has_an_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both, _ = compared(tmp_path)
    many = [
        Finding(rule=f"LF{number}", severity=severity, path="a", message="m" * 300, hint="h")
        for severity in (Severity.WARNING, Severity.ERROR)
        for number in range(5)
    ]
    assert rebuild_view.told(many) == "5 errors, 5 warnings"
    rebuild_view.findings(terminal.report(), "before", many)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[2] for line in lines[:6]] == ["error"] * 5 + ["warning"]
    assert lines[6] == "before: and 4 more; `layerforge inspect` shows all"
    rebuild_view.findings(terminal.report(), "before", [many[0], many[5], many[5]])
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[1:3] for line in shown] == [["LF0", "error"], ["LF0", "warning"]]
    assert shown[0].endswith(", and 1 more of LF0")
    assert "m" * 300 in lines[0], "in a pipe nothing is cut"
    assert both.findings == both.new.findings
