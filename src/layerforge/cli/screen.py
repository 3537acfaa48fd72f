"""What every command shows and how: errors, sizes, tables, JSON."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from layerforge.errors import LayerforgeError
from layerforge.model import Finding, Severity
from layerforge.progress import visible

MOST_DETAILS = 30
"""Lines of evidence that an error shows."""

LONGEST = 200
"""Characters that a name may have before its middle is left out; a path in a zip can have thousands."""


_COMMAND = re.compile(r"^(\s*)::", re.MULTILINE)


def console() -> Console:
    """Standard error. rich itself respects NO_COLOR and a missing terminal."""
    return Console(stderr=True, highlight=False)


def errors(error: LayerforgeError) -> None:
    """Shows an error: what happened, the evidence, what to do next."""
    out = console()
    out.print(f"[bold red]✕ {error.title}:[/] {inert(error.message)}", soft_wrap=True)
    for line in error.details[:MOST_DETAILS]:
        out.print(f"    [dim]{inert(line)}[/]", soft_wrap=True)
    if len(error.details) > MOST_DETAILS:
        out.print(f"    [dim]… and {len(error.details) - MOST_DETAILS} more[/]")
    if error.hint:
        out.print(f"  [bold]→[/] {inert(error.hint)}", soft_wrap=True)


def verdict(out: Console, findings: Iterable[Finding], notes: Iterable[str]) -> None:
    """Shows findings, a line and a hint each, then what is worth knowing though nothing is wrong with it."""
    for one in findings:
        colour = "red" if one.severity is Severity.ERROR else "yellow"
        where = f" {inert(one.path)}:" if one.path else ""
        out.print(f"[{colour}]{one.rule} {one.severity}[/]{where} {inert(one.message)}", soft_wrap=True)
        out.print(f"      → {inert(one.hint)}", soft_wrap=True)
    for note in notes:
        out.print(f"  {inert(note)}", soft_wrap=True)


def inert(text: str) -> str:
    """Text of unknown origin as the console takes it literally: neither its markup nor what steers a terminal works.

    Nor is a line a command to GitHub's runner, which are those that begin with two colons.
    """
    return escape(_COMMAND.sub(r"\1\\x3a:", "\n".join(map(visible, text.split("\n")))))


def shortened(text: str, most: int = LONGEST) -> str:
    """``text``, without its middle where it is long."""
    return text if len(text) <= most else f"{text[: most - most // 3]}…{text[-(most // 3) :]}"


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table whose first column is text and whose others are numbers."""
    made = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        made.add_column(column, justify="right" if number else "left", overflow="fold", no_wrap=bool(number))
    for row in rows:
        made.add_row(*(inert(shortened(cell)) for cell in row))
    return made


def print_json(value: Any) -> None:
    """The only thing that goes to standard output."""
    click.echo(json.dumps(value, indent=1))


def step_summary(markdown: str) -> None:
    """Adds Markdown to the summary of a GitHub job, where one runs. Failing to is no reason to lose a layer."""
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(markdown)
        except OSError as error:
            console().print(f"[yellow]![/] the job's summary cannot be written: {escape(str(error))}", soft_wrap=True)
