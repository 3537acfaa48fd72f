"""Shows text to people: whatever it holds, it is shown literally and steers nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from layerforge.core.text import visible

if TYPE_CHECKING:
    from layerforge.cli.bars import Bar

Part = str | tuple[str, str]
"""Text of a line, or text and its style."""

LONGEST = 200
"""Characters that a cell may have before its middle is left out; a path in a zip can have thousands."""

_UNCUT = 100_000
"""Columns of a stream that is no terminal."""

_COMMAND = re.compile(r"^(\s*)::", re.MULTILINE)


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

    def table(
        self,
        title: str,
        columns: Sequence[str],
        rows: Iterable[Sequence[str]],
        *,
        numbers: bool = True,
        words: bool = False,
    ) -> None:
        """A table whose first column is text and whose others are numbers, unless they are texts too; with ``words``
        the last one is.
        """
        grid = Table(title=styled(title), title_justify="left", box=None, pad_edge=False, header_style="bold")
        for place, column in enumerate(columns):
            right = numbers and place > 0 and not (words and place == len(columns) - 1)
            grid.add_column(styled(column), justify="right" if right else "left", overflow="fold", no_wrap=right)
        for row in rows:
            grid.add_row(*(styled(self.fitting(cell)) for cell in row))
        if not title:
            grid.title = None
        self._console.print(grid, highlight=False)

    def fitting(self, text: str, most: int = LONGEST) -> str:
        """``text``, at a terminal without its middle where it is long. What is read by a program is whole."""
        return shortened(text, most) if self.is_terminal else text

    @contextmanager
    def bar(self, title: str) -> Iterator[Bar | None]:
        """A live line for a step; ``None`` outside a terminal."""
        if not self.is_terminal:
            yield None
            return
        # What draws it takes longer to load than a build that comes from the store.
        from layerforge.cli.bars import opened

        with opened(self._console, title) as bar:
            yield bar


def styled(*parts: Part) -> Text:
    """Parts of a line, each inert and in its style."""
    line = Text()
    for part in parts:
        text, style = (part, "") if isinstance(part, str) else part
        line.append(inert(text), style or None)
    return line


def inert(text: str) -> str:
    """Text of unknown origin, with all that steers a terminal written as its number; new lines stay.

    Nor is a line a command to GitHub's runner, which are those that begin with two colons.
    """
    return _COMMAND.sub(r"\1\\x3a:", "\n".join(map(visible, text.split("\n"))))


def shortened(text: str, most: int = LONGEST) -> str:
    """``text``, without its middle where it is long."""
    return text if len(text) <= most else f"{text[: most - most // 3]}…{text[-(most // 3) :]}"
