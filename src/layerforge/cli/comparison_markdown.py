"""A comparison of two layers as Markdown, for a pull request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from layerforge.cli import github
from layerforge.cli.comparison import (
    MOST_ROWS,
    Pair,
    finding_line,
    heading,
    largest_files,
    largest_packages,
    package_row,
    remarks,
    rest_line,
    sums,
)
from layerforge.cli.screen import shortened
from layerforge.core.text import cell, counted
from layerforge.report.diff import Changes


def as_markdown(pair: Pair, refused: str = "") -> str:
    """The changes for a job's summary or a pull request's comment, what matters first.

    ``refused`` tells, in Markdown, why the newer layer is too large.
    """
    changes = pair.changes
    parts = [f"### {cell(heading(pair))}\n", refused]
    if not changes.same_bytes:
        parts += [
            _markdown_table(("", "before", "after", "change"), sums(changes)),
            "".join(f"- {cell(line)}\n" for line in remarks(changes)),
            "".join(f"- {cell(one.name)}: {cell(one.before)} → {cell(one.after)}\n" for one in changes.made),
            *_markdown_findings(changes),
            *_markdown_parts(changes),
        ]
    return "\n".join(f"{part.strip()}\n" for part in parts if part)


def _markdown_parts(changes: Changes) -> Iterator[str]:
    if changes.packages:
        columns = ("package", "version", "unzipped", "change", "zipped", "change", "files")
        yield _markdown_table(columns, map(package_row, largest_packages(changes.packages, MOST_ROWS)))
        yield _more(len(changes.packages), "package")
    if files := largest_files(changes):
        folded = _markdown_table(("file", "unzipped", "change"), files)
        yield f"<details><summary>{rest_line(changes)}</summary>\n\n{folded}\n</details>\n"


def _markdown_table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [columns, ("---", *("--:" for _ in columns[1:])), *(tuple(map(_cell, row)) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(text: str) -> str:
    return cell(shortened(text))


def _markdown_findings(changes: Changes) -> Iterator[str]:
    if changes.new:
        yield f"**New findings**\n\n{github.findings(changes.new)}"
    yield "".join(f"- gone: {_cell(finding_line(one))}\n" for one in changes.gone[:MOST_ROWS])
    yield _more(len(changes.gone), "gone finding")


def _more(count: int, noun: str) -> str:
    return f"… and {counted(count - MOST_ROWS, noun)} more\n" if count > MOST_ROWS else ""
