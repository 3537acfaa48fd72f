"""Shows the work to people: a live line a step on a terminal, one plain line a step elsewhere. Standard error only."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, SpinnerColumn, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from layerforge.model import Step

_ASCII = re.compile(r"[ -~]*")


class TerminalStep:
    """A step on the screen."""

    def __init__(self, bars: Bars, task: TaskID) -> None:
        self._bars = bars
        self._task = task
        self.text = ""
        self._total = 0

    def expect(self, amount: int) -> None:
        """Lengthens the bar by ``amount`` bytes."""
        self._total += amount
        self._bars.update(self._task, total=self._total, of=f"of {megabytes(self._total)}")

    def advance(self, amount: int) -> None:
        """Moves the bar; safe from any thread."""
        self._bars.advance(self._task, amount)

    def note(self, text: str) -> None:
        """Sets what the step's last line says."""
        self.text = text


class TerminalProgress:
    """Progress on standard error. ``seconds`` collects how long each step took, by its title."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._seconds: dict[str, float] = {}

    @property
    def seconds(self) -> Mapping[str, float]:
        """Wall seconds by step title, in order."""
        return dict(self._seconds)

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Opens a step. It ends with a tick, or with a cross where an exception passes through."""
        started = time.monotonic()
        mark, text = "[red]✕[/]", ""
        try:
            with self._bars() as bars:
                step = TerminalStep(bars, bars.add_task(title, total=None, of=""))
                yield step
            mark, text = "[green]✓[/]", step.text
        finally:
            spent = time.monotonic() - started
            self._seconds[title] = self._seconds.get(title, 0.0) + spent
            self._line(mark, title, text, spent)

    def _bars(self) -> Bars:
        return Bars(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TextColumn("{task.fields[of]}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )

    def _line(self, mark: str, title: str, text: str, spent: float) -> None:
        self._console.print(f"{mark} {title:<9} {escape(text)} [dim]{spent:.1f} s[/]", highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """A plain line."""
        self._console.print(f"  {escape(text)}", highlight=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """A line that stands out."""
        self._console.print(f"[yellow]![/] {escape(text)}", highlight=False, soft_wrap=True)


def megabytes(size: int) -> str:
    """``12.3 MB``; smaller sizes in kB or bytes. Decimal units, as AWS's console shows them."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if abs(size) >= factor:
            return f"{size / factor:,.1f} {unit}"
    return f"{size} bytes"


def counted(number: int, noun: str) -> str:
    """``1 file``, ``2,300 files``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def cell(text: str) -> str:
    """Text as it stands in a cell of a Markdown table: on one line, all of it to be seen, and taken literally."""
    literal = re.sub(r"([\\`*_~$\[\]|])", r"\\\1", visible(" ".join(text.split())))
    # With a space of no width behind it, an @ in a pull request's comment calls nobody.
    return html.escape(literal, quote=False).replace("@", "@&#8203;")


def visible(text: str) -> str:
    """``text`` with every character that cannot be seen, or that changes how others are, written as its number.

    That takes control characters, those that turn the direction of writing, those of no width and lone surrogates.
    """
    if _ASCII.fullmatch(text) or text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    number = ord(char)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
