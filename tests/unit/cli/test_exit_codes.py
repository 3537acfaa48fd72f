from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import getsignal, signal

import click
import pytest

from layerforge import __version__, cli
from layerforge.core import interrupts
from layerforge.core.errors import LayerforgeError, StepError, UsageError


def raises(error: BaseException) -> Callable[[], None]:
    """Something that happens when a command's work begins."""

    def happen() -> None:
        raise error

    return happen


def test_a_command_that_is_not_there_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["bild"]) == 2
    assert "No such command 'bild'; perhaps you meant 'build'." in capsys.readouterr().err
    assert cli.run(["xyzzy"]) == 2
    said = capsys.readouterr().err
    assert "No such command 'xyzzy'" in said
    assert "perhaps" not in said


def test_the_version_and_every_command_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out == f"layerforge, version {__version__}\n"
    assert cli.run(["-h"]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown and what in shown for name, what in cli.COMMANDS.items())
    assert cli.group.list_commands(click.Context(cli.group)) == list(cli.COMMANDS)


@pytest.mark.parametrize(
    ("error", "code"), [(UsageError("it is wrong", hint="mend it"), 2), (StepError("it failed", hint="mend it"), 6)]
)
def test_an_error_is_told_with_its_hint_and_has_its_own_exit_code(
    error: LayerforgeError,
    code: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    assert cli.run(["recipes"], raises(error)) == code == error.exit_code
    said = capsys.readouterr().err
    assert error.message in said
    assert "→ mend it" in said
    assert error.message in (tmp_path / "summary").read_text()


def test_evidence_beyond_thirty_lines_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    error = StepError("it failed", details=tuple(f"line {number}." for number in range(35)))
    cli.run(["recipes"], raises(error))
    said = capsys.readouterr().err
    assert "line 29." in said
    assert "line 30." not in said
    assert "… and 5 more, with -v" in said


def test_a_summary_that_cannot_be_written_is_no_reason_to_fail_otherwise(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    assert cli.run(["recipes"], raises(UsageError("it is wrong"))) == 2
    assert "the job's summary cannot be written" in capsys.readouterr().err


def test_a_full_disk_is_told_and_any_other_error_of_the_system_is_a_bug(capsys: pytest.CaptureFixture[str]) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "place")
    assert cli.run(["recipes"], raises(full)) == StepError("x").exit_code
    assert "no space is left for place" in capsys.readouterr().err
    with pytest.raises(PermissionError):
        cli.run(["recipes"], raises(PermissionError(errno.EACCES, "no")))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interruption_is_told_and_has_the_shells_exit_code(
    error: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["recipes"], raises(error)) == interrupts.INTERRUPTED == 130
    assert capsys.readouterr().err.endswith("interrupted; nothing half-written is left behind\n")


@pytest.fixture
def handlers() -> Iterator[None]:
    """The handlers of this process, which it gets back."""
    kept = {number: getsignal(number) for number in interrupts.SIGNALS}
    yield
    for number, handler in kept.items():
        signal(number, handler)


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize(("arguments", "code"), [(["recipes", "--json"], 0), (["recipes", "--absent"], 2)])
def test_the_program_leaves_with_the_commands_code(
    arguments: list[str], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["layerforge", *arguments])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == code
    assert bool(capsys.readouterr().err) is bool(code)
