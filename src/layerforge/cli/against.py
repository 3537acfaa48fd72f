"""What ``inspect --against`` shows: the changes between two layers, as text, as Markdown, and as a gate for CI."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

from layerforge import changes as compared
from layerforge import recipe
from layerforge.changes import Changes, Delta, Limit, Part, Side
from layerforge.cli import screen, summary
from layerforge.errors import UsageError, VerificationError
from layerforge.model import Finding
from layerforge.page import Subject, visible
from layerforge.progress import cell, counted, megabytes
from layerforge.store import write_atomically, writing

MOST_FILES = 10
MOST_REASONS = 10
"""Lines that an error shows of what grew."""

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


def _limit(_context: click.Context, _option: click.Parameter, text: str | None) -> Limit | None:
    if text is None:
        return None
    if match := _SHARE.fullmatch(text.strip()):
        return Limit(share=float(match[1]) / 100)
    try:
        return Limit(size=recipe.size(text.strip()))
    except ValueError as error:
        raise UsageError(
            f"{text!r} is no limit for growth", hint='give a share such as 2%, or a size such as "500 kB" or 0'
        ) from error


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two layers that are compared."""

    old: Side
    new: Side

    @cached_property
    def changes(self) -> Changes:
        """What is another between them."""
        return compared.compare(self.old, self.new)


def side(subject: Subject) -> Side:
    """A layer as one of two that are compared."""
    measured = subject.beside.coldstart
    medians: dict[int, float] = {}
    for runs in measured.runs if measured else ():
        # Those of the layer itself stand first.
        medians.setdefault(runs.memory_mb, statistics.median(runs.init_ms))
    return Side(
        target=subject.target,
        examination=subject.examination,
        findings=subject.findings,
        manifest=subject.beside.manifest,
        init_ms=medians,
    )


def refuse_alone(old: Path | None, limit: Limit | None, markdown: Path | None, *, as_json: bool) -> None:
    """Raises ``UsageError`` for options that do not go together, before anything is read."""
    if old is None and (limit or markdown):
        raise UsageError("--fail-if-grown and --markdown go with --against", hint="name the older zip: --against OLD")
    if markdown == Path("-") and as_json:
        raise UsageError("--json and --markdown - both want standard output", hint="give --markdown a file")
    if markdown and markdown.suffix == ".zip":
        raise UsageError(f"the Markdown would take the place of a zip: {markdown}", hint="name it changes.md")


def tell_ci(pair: Pair, markdown: Path | None) -> None:
    """Writes the changes wherever Markdown is wanted."""
    text = as_markdown(pair)
    screen.step_summary(text)
    if markdown == Path("-"):
        click.echo(text, nl=False)
    elif markdown:
        with writing(markdown.parent):
            write_atomically(markdown, text.encode())


def gate(pair: Pair, limit: Limit | None) -> None:
    """Raises ``VerificationError``, with what grew most, for growth beyond ``limit`` or a size above the budget.

    Does nothing without a limit.
    """
    if limit is None:
        return
    over = [f"{name} size grew by {_growth(delta)}" for name, delta in compared.grown(pair.changes, limit)]
    if pair.new.manifest:
        budget = compared.above_budget(pair.new.examination, pair.new.manifest.budget)
        over += [f"{size:,} bytes {name} are above the recipe's budget of {most:,}" for name, size, most in budget]
    if over:
        raise VerificationError(
            f"{pair.new.examination.path.name} is larger than allowed: {'; '.join(over)}",
            hint="if that is right, raise --fail-if-grown or the recipe's budget",
            details=tuple(_reasons(pair.changes)),
        )


def _reasons(changes: Changes) -> Iterator[str]:
    """The packages that grew most, then the files."""
    for part in [one for one in changes.packages if one.unzipped.change > 0][:MOST_REASONS]:
        yield f"{part.name or '(no package)'} {_version(part)}: {_signed(part.unzipped)}, {_signed(part.zipped)} zipped"
    for part in [one for one in changes.files if one.unzipped.change > 0][:MOST_REASONS]:
        yield f"{visible(part.after)}: {_signed(part.unzipped)}, {_signed(part.zipped)} zipped"


# --- on the terminal -------------------------------------------------------------------------------------------------


def show(out: Console, pair: Pair) -> None:
    """The changes for people."""
    changes = pair.changes
    out.print(heading(pair), style="bold", markup=False, soft_wrap=True)
    if changes.same_bytes:
        return
    rows = [(name, *cells) for name, *cells in _sums(changes)]
    out.print(screen.table("", ("", "before", "after", "change"), rows))
    for table in _tables(changes):
        out.print()
        out.print(table)
    rest = _rest(changes)
    if rest:
        out.print(f"  {rest}", markup=False, soft_wrap=True)
    out.print()
    for one in changes.made:
        out.print(f"  {one.name}: {one.before} → {one.after}", markup=False, soft_wrap=True)
    for finding in changes.gone:
        out.print(f"[green]gone[/] {_finding(finding)}", soft_wrap=True, highlight=False)
    if changes.new:
        out.print("[bold]new findings[/]")
        screen.verdict(out, changes.new, ())


def heading(pair: Pair) -> str:
    """One line: which layers, and whether they are the same."""
    new, old = pair.new.examination, pair.old.examination
    names = f"{new.path.name} against {old.path.name}"
    if old.path.name == new.path.name:
        names = f"{new.path} against {old.path}"
    if pair.changes.same_bytes:
        return f"{names}: the same bytes, sha256 {new.sha256}"
    if pair.changes.same_content:
        return f"{names}: the same files, packed otherwise"
    return names


def _sums(changes: Changes) -> Iterator[tuple[str, str, str, str]]:
    for name, delta in (("unzipped", changes.unzipped), ("zipped", changes.zipped)):
        yield name, megabytes(int(delta.before)), megabytes(int(delta.after)), _growth(delta)
    files = changes.count
    yield "files", f"{files.before:,}", f"{files.after:,}", f"{files.change:+,}" if files.change else "same"
    if init := changes.init_ms:
        yield (
            f"init at {changes.init_memory_mb:,} MB",
            f"{init.before:,.0f} ms",
            f"{init.after:,.0f} ms",
            f"{init.change:+,.0f} ms{_percent(init)}",
        )


def _tables(changes: Changes) -> Iterator[Any]:
    if changes.packages:
        columns = ("package", "version", "unzipped", "change", "zipped", "change", "files")
        yield screen.table("", columns, map(_package_row, changes.packages))
    if changes.kinds:
        rows = ((one.name, megabytes(int(one.unzipped.after)), _signed(one.unzipped)) for one in changes.kinds)
        yield screen.table("", ("kind", "unzipped", "change"), rows)
    if largest := _largest(changes.files):
        rows = ((_file(one), megabytes(int(one.unzipped.after)), _signed(one.unzipped)) for one in largest)
        yield screen.table("", ("files that changed most", "unzipped", "change"), rows)


def _package_row(part: Part) -> tuple[str, ...]:
    return (
        part.name or "(no package)",
        _version(part),
        megabytes(int(part.unzipped.after)),
        _signed(part.unzipped),
        megabytes(int(part.zipped.after)),
        _signed(part.zipped),
        f"{part.files.change:+,}" if part.files.change else "same",
    )


def _version(part: Part) -> str:
    match compared.status(part):
        case "added":
            return f"new: {part.after}"
        case "removed":
            return f"gone: {part.before}"
        case _ if part.before == part.after:
            return part.after if part.name else ""
        case _:
            return f"{part.before} → {part.after}"


def _largest(files: Iterable[Part]) -> tuple[Part, ...]:
    """The files that changed the layer's size most: what grew first, then what shrank."""
    changed = sorted((one for one in files if one.unzipped.change), key=lambda one: -abs(one.unzipped.change))
    return tuple(sorted(changed[:MOST_FILES], key=lambda one: -one.unzipped.change))


def _file(part: Part) -> str:
    match compared.status(part):
        case "added":
            return f"{visible(part.after)} (new)"
        case "removed":
            return f"{visible(part.before)} (gone)"
        case _:
            return visible(part.after)


def _rest(changes: Changes) -> str:
    """What the tables leave out: ``12 files have other bytes, 3 are new, 1 is gone``."""
    counts = {name: sum(compared.status(one) == name for one in changes.files) for name in _WORDS}
    told = [f"{counted(count, 'file')} {_WORDS[name]}" for name, count in counts.items() if count]
    return ", ".join(told)


_WORDS = {"changed": "with other bytes", "added": "new", "removed": "gone"}


def _finding(finding: Finding) -> str:
    where = f" {finding.path}:" if finding.path else ""
    return f"{finding.rule}{visible(where)} {visible(finding.message)}".replace("[", "\\[")


def _growth(delta: Delta) -> str:
    return f"{_signed(delta)}{_percent(delta)}"


def _signed(delta: Delta) -> str:
    return f"{'+' if delta.change > 0 else ''}{megabytes(int(delta.change))}" if delta.change else "same"


def _percent(delta: Delta) -> str:
    return f" ({delta.ratio:+.1%})" if delta.ratio else ""


# --- Markdown --------------------------------------------------------------------------------------------------------


def as_markdown(pair: Pair) -> str:
    """The changes for a job's summary or a pull request's comment."""
    changes = pair.changes
    head = f"### {cell(heading(pair))}\n\n"
    if changes.same_bytes:
        return head
    made = "".join(f"- {cell(one.name)}: {cell(one.before)} → {cell(one.after)}\n" for one in changes.made)
    return "\n".join(filter(None, (head, _markdown_tables(changes), made, _markdown_findings(changes)))) + "\n"


def _markdown_tables(changes: Changes) -> str:
    files = [(_file(one), megabytes(int(one.unzipped.after)), _signed(one.unzipped)) for one in _largest(changes.files)]
    packages = list(map(_package_row, changes.packages))
    tables = [_markdown_table(("", "before", "after", "change"), _sums(changes))]
    if packages:
        columns = ("package", "version", "unzipped", "change", "zipped", "change", "files")
        tables.append(_markdown_table(columns, packages))
    if files:
        folded = _markdown_table(("file", "unzipped", "change"), files)
        tables.append(f"<details><summary>{_rest(changes)}</summary>\n\n{folded}\n</details>\n")
    return "\n".join(tables)


def _markdown_table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [columns, ("---", *("--:" for _ in columns[1:])), *(tuple(map(cell, row)) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _markdown_findings(changes: Changes) -> str:
    gone = "".join(f"- gone: {one.rule} {cell(f'{one.path} {one.message}')}\n" for one in changes.gone)
    new = f"**New findings**\n\n{summary.findings(changes.new)}" if changes.new else ""
    return gone + new
