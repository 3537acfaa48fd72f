"""What ``inspect --against`` shows: the changes between two layers, as text, as Markdown, and as a gate for CI."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import click

from layerforge import changes as compared
from layerforge import recipe
from layerforge.changes import Changes, Delta, Limit, Part, Side, Times
from layerforge.cli import places, screen, summary
from layerforge.errors import UsageError, VerificationError
from layerforge.model import Finding
from layerforge.page import Runs, Subject
from layerforge.progress import Screen, cell, counted, megabytes, visible

MOST_FILES = 10
MOST_REASONS = 10
"""Lines that an error shows of what grew."""
MOST_ROWS = 50
"""Packages, and findings that are gone, that the Markdown shows: a comment has an end."""
LONGEST_VERSION = 16

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
    in_turns: bool = False
    """Whether both init phases come from one run of ``layerforge coldstart``."""

    @cached_property
    def changes(self) -> Changes:
        """What is another between them."""
        return compared.compare(self.old, self.new, in_turns=self.in_turns)


def pair(old: Subject, new: Subject) -> Pair:
    """Two layers that are compared, with the init phases of both where they can be held against each other."""
    then, now, in_turns = _init_times(old, new)
    return Pair(old=_side(old, then), new=_side(new, now), in_turns=in_turns)


def _side(subject: Subject, init_ms: Times) -> Side:
    return Side(
        target=subject.target,
        examination=subject.examination,
        findings=subject.findings,
        manifest=subject.beside.manifest,
        init_ms=init_ms,
    )


def _init_times(old: Subject, new: Subject) -> tuple[Times, Times, bool]:
    """Those of one run that measured both in turns, where there is one; else those of two runs of one function."""
    theirs, ours = old.beside.coldstart, new.beside.coldstart
    if ours and ours.against_sha256 == old.examination.sha256:
        return _by_size(ours.against), _by_size(ours.runs), True
    if theirs and theirs.against_sha256 == new.examination.sha256:
        return _by_size(theirs.runs), _by_size(theirs.against), True
    if theirs and ours and theirs.function and theirs.function == ours.function:
        return _by_size(theirs.runs), _by_size(ours.runs), False
    return {}, {}, False


def _by_size(runs: Iterable[Runs]) -> Times:
    return {one.memory_mb: one.init_ms for one in runs if one.init_ms}


def refuse_alone(old: Path | None, limit: Limit | None, markdown: Path | None, *, as_json: bool) -> None:
    """Raises ``UsageError`` for options that do not go together, before anything is read."""
    if old is None and (limit or markdown):
        raise UsageError("--fail-if-grown and --markdown go with --against", hint="name the older zip: --against OLD")
    if markdown == STANDARD_OUTPUT and as_json:
        raise UsageError("--json and --markdown - both want standard output", hint="give --markdown a file")


def tell_ci(pair: Pair, limit: Limit | None, markdown: Path | None) -> None:
    """Writes the changes wherever Markdown is wanted. Raises ``VerificationError`` for a layer that is too large."""
    error = refusal(pair, limit)
    # The error that ends a run goes to the job's summary by itself.
    screen.step_summary(as_markdown(pair))
    text = as_markdown(pair, summary.failure(error) if error else "")
    if markdown == STANDARD_OUTPUT:
        click.echo(text, nl=False)
    elif markdown:
        places.write(markdown, text.encode())
    if error:
        raise error


def refusal(pair: Pair, limit: Limit | None) -> VerificationError | None:
    """Why the newer layer is too large: growth beyond ``limit``, or a size above the budget, with what grew most.

    Without a limit nothing is too large.
    """
    if limit is None:
        return None
    over = [
        f"{name} size grew by {_growth(delta).lstrip('+')}, of {limit.text} allowed"
        for name, delta in compared.grown(pair.changes, limit)
    ]
    if pair.new.manifest:
        budget = compared.above_budget(pair.new.examination, pair.new.manifest.budget)
        over += [f"{size:,} bytes {name} are above the recipe's budget of {most:,}" for name, size, most in budget]
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
        yield f"{_name(part)} {_version(part)}: {_signed(part.unzipped)}, {_signed(part.zipped)} zipped"
    for part in [one for one in changes.files if one.unzipped.change > 0][:MOST_REASONS]:
        yield f"{_file(part)}: {_signed(part.unzipped)}, {_signed(part.zipped)} zipped"


# --- on the terminal -------------------------------------------------------------------------------------------------


def show(out: Screen, pair: Pair) -> None:
    """The changes for people."""
    changes = pair.changes
    out.line((heading(pair), "bold"))
    if changes.same_bytes:
        return
    out.table("", ("", "before", "after", "change"), tuple(_sums(changes)))
    for line in (*_remarks(changes), *(f"{one.name}: {one.before} → {one.after}" for one in changes.made)):
        out.line(f"  {line}")
    for columns, rows in _tables(changes):
        out.line()
        out.table("", columns, rows)
    rest = _rest(changes)
    if rest:
        out.line(f"  {rest}")
    out.line()
    for finding in changes.gone:
        out.line(("gone", "green"), f" {_finding(finding)}")
    if changes.new:
        out.line(("new findings", "bold"))
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
    if init := changes.init:
        yield (
            f"init at {init.memory_mb:,} MB",
            f"{init.ms.before:,.0f} ms",
            f"{init.ms.after:,.0f} ms",
            f"{init.ms.change:+,.0f} ms{_percent(init.ms)}",
        )


def _remarks(changes: Changes) -> Iterator[str]:
    """What has to be known to read the init times aright."""
    init = changes.init
    if init and init.overlap:
        yield "the init times of the two overlap: their difference may be chance"
    if init and not init.in_turns:
        yield (
            "the init times come from two measurements, between which the machine may differ; "
            "`layerforge coldstart NEW --against OLD` measures both in turns"
        )


def _tables(changes: Changes) -> Iterator[tuple[Sequence[str], Sequence[Sequence[str]]]]:
    if changes.packages:
        # All that Markdown shows would not fit into 80 columns beside the names.
        packages = [(*row[:4], row[5]) for row in map(_package_row, changes.packages)]
        yield ("package", "version", "unzipped", "change", "zipped change"), packages
    if changes.kinds:
        kinds = [(one.name, megabytes(int(one.unzipped.after)), _signed(one.unzipped)) for one in changes.kinds]
        yield ("kind", "unzipped", "change"), kinds
    if files := _largest_files(changes):
        yield ("files that changed most", "unzipped", "change"), files


def _package_row(part: Part) -> tuple[str, ...]:
    return (
        _name(part),
        _version(part),
        *(_sizes(part) if part.files.before or part.files.after else ("", "", "", "")),
        f"{part.files.change:+,}" if part.files.change else "same",
    )


def _sizes(part: Part) -> tuple[str, ...]:
    return (
        megabytes(int(part.unzipped.after)),
        _signed(part.unzipped),
        megabytes(int(part.zipped.after)),
        _signed(part.zipped),
    )


def _name(part: Part) -> str:
    return _shown(part.name) or "(no package)"


def _version(part: Part) -> str:
    before, after = (
        "" if version == compared.UNKNOWN else _shown(version, LONGEST_VERSION) for version in (part.before, part.after)
    )
    match compared.status(part):
        case "added":
            return f"new: {after}" if after else "new"
        case "removed":
            return f"gone: {before}" if before else "gone"
        case _ if before == after:
            return after
        case _:
            return f"{before or compared.UNKNOWN} → {after or compared.UNKNOWN}"


def _largest(parts: Iterable[Part], most: int) -> tuple[Part, ...]:
    """Those that changed the layer's size most: what grew first, then what shrank."""
    changed = sorted(parts, key=lambda one: -abs(one.unzipped.change))
    return tuple(sorted(changed[:most], key=lambda one: -one.unzipped.change))


def _largest_files(changes: Changes) -> list[tuple[str, ...]]:
    largest = _largest((one for one in changes.files if one.unzipped.change), MOST_FILES)
    return [(_file(one), megabytes(int(one.unzipped.after)), _signed(one.unzipped)) for one in largest]


def _file(part: Part) -> str:
    note = {"added": " (new)", "removed": " (gone)"}.get(compared.status(part), "")
    return _shown(part.after or part.before) + note


def _shown(text: str, most: int = screen.LONGEST) -> str:
    return screen.shortened(visible(text), most)


def _rest(changes: Changes) -> str:
    """What the tables leave out: ``12 files have other bytes, 3 are new, 1 is gone``."""
    counts = {name: sum(compared.status(one) == name for one in changes.files) for name in _WORDS}
    told = [f"{counted(count, 'file')} {_WORDS[name]}" for name, count in counts.items() if count]
    return ", ".join(told)


_WORDS = {"changed": "with other bytes", "added": "new", "removed": "gone"}


def _finding(finding: Finding) -> str:
    where = f" {_shown(finding.path)}:" if finding.path else ""
    return f"{finding.rule}{where} {_shown(finding.message)}"


def _growth(delta: Delta) -> str:
    return f"{_signed(delta)}{_percent(delta)}"


def _signed(delta: Delta) -> str:
    return f"{'+' if delta.change > 0 else ''}{megabytes(int(delta.change))}" if delta.change else "same"


def _percent(delta: Delta) -> str:
    return f" ({delta.ratio:+.1%})" if delta.ratio else ""


# --- Markdown --------------------------------------------------------------------------------------------------------


def as_markdown(pair: Pair, refused: str = "") -> str:
    """The changes for a job's summary or a pull request's comment, what matters first.

    ``refused`` tells, in Markdown, why the newer layer is too large.
    """
    changes = pair.changes
    parts = [f"### {cell(heading(pair))}\n", refused]
    if not changes.same_bytes:
        parts += [
            _markdown_table(("", "before", "after", "change"), _sums(changes)),
            "".join(f"- {cell(line)}\n" for line in _remarks(changes)),
            "".join(f"- {cell(one.name)}: {cell(one.before)} → {cell(one.after)}\n" for one in changes.made),
            *_markdown_findings(changes),
            *_markdown_parts(changes),
        ]
    return "\n".join(f"{part.strip()}\n" for part in parts if part)


def _markdown_parts(changes: Changes) -> Iterator[str]:
    if changes.packages:
        columns = ("package", "version", "unzipped", "change", "zipped", "change", "files")
        yield _markdown_table(columns, map(_package_row, _largest(changes.packages, MOST_ROWS)))
        yield _more(len(changes.packages), "package")
    if files := _largest_files(changes):
        folded = _markdown_table(("file", "unzipped", "change"), files)
        yield f"<details><summary>{_rest(changes)}</summary>\n\n{folded}\n</details>\n"


def _markdown_table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [columns, ("---", *("--:" for _ in columns[1:])), *(tuple(map(cell, row)) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _markdown_findings(changes: Changes) -> Iterator[str]:
    if changes.new:
        yield f"**New findings**\n\n{summary.findings(changes.new)}"
    yield "".join(f"- gone: {cell(_finding(one))}\n" for one in changes.gone[:MOST_ROWS])
    yield _more(len(changes.gone), "finding that is gone")


def _more(count: int, noun: str) -> str:
    return f"… and {counted(count - MOST_ROWS, noun)} more\n" if count > MOST_ROWS else ""
