"""The live line of a step on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
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


class Bar:
    """The bar of one step, in bytes."""

    def __init__(self, bars: Progress, task: TaskID) -> None:
        self._bars = bars
        self._task = task

    def lengthen(self, total: int) -> None:
        """Sets how many bytes there are."""
        self._bars.update(self._task, total=total, of=f"of {megabytes(total)}")

    def advance(self, amount: int) -> None:
        """Moves on by some of them; safe from any thread."""
        self._bars.advance(self._task, amount)


@contextmanager
def opened(console: Console, title: str) -> Iterator[Bar]:
    """A live line for a step, which goes away with it."""
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TextColumn("{task.fields[of]}", markup=False),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as bars:
        yield Bar(bars, bars.add_task(title, total=None, of=""))
