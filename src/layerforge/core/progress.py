"""Where work is shown: Protocols that know nothing of what shows it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Protocol


class Mark(StrEnum):
    """How a step of the work went."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    """Done, with something that a person should look at."""
    UNDONE = "undone"
    """Left out, so that nothing is known."""
    BAD = "bad"
    UNTOLD = "untold"
    """Nothing is shown of it; somebody else says how it went."""


class Step(Protocol):
    """One visible step of the work."""

    def expect(self, amount: int) -> None:
        """Raises the step's total by ``amount``."""

    def advance(self, amount: int) -> None:
        """Says that ``amount`` more of the step's total is done."""

    def takes_long(self, place: str, expected: float | None) -> None:
        """Says that the step may take minutes: its place among such steps, ``2 of 4``, and the seconds that are
        expected; ``None`` where nobody knows.
        """

    def live(self, text: str, expected: float | None) -> None:
        """Says how it goes, as often as one likes: only where somebody sees it at once is it shown. ``expected`` are
        the seconds of the whole step, where they are known.
        """

    def note(self, text: str, mark: Mark = Mark.GOOD) -> None:
        """Sets what stands on the step's line when it ends, ``11.9 MB saved in 96 files``, and how it went."""


class Progress(Protocol):
    """Where the work is shown. Knows nothing of what is shown."""

    def step(self, title: str) -> AbstractContextManager[Step]:
        """Opens a step; its line gets the duration when it closes."""

    def say(self, text: str) -> None:
        """One line for people."""

    def aside(self, text: str) -> None:
        """One line that few people need."""

    def warn(self, text: str) -> None:
        """One line that asks for attention."""
