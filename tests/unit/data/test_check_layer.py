"""The program that proves a layer from inside, called as functions; whole runs are in test_verify.py."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from layerforge.data import check_layer

WORD = "4f1c"


@pytest.fixture(autouse=True)
def own_main(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check takes the name of the main module; the tests' own comes back."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose modules can be imported, and are gone afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("lf_good", "lf_other", "lf_raises", "lf_exits"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "lf_good.py").write_text("def leave():\n    raise SystemExit(0)\n")
    (tmp_path / "lf_other.py").write_text("")
    (tmp_path / "lf_raises.py").write_text("raise ImportError('libmissing.so.1: cannot open')\n")
    (tmp_path / "lf_exits.py").write_text("raise SystemExit(0)\n")
    return tmp_path


def reports(text: str) -> list[dict[str, Any]]:
    marker = f"layerforge-check:{WORD}"
    return [json.loads(line.removeprefix(marker)) for line in text.splitlines() if line.startswith(marker)]


def checked(
    capsys: pytest.CaptureFixture[str], script: str, needed: tuple[str, ...] = (), others: tuple[str, ...] = ()
) -> list[dict[str, Any]]:
    """What a whole check reports."""
    check: Generator[None, list[tuple[str, str]], None] = check_layer.checking(WORD, [*needed], [*others])
    next(check)
    check.send([("pkg/check.py", script)] if script else [])
    return reports(capsys.readouterr().out)


def without_times(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [facts for facts in found if "import_seconds" not in facts]


@pytest.mark.usefixtures("modules")
def test_every_step_is_told_before_it_begins_and_the_end_last(capsys: pytest.CaptureFixture[str]) -> None:
    found = checked(capsys, "import lf_good\n", ("lf_good",), ("lf_other",))
    assert without_times(found) == [
        {"doing": "import lf_good"},
        {"doing": "import lf_other"},
        {"doing": "pkg/check.py"},
        {"doing": "exit"},
        {"done": True},
    ]
    [times] = [facts for facts in found if "import_seconds" in facts]
    assert set(times) == {"import_seconds", "import_cpu_seconds"}
    assert found.index(times) == 2


@pytest.mark.usefixtures("modules")
def test_a_module_that_fails_is_told_with_its_last_line_and_the_next_is_imported_all_the_same(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = checked(capsys, "", ("lf_raises", "lf_good"))
    [failed] = [facts for facts in found if "failed" in facts]
    assert failed["failed"] == "lf_raises"
    assert failed["error"] == "ImportError: libmissing.so.1: cannot open"
    assert failed["trace"][-1] == failed["error"]
    assert len(failed["trace"]) <= 12
    assert {"doing": "import lf_good"} in found


@pytest.mark.usefixtures("modules")
def test_a_module_that_ends_the_program_has_failed_whatever_status_it_names(capsys: pytest.CaptureFixture[str]) -> None:
    found = checked(capsys, "", (), ("lf_exits",))
    assert [facts["failed"] for facts in found if "failed" in facts] == ["lf_exits"]
    assert found[-1] == {"done": True}


@pytest.mark.usefixtures("modules")
@pytest.mark.parametrize(("needed", "others", "runs"), [(("lf_raises",), (), False), ((), ("lf_raises",), True)])
def test_the_check_runs_where_all_that_it_needs_could_be_imported(
    needed: tuple[str, ...], others: tuple[str, ...], runs: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ({"doing": "pkg/check.py"} in checked(capsys, "pass\n", needed, others)) is runs


def test_without_a_check_none_is_begun(capsys: pytest.CaptureFixture[str]) -> None:
    assert without_times(checked(capsys, "")) == [{"doing": "exit"}, {"done": True}]


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("x = 1\nassert x == 2, 'differs'\n", "AssertionError: differs"),
        ("raise SystemExit(3)\n", "SystemExit: 3"),
        ("raise SystemExit('no')\n", "SystemExit: no"),
        ("raise KeyboardInterrupt\n", "KeyboardInterrupt"),
        ("def f(:\n", "SyntaxError: invalid syntax"),
    ],
)
def test_a_check_that_fails_is_told_with_its_error(script: str, error: str, capsys: pytest.CaptureFixture[str]) -> None:
    [failed] = [facts for facts in checked(capsys, script) if "failed" in facts]
    assert (failed["failed"], failed["error"]) == ("pkg/check.py", error)


def test_a_failed_assertion_shows_its_line_though_there_is_no_such_file(capsys: pytest.CaptureFixture[str]) -> None:
    [failed] = [facts for facts in checked(capsys, "answer = 41\nassert answer == 42\n") if "failed" in facts]
    assert any("assert answer == 42" in line for line in failed["trace"])


@pytest.mark.parametrize("script", ["raise SystemExit\n", "raise SystemExit(0)\n", "import sys\nsys.exit()\n"])
def test_a_check_may_end_itself_with_success(script: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = checked(capsys, script)
    assert not [facts for facts in found if "failed" in facts]
    assert found[-1] == {"done": True}


@pytest.mark.usefixtures("modules")
def test_a_module_that_ends_the_check_with_success_has_not_proved_anything(capsys: pytest.CaptureFixture[str]) -> None:
    found = checked(capsys, "import lf_good\nlf_good.leave()\n")
    assert [facts["failed"] for facts in found if "failed" in facts] == ["pkg/check.py"]


def test_an_exception_that_was_raised_nowhere_is_not_the_checks_own() -> None:
    assert not check_layer.ended_itself(SystemExit(0), "pkg/check.py")


def test_the_check_is_the_main_module_and_can_pickle_what_it_defines(capsys: pytest.CaptureFixture[str]) -> None:
    script = """
import pickle, sys
class Mine: pass
assert __name__ == '__main__' and __file__ == 'pkg/check.py'
assert type(pickle.loads(pickle.dumps(Mine()))) is Mine
checking = None
"""
    assert not [facts for facts in checked(capsys, script) if "failed" in facts]
    assert callable(check_layer.checking)
