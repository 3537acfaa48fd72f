from __future__ import annotations

import io

import pytest
from rich.console import Console

from layerforge.cli import screen, terminal
from layerforge.cli.screen import Screen
from layerforge.core.errors import UsageError


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("[bold]b[/]", "[bold]b[/]"),
        ("::stop-commands::x\n  ::error::y", "\\x3a:stop-commands::x\n  \\x3a:error::y"),
        ("a::b", "a::b"),
    ],
)
def test_text_of_unknown_origin_steers_nothing(text: str, shown: str) -> None:
    assert screen.inert(text) == shown


def test_an_error_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.errors(UsageError("no \x1b[2Ja", hint="try \x1b[2Jb", details=("\x1b[2Jc",)))
    shown = capsys.readouterr().err
    assert "\x1b[2J" not in shown
    assert shown.count(r"\x1b[2J") == 3


def test_what_is_long_is_cut_at_a_terminal_alone() -> None:
    path = f"python/{'x' * 400}.py"
    for terminal_, whole in ((False, True), (True, False)):
        out = io.StringIO()
        shown = Screen(Console(file=out, force_terminal=terminal_, width=2000))
        shown.table("", ("path", "bytes"), [(path, "1")])
        assert (path in out.getvalue()) is whole
        assert (shown.fitting(path) == path) is whole
    assert Screen(Console(file=io.StringIO())).fitting("x" * 50, 10) == "x" * 50
