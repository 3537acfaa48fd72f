"""What ``inspect --against`` shows: the changes between two layers, as text, as Markdown, and as a gate for CI."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from layerforge.cli import github, output_files, terminal
from layerforge.cli.comparison import (
    LONGEST_VERSION,
    Pair,
    file_row,
    finding_line,
    growth,
    heading,
    largest_files,
    name_cell,
    package_row,
    remarks,
    rest_line,
    signed,
    sums,
    version_cell,
)
from layerforge.cli.comparison_markdown import as_markdown
from layerforge.cli.screen import Screen
from layerforge.core.errors import UsageError, VerificationError
from layerforge.core.text import megabytes
from layerforge.report.diff import Changes
from layerforge.report.growth import GrowthLimit, growth_beyond
from layerforge.resolve import recipe_values

MOST_REASONS = 10
"""Lines that an error shows of what grew."""

STANDARD_OUTPUT = Path("-")
_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%")
Command = TypeVar("Command", bound=Callable[..., Any])


def options(command: Command) -> Command:
    """``--against`` and what goes with it."""
    for option in (
        click.option(
            "--markdown",
            metavar="FILE",
            type=click.Path(path_type=Path, allow_dash=True),
            help="Write the changes there as Markdown, for a pull request's comment; - is standard output.",
        ),
        click.option(
            "--fail-if-grown",
            "limit",
            metavar="LIMIT",
            callback=_limit,
            help='Exit 7 if unzipped or zipped size grew by more, such as 2% or "500 kB", or is above the budget.',
        ),
        click.option(
            "--against",
            "older",
            metavar="OLD",
            type=click.Path(path_type=Path),
            help="Show what changed since that ZIP.",
        ),
    ):
        command = option(command)
    return command


def _limit(_context: click.Context, _option: click.Parameter, text: str | None) -> GrowthLimit | None:
    if text is None:
        return None
    if match := _SHARE.fullmatch(text.strip()):
        return GrowthLimit(share=float(match[1]) / 100)
    try:
        return GrowthLimit(size=recipe_values.bytes_of(text.strip()))
    except ValueError as error:
        raise UsageError(
            f"{text!r} is no limit for growth", hint='give a share such as 2%, or a size such as "500 kB" or 0'
        ) from error


def refuse_alone(old: Path | None, limit: GrowthLimit | None, markdown: Path | None, *, as_json: bool) -> None:
    """Raises ``UsageError`` for options that do not go together, before anything is read."""
    if old is None and (limit or markdown):
        raise UsageError("--fail-if-grown and --markdown go with --against", hint="name the older zip: --against OLD")
    if markdown == STANDARD_OUTPUT and as_json:
        raise UsageError("--json and --markdown - both want standard output", hint="give --markdown a file")


def tell_ci(pair: Pair, limit: GrowthLimit | None, markdown: Path | None) -> None:
    """Writes the changes wherever Markdown is wanted. Raises ``VerificationError`` for a layer that is too large."""
    error = refusal(pair, limit)
    # The error that ends a run goes to the job's summary by itself.
    terminal.step_summary(as_markdown(pair))
    text = as_markdown(pair, github.failure(error) if error else "")
    if markdown == STANDARD_OUTPUT:
        click.echo(text, nl=False)
    elif markdown:
        output_files.write(markdown, text.encode())
    if error:
        raise error


def refusal(pair: Pair, limit: GrowthLimit | None) -> VerificationError | None:
    """Why the newer layer is too large: growth beyond ``limit``, or a size above the budget, with what grew most.

    Without a limit nothing is too large.
    """
    if limit is None:
        return None
    over = [
        f"{name} size grew by {growth(delta).lstrip('+')}, of {limit.text} allowed"
        for name, delta in growth_beyond(pair.changes, limit)
    ]
    if pair.new.manifest:
        seen, budget = pair.new.examination, pair.new.manifest.budget
        above = budget.exceeded(seen.unzipped, seen.zipped)
        over += [f"{size:,} bytes {name} are above the recipe's budget of {most:,}" for name, size, most in above]
    if not over:
        return None
    return VerificationError(
        f"{pair.new.examination.path.name} is larger than allowed: {'; '.join(over)}",
        hint="if that is right, raise --fail-if-grown or the recipe's budget",
        details=tuple(_reasons(pair.changes)),
    )


def _reasons(changes: Changes) -> Iterator[str]:
    """The packages that grew most, then the files."""
    for part in [one for one in changes.packages if one.unzipped.change > 0][:MOST_REASONS]:
        yield f"{name_cell(part)} {version_cell(part)}: {signed(part.unzipped)}, {signed(part.zipped)} zipped"
    for part in [one for one in changes.files if one.unzipped.change > 0][:MOST_REASONS]:
        yield f"{file_row(part)}: {signed(part.unzipped)}, {signed(part.zipped)} zipped"


def show(out: Screen, pair: Pair) -> None:
    """The changes for people."""
    changes = pair.changes
    out.line((heading(pair), "bold"))
    if changes.same_bytes:
        return
    out.table("", ("", "before", "after", "change"), tuple(sums(changes)))
    for line in (*remarks(changes), *(f"{one.name}: {one.before} → {one.after}" for one in changes.made)):
        out.line(f"  {line}")
    for columns, rows in _tables(out, changes):
        out.line()
        out.table("", columns, rows)
    rest = rest_line(changes)
    if rest:
        out.line(f"  {rest}")
    out.line()
    for finding in changes.gone:
        out.line(("gone", "green"), f" {finding_line(finding)}")
    if changes.new:
        out.line(("new findings", "bold"))
        terminal.verdict(out, changes.new, ())


def _tables(out: Screen, changes: Changes) -> Iterator[tuple[Sequence[str], Sequence[Sequence[str]]]]:
    if changes.packages:
        # All that Markdown shows would not fit into 80 columns beside the names.
        rows = map(package_row, changes.packages)
        packages = [(row[0], out.fitting(row[1], LONGEST_VERSION), *row[2:4], row[5]) for row in rows]
        yield ("package", "version", "unzipped", "change", "zipped change"), packages
    if changes.kinds:
        kinds = [(one.name, megabytes(int(one.unzipped.after)), signed(one.unzipped)) for one in changes.kinds]
        yield ("kind", "unzipped", "change"), kinds
    if files := largest_files(changes):
        yield ("files that changed most", "unzipped", "change"), files
