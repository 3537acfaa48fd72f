from __future__ import annotations

import pytest

from layerforge.cli import screen, terminal
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
