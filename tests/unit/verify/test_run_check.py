"""Several checks in one run: what they share, what each has for itself, and what is said of those that fail."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from fakes import FakeEngine, target
from layerforge.build.engine import Outcome
from layerforge.core.findings import Finding
from layerforge.resolve.recipe import CheckScript
from layerforge.verify.imports import Imports
from layerforge.verify.run_check import check_program, init_program, run_check

FINE = "pass"


def ran(folder: Path, *texts: str, needed: Sequence[str] = ()) -> Outcome:
    """What the checks of the packages ``a``, ``b`` and so on really do, in a Python of their own. No word."""
    scripts = [CheckScript(package=chr(ord("a") + number), text=text) for number, text in enumerate(texts)]
    start = f"import sys; sys.path.insert(0, {str(folder)!r})\n"
    program = init_program(Imports(needed=tuple(needed)), "") + check_program(scripts)
    done = subprocess.run(
        [sys.executable, "-I", "-c", start + program], capture_output=True, text=True, timeout=60, check=False
    )
    return Outcome(status=done.returncode, output=done.stdout + done.stderr, seconds=0.0)


def findings(outcome: Outcome) -> tuple[Finding, ...]:
    return run_check(FakeEngine([outcome]), target(), Path("/opt"), Imports(), (), 5.0, word="").findings


def heads(outcome: Outcome) -> list[tuple[str, str]]:
    """Rule and first line of what is found."""
    return [(one.rule, one.message.partition("\n")[0]) for one in findings(outcome)]


def said(outcome: Outcome) -> list[str]:
    """What the checks themselves printed."""
    lines = outcome.output.splitlines()
    return [line for line in lines if line and not line.startswith("layerforge-check:")]


def test_the_checks_of_several_packages_run_one_after_another_in_one_process(tmp_path: Path) -> None:
    outcome = ran(tmp_path, *["import os; print(__file__, os.getpid())"] * 3)
    names, processes = zip(*map(str.split, said(outcome)), strict=True)
    assert names == ("a/check.py", "b/check.py", "c/check.py")
    assert len(set(processes)) == 1
    assert findings(outcome) == ()


def test_a_check_sees_what_the_one_before_did_to_modules(tmp_path: Path) -> None:
    (tmp_path / "shared.py").write_text("value = 1\n")
    first = "import shared, sys, types\nshared.value = 2\nsys.modules['made_up'] = types.ModuleType('made_up')\n"
    assert findings(ran(tmp_path, first, "import made_up, shared\nassert shared.value == 2\n")) == ()


def test_each_check_has_a_main_module_of_its_own(tmp_path: Path) -> None:
    first = "import sys\nkept = 1\nsys.first = sys.modules['__main__']\n"
    second = """
import sys
main = sys.modules["__main__"]
assert "kept" not in globals() and not hasattr(main, "kept")
assert vars(main) is globals() and main is not sys.first
assert (__name__, main.__file__, sys.first.__file__) == ("__main__", "b/check.py", "a/check.py")
assert sys.first.kept == 1
"""
    assert findings(ran(tmp_path, first, second)) == ()


LEAVES = {
    "working folder": ("import os, tempfile\nos.chdir(tempfile.mkdtemp())", "os.getcwd()"),
    "working folder that is gone": (
        "import os, tempfile\nplace = tempfile.mkdtemp()\nos.chdir(place)\nos.rmdir(place)",
        "os.getcwd()",
    ),
    "variables": ("import os\nos.environ['LEFT'] = '1'\nos.environ.pop('PATH', None)", "sorted(os.environ.items())"),
    "arguments": ("import sys\nsys.argv.append('--left')", "sys.argv"),
    "other arguments": ("import sys\nsys.argv = ['left']", "sys.argv"),
    "path": ("import sys\nsys.path.insert(0, '/left')", "sys.path"),
    "output": ("import io, sys\nsys.stdout = sys.stderr = io.StringIO()", "(type(sys.stdout), type(sys.stderr))"),
}
"""What a check may leave behind, and what shows it."""


@pytest.mark.parametrize("end", ["", "raise SystemExit(0)"])
@pytest.mark.parametrize("left", list(LEAVES))
def test_a_check_begins_as_the_one_before_did_whatever_that_leaves_behind(left: str, end: str, tmp_path: Path) -> None:
    leave, shown = LEAVES[left]
    show = f"import os, sys; print({shown})\n"
    outcome = ran(tmp_path, show, f"{leave}\n{end}", show)
    first, second = said(outcome)
    assert first == second
    assert findings(outcome) == ()


def test_a_check_that_fails_while_its_output_goes_elsewhere_is_told_all_the_same(tmp_path: Path) -> None:
    outcome = ran(tmp_path, "import io, sys\nsys.stdout = io.StringIO()\nassert 0, 'quietly'", "print('b was run')")
    assert (said(outcome), heads(outcome)) == (["b was run"], [("LF402", "a/check.py: AssertionError: quietly")])


def test_what_a_later_check_defines_can_be_pickled_too(tmp_path: Path) -> None:
    text = """
import pickle
class Value:
    of = {!r}
def give():
    return Value.of
assert pickle.loads(pickle.dumps(give)) is give and pickle.loads(pickle.dumps(Value)).of == {!r}
"""
    assert findings(ran(tmp_path, text.format("a", "a"), text.format("b", "b"))) == ()


def test_a_check_that_fails_leaves_the_others_run_and_each_that_does_is_named(tmp_path: Path) -> None:
    outcome = ran(tmp_path, "assert 0, 'one'", "print('b was run')", "def f(:", "raise SystemExit(3)", "import absent")
    assert said(outcome) == ["b was run"]
    assert heads(outcome) == [
        ("LF402", "a/check.py: AssertionError: one"),
        ("LF402", "c/check.py: SyntaxError: invalid syntax"),
        ("LF402", "d/check.py: SystemExit: 3"),
        ("LF402", "e/check.py: ModuleNotFoundError: No module named 'absent'"),
    ]


def test_the_traceback_of_a_later_check_shows_its_own_lines_though_all_have_one_name_for_their_file(
    tmp_path: Path,
) -> None:
    _, second = findings(ran(tmp_path, "assert 0, 'this'\n", "x = 2\nassert x == 3, 'that'\n"))
    lines = [line.strip() for line in second.message.splitlines()]
    assert lines[:4] == [
        "b/check.py: AssertionError: that",
        "Traceback (most recent call last):",
        'File "b/check.py", line 2, in <module>',
        "assert x == 3, 'that'",
    ]


@pytest.mark.parametrize("end", ["raise SystemExit", "import sys; sys.exit(0)", "raise SystemExit(None)"])
def test_a_check_may_end_itself_and_the_next_one_runs(end: str, tmp_path: Path) -> None:
    outcome = ran(tmp_path, end, "print('b was run')")
    assert (said(outcome), findings(outcome)) == (["b was run"], ())


def test_a_check_that_a_module_ends_has_failed_and_the_next_one_runs(tmp_path: Path) -> None:
    (tmp_path / "leaving.py").write_text("import sys\ndef leave(): sys.exit(0)\n")
    outcome = ran(tmp_path, "import leaving; leaving.leave()", "print('b was run')")
    assert (said(outcome), heads(outcome)) == (["b was run"], [("LF402", "a/check.py: SystemExit: 0")])


def test_a_check_that_ends_the_process_is_named_and_no_other_counts_as_run(tmp_path: Path) -> None:
    outcome = ran(tmp_path, "print('a was run', flush=True)", "import os; os._exit(0)", "print('c was run')")
    assert said(outcome) == ["a was run"]
    assert heads(outcome) == [("LF402", "ended with status 0 at: b/check.py")]


def test_what_the_first_check_found_is_told_though_the_second_ends_the_process(tmp_path: Path) -> None:
    outcome = ran(tmp_path, "assert 0, 'one'", "import os; os._exit(4)")
    assert heads(outcome) == [
        ("LF402", "a/check.py: AssertionError: one"),
        ("LF402", "ended with status 4 at: b/check.py"),
    ]


def test_no_check_can_report_for_another(tmp_path: Path) -> None:
    forger = 'print(\'\\nlayerforge-check:{"failed": "b/check.py", "error": "forged", "trace": []}\')'
    word = "f00d"
    scripts = [CheckScript(package="a", text=forger), CheckScript(package="b", text=FINE)]
    program = init_program(Imports(), word) + check_program(scripts)
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, timeout=60, check=True)
    outcome = Outcome(status=0, output=done.stdout, seconds=0.0)
    found = run_check(FakeEngine([outcome]), target(), Path("/opt"), Imports(), (), 5.0, word=word)
    assert found.findings == ()


def test_no_check_runs_where_a_module_that_is_needed_cannot_be_imported(tmp_path: Path) -> None:
    outcome = ran(tmp_path, "print('a was run')", "print('b was run')", needed=("absent",))
    assert said(outcome) == []
    assert heads(outcome) == [("LF401", "import absent: ModuleNotFoundError: No module named 'absent'")]


def test_the_time_that_runs_out_names_the_check_that_it_was_at() -> None:
    reports = "".join(f'\nlayerforge-check:{{"doing": "{name}/check.py"}}\n' for name in "ab")
    (one,) = findings(Outcome(status=-9, output=reports, seconds=5.0, timed_out=True))
    assert (one.rule, one.message) == ("LF404", "did not end within 5 seconds; it was at: b/check.py")
