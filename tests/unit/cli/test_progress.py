import io
import re
import threading
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from layerforge.cli.bars import Bar, TimedProgress
from layerforge.cli.progress import LayerProgress, TerminalProgress
from layerforge.cli.screen import Screen, inert
from layerforge.core.progress import Mark
from layerforge.core.text import cell, megabytes


def a_screen(*, terminal: bool = False) -> tuple[TerminalProgress, io.StringIO]:
    out = io.StringIO()
    return TerminalProgress(Screen(Console(file=out, force_terminal=terminal, width=60, color_system=None))), out


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


@pytest.mark.parametrize(
    ("mark", "shown"), [(Mark.DOUBTFUL, "! verify"), (Mark.UNDONE, "– verify"), (Mark.BAD, "✕ verify")]
)
def test_a_step_that_did_not_go_well_gets_no_tick(mark: Mark, shown: str) -> None:
    progress, out = a_screen()
    with progress.step("verify") as step:
        step.note("so and so", mark)
    assert out.getvalue().startswith(shown)
    assert "✓" not in out.getvalue()


def test_nothing_is_shown_of_a_step_that_is_told_elsewhere() -> None:
    progress, out = a_screen()

    def fail() -> None:
        with progress.step("image") as step:
            step.note("", Mark.UNTOLD)
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert out.getvalue() == ""


def test_quiet_progress_shows_what_is_wrong_alone() -> None:
    out = io.StringIO()
    progress = TerminalProgress(Screen(Console(file=out, color_system=None)), quiet=True)
    with progress.step("resolve") as step:
        step.note("2 packages")
    with progress.step("verify") as step:
        step.note("1 error", Mark.BAD)
    progress.say("engine host")
    progress.aside("engine host")
    progress.warn("odd")
    assert [line.split()[1] for line in out.getvalue().splitlines()] == ["verify", "odd"]


def test_outside_a_terminal_nothing_is_folded_or_cut() -> None:
    out = io.StringIO()
    screen = Screen(Console(file=out, color_system=None, width=20))
    screen.line("word " * 100)
    screen.table("a title that is long", ("name", "what"), [("n" * 150, "w" * 150)], numbers=False)
    lines = out.getvalue().splitlines()
    assert len(lines) == 4
    assert ("n" * 150 + " ") in lines[3]
    assert "w" * 150 in lines[3]


ANYTHING = st.text(alphabet=st.sampled_from("ab[]/\\:=#\x1b\x07\x9b\r\u202e\n @red")) | st.text()


@given(ANYTHING, st.booleans())
def test_no_text_is_markup_or_steers_a_terminal(text: str, terminal: bool) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=80, color_system=None)
    progress = TerminalProgress(Screen(console))
    screen = Screen(console)
    for show in (screen.line, progress.say, progress.warn, progress.aside):
        show(text)
    screen.line("head ", (text, "bold red"))
    screen.table(text, ("a", text), [(text, text)])
    shown = out.getvalue().replace("\x1b[0m", "").replace("\x1b[1m", "")
    assert all(char.isprintable() or char == "\n" for char in shown)
    assert not any(line.lstrip().startswith("::") for line in shown.splitlines())


@given(ANYTHING)
def test_a_line_holds_all_of_its_text(text: str) -> None:
    out = io.StringIO()
    Screen(Console(file=out, color_system=None)).line("<", text, ">")
    assert out.getvalue() == f"<{inert(text)}>\n"


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


@dataclass
class Beats:
    """An end that comes after so many beats of a heart, as soon as it is called for."""

    count: int
    called: threading.Event = field(default_factory=threading.Event)
    waits: list[float] = field(default_factory=list)

    def wait(self, timeout: float) -> bool:
        self.waits.append(timeout)
        return len(self.waits) > self.count and self.called.wait(60)

    def set(self) -> None:
        self.called.set()


def long_step(*, quiet: bool = False, expected: float | None = 1500.0, beats: int = 2) -> list[str]:
    """What a pipe shows of a step that takes long."""
    out = io.StringIO()
    screen = Screen(Console(file=out, color_system=None))
    progress = TerminalProgress(screen, quiet=quiet, endings=lambda: Beats(beats))
    with progress.step("scipy") as step:
        step.takes_long("2 of 4", expected)
        step.note("30.1 MB")
    return [re.sub(r"\d\.\d s$", "", line).rstrip() for line in out.getvalue().splitlines()]


def test_a_pipe_gets_a_line_at_the_start_of_a_long_step_one_now_and_then_and_one_at_its_end() -> None:
    assert long_step() == [
        "  scipy     step 2 of 4, about 25 min",
        "  scipy     still runs after 5 min (about 25 min expected)",
        "  scipy     still runs after 10 min (about 25 min expected)",
        "✓ scipy     30.1 MB",
    ]


def test_a_long_step_of_which_nobody_knows_how_long_says_so() -> None:
    assert long_step(expected=None, beats=1)[:2] == [
        "  scipy     step 2 of 4, nobody knows how long",
        "  scipy     still runs after 5 min",
    ]


def test_quiet_progress_says_nothing_of_a_long_step_that_goes_well() -> None:
    assert long_step(quiet=True) == []


def test_a_long_step_that_fails_says_no_more_than_that() -> None:
    out = io.StringIO()
    ending = Beats(0)
    progress = TerminalProgress(Screen(Console(file=out, color_system=None)), endings=lambda: ending)

    def fail() -> None:
        with progress.step("scipy") as step:
            step.takes_long("1 of 1", 60)
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert ending.called.is_set()
    assert [line[:7] for line in out.getvalue().splitlines()] == ["  scipy", "✕ scipy"]


def test_a_terminal_sees_which_step_it_is_and_how_long_it_will_take_while_it_runs() -> None:
    progress, out = a_screen(terminal=True)
    with progress.step("scipy") as step:
        step.takes_long("2 of 4", 1500)
    assert "step 2 of 4" in out.getvalue()
    assert re.search(r"✓ scipy +\d\.\d s$", out.getvalue().rstrip())
    assert "still runs" not in out.getvalue()


@pytest.mark.parametrize(("elapsed", "percent"), [(0.0, 0), (375.0, 25), (1500.0, 99), (9000.0, 99)])
def test_a_bar_that_goes_by_the_time_fills_up_but_for_the_end(elapsed: float, percent: int) -> None:
    now = [50.0]
    bars = TimedProgress(get_time=lambda: now[0], disable=True)
    task = bars.add_task("scipy", total=None, of="", timed=False)
    Bar(bars, task).time("step 2 of 4, about 25 min", 1500.0)
    now[0] += elapsed
    list(bars.get_renderables())
    assert int(bars.tasks[0].percentage) == percent


def test_progress_of_one_of_several_layers_says_of_which_and_counts_as_that_of_any() -> None:
    progress, out = a_screen()
    for layer in ("one-py313-x86_64", "two-py313-x86_64"):
        shown = LayerProgress(progress, layer)
        with shown.step("install") as step:
            step.note("1 package")
        shown.say("said")
        shown.aside("aside")
        shown.warn("warned")
    lines = out.getvalue().splitlines()
    assert len(lines) == 8
    assert lines[0].startswith("✓ one-py313-x86_64 install 1 package")
    assert [line.strip() for line in lines[5:]] == [
        "two-py313-x86_64 said",
        "two-py313-x86_64 aside",
        "! two-py313-x86_64 warned",
    ]
    assert list(progress.seconds) == ["install"]
