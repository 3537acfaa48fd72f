"""Shows text and work to people: whatever it holds, a text is shown literally and steers nothing.

Of work there is a live line a step on a terminal, and one plain line a step elsewhere.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from layerforge.core.progress import Mark, Step
from layerforge.core.text import megabytes, visible

Part = str | tuple[str, str]
"""Text of a line, or text and its style."""

LONGEST = 200
"""Characters that a cell may have before its middle is left out; a path in a zip can have thousands."""

_UNCUT = 100_000
"""Columns of a stream that is no terminal."""

_COMMAND = re.compile(r"^(\s*)::", re.MULTILINE)

_MARKS: Mapping[Mark, Part] = {
    Mark.GOOD: ("✓", "green"),
    Mark.DOUBTFUL: ("!", "yellow"),
    Mark.UNDONE: ("–", "dim"),
    Mark.BAD: ("✕", "red"),
}


class Screen:
    """Lines and tables on a stream. No text that it is given is markup, none steers a terminal or GitHub's runner.

    Outside a terminal nothing is folded or cut.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        if not console.file.isatty() and not console.is_terminal:
            console.width = _UNCUT

    @property
    def is_terminal(self) -> bool:
        """Whether people see it at once."""
        return self._console.is_terminal

    def line(self, *parts: Part) -> None:
        """One line; an empty one without parts. Styles are the caller's own, texts may be anybody's."""
        self._console.print(styled(*parts), soft_wrap=True, highlight=False)

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = True) -> None:
        """A table whose first column is text and whose others are numbers, unless they are texts too."""
        made = Table(title=styled(title), title_justify="left", box=None, pad_edge=False, header_style="bold")
        for place, column in enumerate(columns):
            right = numbers and place > 0
            made.add_column(styled(column), justify="right" if right else "left", overflow="fold", no_wrap=right)
        for row in rows:
            made.add_row(*(styled(shortened(cell)) for cell in row))
        if not title:
            made.title = None
        self._console.print(made, highlight=False)

    def bars(self) -> Bars:
        """A live line for a step, on a terminal."""
        return Bars(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TextColumn("{task.fields[of]}", markup=False),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )


def styled(*parts: Part) -> Text:
    """Parts of a line, each inert and in its style."""
    made = Text()
    for part in parts:
        text, style = (part, "") if isinstance(part, str) else part
        made.append(inert(text), style or None)
    return made


def inert(text: str) -> str:
    """Text of unknown origin, with all that steers a terminal written as its number; new lines stay.

    Nor is a line a command to GitHub's runner, which are those that begin with two colons.
    """
    return _COMMAND.sub(r"\1\\x3a:", "\n".join(map(visible, text.split("\n"))))


def shortened(text: str, most: int = LONGEST) -> str:
    """``text``, without its middle where it is long."""
    return text if len(text) <= most else f"{text[: most - most // 3]}…{text[-(most // 3) :]}"


class TerminalStep:
    """A step on the screen."""

    def __init__(self, bars: Bars, task: TaskID) -> None:
        self._bars = bars
        self._task = task
        self.text = ""
        self.mark = Mark.GOOD
        self._total = 0

    def expect(self, amount: int) -> None:
        """Lengthens the bar by ``amount`` bytes."""
        self._total += amount
        self._bars.update(self._task, total=self._total, of=f"of {megabytes(self._total)}")

    def advance(self, amount: int) -> None:
        """Moves the bar; safe from any thread."""
        self._bars.advance(self._task, amount)

    def note(self, text: str, mark: Mark = Mark.GOOD) -> None:
        """Sets what the step's last line says, and how it went."""
        self.text, self.mark = text, mark


class TerminalProgress:
    """Progress on a screen. ``seconds`` collects how long each step took, by its title.

    A quiet one shows what is wrong alone.
    """

    def __init__(self, screen: Screen, *, quiet: bool = False) -> None:
        self._screen = screen
        self._quiet = quiet
        self._seconds: dict[str, float] = {}

    @property
    def seconds(self) -> Mapping[str, float]:
        """Wall seconds by step title, in order."""
        return dict(self._seconds)

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Opens a step. It ends with the mark that it was given, or with a cross where an exception passes through."""
        started = time.monotonic()
        mark, text = Mark.BAD, ""
        try:
            with self._screen.bars() as bars:
                step = TerminalStep(bars, bars.add_task(title, total=None, of=""))
                try:
                    yield step
                except BaseException:
                    mark = Mark.UNTOLD if step.mark is Mark.UNTOLD else Mark.BAD
                    raise
            mark, text = step.mark, step.text
        finally:
            spent = time.monotonic() - started
            self._seconds[title] = self._seconds.get(title, 0.0) + spent
            self._end(mark, title, text, spent)

    def _end(self, mark: Mark, title: str, text: str, spent: float) -> None:
        if mark is Mark.UNTOLD or (self._quiet and mark in {Mark.GOOD, Mark.UNDONE}):
            return
        self._screen.line(_MARKS[mark], f" {title:<9} {text} ", (f"{spent:.1f} s", "dim"))

    def say(self, text: str) -> None:
        """A plain line."""
        if not self._quiet:
            self._screen.line(f"  {text}")

    def aside(self, text: str) -> None:
        """A line for those who want to know."""
        if not self._quiet:
            self._screen.line((f"  {text}", "dim"))

    def warn(self, text: str) -> None:
        """A line that stands out."""
        self._screen.line(("!", "yellow"), f" {text}")
