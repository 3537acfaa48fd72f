"""The plugin that records tests, told of tests that end in every way; whole runs are in test_suite.py."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from layerforge.data import layerforge_suite as suite


def a_phase(when: str | None = "call", outcome: str = "passed", longrepr: Any = None, **facts: Any) -> Any:
    """What pytest reports of one phase of a test."""
    return SimpleNamespace(
        nodeid=facts.pop("nodeid", "a.py::test_a"),
        when=when,
        outcome=outcome,
        failed=outcome == "failed",
        skipped=outcome == "skipped",
        longrepr=longrepr,
        duration=facts.pop("duration", 0.25),
        **facts,
    )


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where lines go; signs of progress go to a file beside it instead of to this terminal."""
    screen = os.open(tmp_path / "screen", os.O_CREAT | os.O_WRONLY)
    monkeypatch.setattr(suite, "SCREEN", screen)
    return tmp_path / "results"


def lines(results: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in results.read_text().splitlines()]


def recorded(results: Path, *phases: Any) -> list[dict[str, Any]]:
    recorder = suite.Recorder(str(results))
    for phase in phases:
        recorder.pytest_runtest_logreport(phase)
    recorder.file.close()
    return lines(results)


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        (a_phase("call", "passed"), "passed"),
        (a_phase("call", "failed"), "failed"),
        (a_phase("call", "skipped"), "skipped"),
        (a_phase("setup", "failed"), "error"),
        (a_phase("teardown", "failed"), "error"),
        (a_phase("call", "skipped", wasxfail="reason"), "xfailed"),
        (a_phase("call", "passed", wasxfail="reason"), "xpassed"),
        (a_phase("???", "failed"), "crashed"),
        (a_phase(None, "failed"), "crashed"),
    ],
)
def test_each_end_of_a_phase_has_a_word(phase: Any, expected: str) -> None:
    assert suite.outcome(phase) == expected


@pytest.mark.parametrize(
    ("longrepr", "expected"),
    [
        (None, ""),
        ("", ""),
        (("a.py", 3, "Skipped: no network"), "Skipped: no network"),
        (SimpleNamespace(reprcrash=SimpleNamespace(message="assert 1 == 2")), "assert 1 == 2"),
        ("worker 'gw0' crashed", "worker 'gw0' crashed"),
        ("x" * 5_000, "x" * suite.LONGEST),
        (("a.py", 3, "y" * 5_000), "y" * suite.LONGEST),
    ],
)
def test_why_a_test_ended_so_is_short(longrepr: Any, expected: str) -> None:
    assert suite.text(a_phase(longrepr=longrepr)) == expected


def test_a_test_is_written_once_with_the_time_of_all_its_phases(results: Path) -> None:
    assert recorded(results, a_phase("setup"), a_phase("call", duration=1.5), a_phase("teardown")) == [
        {"id": "a.py::test_a", "outcome": "passed", "seconds": 2.0, "message": ""}
    ]


def test_the_worst_phase_is_the_tests_outcome_and_its_words_count(results: Path) -> None:
    [line] = recorded(
        results, a_phase("setup"), a_phase("call", "failed", "assert 0"), a_phase("teardown", "failed", "no file")
    )
    assert (line["outcome"], line["message"]) == ("error", "no file")


def test_a_worker_that_crashed_ends_the_test_that_it_ran(results: Path) -> None:
    [line] = recorded(results, a_phase("setup"), a_phase("???", "failed", "worker 'gw0' crashed"))
    assert (line["outcome"], line["message"]) == ("crashed", "worker 'gw0' crashed")


def test_tests_that_run_beside_one_another_are_kept_apart(results: Path) -> None:
    one, two = {"nodeid": "a.py::one"}, {"nodeid": "a.py::two"}
    found = recorded(
        results,
        a_phase("setup", **one),
        a_phase("setup", **two),
        a_phase("call", "failed", **two),
        a_phase("teardown", **one),
        a_phase("teardown", **two),
    )
    assert [(line["id"], line["outcome"]) for line in found] == [("a.py::one", "passed"), ("a.py::two", "failed")]


@pytest.mark.parametrize(("outcome", "expected"), [("failed", ["error"]), ("skipped", ["skipped"]), ("passed", [])])
def test_a_file_is_a_line_where_it_cannot_be_collected(outcome: str, expected: list[str], results: Path) -> None:
    recorder = suite.Recorder(str(results))
    recorder.pytest_collectreport(a_phase("collect", outcome, "ImportError", nodeid="a.py"))
    recorder.file.close()
    assert [line["outcome"] for line in lines(results)] == expected


def test_the_number_of_tests_is_told_once_however_many_workers_collect_them(results: Path) -> None:
    recorder = suite.Recorder(str(results))
    recorder.pytest_collection_finish(SimpleNamespace(items=[]))  # type: ignore[arg-type]
    recorder.pytest_xdist_node_collection_finished(["one", "two"])
    recorder.pytest_xdist_node_collection_finished(["one", "two"])
    recorder.pytest_collection_finish(SimpleNamespace(items=["one", "two", "three"]))  # type: ignore[arg-type]
    recorder.file.close()
    assert lines(results) == [{"of": 2}, {"of": 3}]


def test_signs_of_progress_count_what_is_done_and_what_failed(results: Path) -> None:
    recorder = suite.Recorder(str(results))
    recorder.collected(2)
    for outcome in ("failed", "passed"):
        recorder.pytest_runtest_logreport(a_phase("call", outcome))
        recorder.pytest_runtest_logreport(a_phase("teardown"))
    recorder.show()
    recorder.file.close()
    signs = (results.parent / "screen").read_text().splitlines()
    last = json.loads(signs[-1].removeprefix(suite.MARKER))
    assert last == {"done": 2, "failed": 1, "of": 2}
    assert all(sign.startswith(suite.MARKER) for sign in signs if sign)


@pytest.mark.parametrize(("worker", "records"), [(False, True), (True, False)])
def test_of_several_processes_only_the_first_records(
    worker: bool, records: bool, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAYERFORGE_RESULTS", str(results))
    registered: list[str] = []

    def register(plugin: suite.Recorder, name: str) -> None:
        plugin.file.close()
        registered.append(name)

    config: Any = SimpleNamespace(pluginmanager=SimpleNamespace(register=register))
    if worker:
        config.workerinput = {}
    suite.pytest_configure(config)
    assert registered == (["layerforge-recorder"] if records else [])
    assert results.exists() is records


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_tests_run_one_by_one_and_a_crash_is_written_and_stops_none(
    tmp_path: Path, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAYERFORGE_RESULTS", str(results))
    (tmp_path / "test_it.py").write_text(
        "import os, signal\n"
        "def test_crash(): os.kill(os.getpid(), signal.SIGKILL)\n"
        "def test_after(): open(os.environ['LAYERFORGE_RESULTS'], 'a').write('{\"ran\": true}\\n')\n"
    )
    names = tmp_path / "names.json"
    names.write_text(json.dumps(["test_it.py::test_crash", "test_it.py::test_after"]))
    suite.main(str(names), str(tmp_path), "-q", "-p", "no:cacheprovider", "-c", "/dev/null")
    assert lines(results) == [
        {"id": "test_it.py::test_crash", "outcome": "crashed", "seconds": 0.0, "message": "ended by signal 9"},
        {"ran": True},
    ]
    signs = [line for line in (results.parent / "screen").read_text().splitlines() if line]
    assert [json.loads(sign.removeprefix(suite.MARKER))["done"] for sign in signs] == [1, 2]
