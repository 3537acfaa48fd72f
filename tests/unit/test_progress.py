import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from layerforge.progress import TerminalProgress, cell, megabytes


def a_screen(*, terminal: bool = False) -> tuple[TerminalProgress, io.StringIO]:
    out = io.StringIO()
    return TerminalProgress(Console(file=out, force_terminal=terminal, width=60, color_system=None)), out


def test_a_step_ends_in_one_line_with_its_note_and_duration() -> None:
    progress, out = a_screen()
    with progress.step("strip") as step:
        step.expect(10)
        step.advance(10)
        step.note("11.9 MB saved in a text that is much longer than sixty columns are wide [x]")
    lines = out.getvalue().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("✓ strip")
    assert "columns are wide [x]" in lines[0]
    assert lines[0].endswith(" s")
    assert list(progress.seconds) == ["strip"]


def test_a_failing_step_gets_a_cross() -> None:
    progress, out = a_screen()
    with pytest.raises(ValueError, match="no"), progress.step("strip"):
        raise ValueError("no")
    assert out.getvalue().startswith("✕ strip")


def test_a_terminal_sees_a_bar_that_makes_way_for_the_line() -> None:
    progress, out = a_screen(terminal=True)
    with progress.step("compress") as step:
        step.expect(4)
        step.advance(4)
    assert "compress ━━━" in out.getvalue()
    assert re.search(r"✓ compress +\d\.\d s$", out.getvalue().rstrip())


def test_markup_in_what_is_said_stays_inert() -> None:
    progress, out = a_screen()
    progress.say("[red]a[/red]")
    progress.warn("[b]")
    assert "[red]a[/red]" in out.getvalue()
    assert "! [b]" in out.getvalue()


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (-2_000_000, "-2.0 MB"), (3 * 10**9, "3.0 GB")],
)
def test_sizes_are_decimal(size: int, text: str) -> None:
    assert megabytes(size) == text


@given(st.text())
def test_a_cell_stays_in_its_row(text: str) -> None:
    made = cell(text)
    assert not re.search(r"(?<!\\)(?:\\\\)*\|", made)
    assert len(made.splitlines()) <= 1


def test_a_cell_shows_what_cannot_be_seen_and_marks_nothing_up() -> None:
    assert cell("a\x1b[1m\u202eb\nc ~~d~~ $e$ <f>") == r"a\\x1b\[1m\\u202eb c \~\~d\~\~ \$e\$ &lt;f&gt;"


def test_a_cell_calls_nobody() -> None:
    assert cell("python/@team/a.py") == "python/@&#8203;team/a.py"
