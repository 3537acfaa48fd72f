"""Shows work to people: a live line a step on a terminal, and one plain line a step elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from layerforge.cli.heartbeat import Ending, Heartbeat
from layerforge.cli.screen import Part, Screen
from layerforge.core.progress import Mark, Step
from layerforge.core.text import duration

if TYPE_CHECKING:
    from layerforge.cli.bars import Bar

_MARKS: Mapping[Mark, Part] = {
    Mark.GOOD: ("✓", "green"),
    Mark.DOUBTFUL: ("!", "yellow"),
    Mark.UNDONE: ("–", "dim"),
    Mark.BAD: ("✕", "red"),
}


class TerminalStep:
    """A step on the screen. Where there is no bar, ``say`` shows a line of it, if it takes long."""

    def __init__(self, bar: Bar | None, say: Callable[[str], None], ending: Ending) -> None:
        self._bar = bar
        self._say = say
        self._ending = ending
        self._heartbeat: Heartbeat | None = None
        self.text = ""
        self.mark = Mark.GOOD
        self._total = 0

    def expect(self, amount: int) -> None:
        """Lengthens the bar by ``amount`` bytes."""
        self._total += amount
        if self._bar:
            self._bar.lengthen(self._total)

    def advance(self, amount: int) -> None:
        """Moves the bar; safe from any thread."""
        if self._bar:
            self._bar.advance(amount)

    def takes_long(self, place: str, expected: float | None) -> None:
        """Shows which of such steps this is and how long it is expected to take; a bar goes by that."""
        about = f"about {duration(expected)}" if expected else "nobody knows how long"
        text = f"step {place}, {about}"
        if self._bar:
            self._bar.time(text, expected)
        else:
            self._say(text)
            of = f" ({about} expected)" if expected else ""
            self._heartbeat = Heartbeat(
                lambda spent: self._say(f"still runs after {duration(spent)}{of}"), self._ending
            )

    def live(self, text: str, expected: float | None) -> None:
        """Shows a text beside the bar, which goes by the time; nothing where there is none."""
        if self._bar:
            self._bar.time(text, expected)

    def close(self) -> None:
        """No more lines come."""
        if self._heartbeat:
            self._heartbeat.stop()

    def note(self, text: str, mark: Mark = Mark.GOOD) -> None:
        """Sets what the step's last line says, and how it went."""
        self.text, self.mark = text, mark


class TerminalProgress:
    """Progress on a screen. ``seconds`` collects how long each step took, by its title.

    A quiet one shows what is wrong alone. ``endings`` makes what ends the lines that a long step says meanwhile.
    """

    def __init__(self, screen: Screen, *, quiet: bool = False, endings: Callable[[], Ending] = threading.Event) -> None:
        self._screen = screen
        self._endings = endings
        self._quiet = quiet
        self._seconds: dict[str, float] = {}
        self._lock = threading.Lock()

    @property
    def seconds(self) -> Mapping[str, float]:
        """Wall seconds by step title, in order."""
        return dict(self._seconds)

    @contextmanager
    def step(self, title: str, shown: str = "") -> Iterator[Step]:
        """Opens a step. It ends with the mark that it was given, or with a cross where an exception passes through.

        ``shown`` is what stands on the screen instead of the title, under which the time counts.
        """
        shown = shown or title
        started = time.monotonic()
        mark, text = Mark.BAD, ""
        try:
            with self._screen.bar(shown) as bar:
                step = TerminalStep(bar, lambda said: self.aside(f"{shown:<9} {said}"), self._endings())
                try:
                    yield step
                except BaseException:
                    mark = Mark.UNTOLD if step.mark is Mark.UNTOLD else Mark.BAD
                    raise
                finally:
                    step.close()
            mark, text = step.mark, step.text
        finally:
            spent = time.monotonic() - started
            with self._lock:
                self._seconds[title] = self._seconds.get(title, 0.0) + spent
            self._end(mark, shown, text, spent)

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


class LayerProgress:
    """Progress of one of several layers that are made at the same time: every line says of which."""

    def __init__(self, progress: TerminalProgress, layer: str) -> None:
        self._progress = progress
        self._layer = layer

    def step(self, title: str) -> AbstractContextManager[Step]:
        """Opens a step."""
        return self._progress.step(title, f"{self._layer} {title}")

    def say(self, text: str) -> None:
        """A plain line."""
        self._progress.say(f"{self._layer} {text}")

    def aside(self, text: str) -> None:
        """A line for those who want to know."""
        self._progress.aside(f"{self._layer} {text}")

    def warn(self, text: str) -> None:
        """A line that stands out."""
        self._progress.warn(f"{self._layer} {text}")
