"""The live line of a step on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from layerforge.core.text import megabytes

_NEARLY = 0.99
"""Of a bar that goes by the time, where more time has passed than was expected."""


class Bar:
    """The bar of one step, in bytes or in time."""

    def __init__(self, bars: Progress, task: TaskID) -> None:
        self._bars = bars
        self._task = task

    def lengthen(self, total: int) -> None:
        """Sets how many bytes there are."""
        self._bars.update(self._task, total=total, of=f"of {megabytes(total)}")

    def advance(self, amount: int) -> None:
        """Moves on by some of them; safe from any thread."""
        self._bars.advance(self._task, amount)

    def time(self, text: str, expected: float | None) -> None:
        """Goes by the time from now on; ``expected`` are the seconds of a whole bar, where they are known."""
        self._bars.update(self._task, total=expected, of=text, timed=expected is not None)


class TimedProgress(Progress):
    """Bars of which some go by the time."""

    def get_renderables(self) -> Iterable[RenderableType]:
        """What is drawn, several times a second."""
        for task in self.tasks:
            if task.fields["timed"] and task.total:
                task.completed = min(task.elapsed or 0.0, task.total * _NEARLY)
        return super().get_renderables()


@contextmanager
def opened(console: Console, title: str) -> Iterator[Bar]:
    """A live line for a step, which goes away with it."""
    with TimedProgress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TextColumn("{task.fields[of]}", markup=False),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as bars:
        yield Bar(bars, bars.add_task(title, total=None, of="", timed=False))
