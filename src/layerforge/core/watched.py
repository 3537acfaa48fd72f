"""Progress that ends the work which it shows, where somebody has asked for that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from layerforge.core.progress import Mark, Progress, Step


class Ending(Protocol):
    """Whether the end has come; ``threading.Event`` is one."""

    def is_set(self) -> bool:
        """Whether it has."""


@dataclass(frozen=True, kw_only=True)
class _WatchedStep:
    step: Step
    ending: Ending

    def expect(self, amount: int) -> None:
        _refuse(self.ending)
        self.step.expect(amount)

    def advance(self, amount: int) -> None:
        _refuse(self.ending)
        self.step.advance(amount)

    def takes_long(self, place: str, expected: float | None) -> None:
        self.step.takes_long(place, expected)

    def live(self, text: str, expected: float | None) -> None:
        self.step.live(text, expected)

    def note(self, text: str, mark: Mark = Mark.GOOD) -> None:
        self.step.note(text, mark)


@dataclass(frozen=True, kw_only=True)
class Watched:
    """Shows what ``progress`` shows. Once the end has come, whoever says that the work goes on in this thread gets a
    ``KeyboardInterrupt``: containers and children can be stopped from outside, a thread cannot.
    """

    progress: Progress
    ending: Ending

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Opens a step."""
        _refuse(self.ending)
        with self.progress.step(title) as step:
            yield _WatchedStep(step=step, ending=self.ending)

    def say(self, text: str) -> None:
        """One line for people."""
        self.progress.say(text)

    def aside(self, text: str) -> None:
        """One line that few people need."""
        self.progress.aside(text)

    def warn(self, text: str) -> None:
        """One line that asks for attention."""
        self.progress.warn(text)


def go_on(progress: Progress) -> None:
    """Raises ``KeyboardInterrupt`` where the end of the work that is shown there has come.

    For where nothing is to be kept of what a stopped container or child has left half done.
    """
    if isinstance(progress, Watched):
        _refuse(progress.ending)


def _refuse(ending: Ending) -> None:
    if ending.is_set():
        raise KeyboardInterrupt
