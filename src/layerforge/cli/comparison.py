"""The rows and lines that compare two layers, for the terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from layerforge.core.findings import Finding
from layerforge.core.text import counted, megabytes, visible
from layerforge.measure.coldstart.reading import Runs
from layerforge.report import diff as compared
from layerforge.report import diff_data
from layerforge.report.diff import ChangedPart, Changes, Delta, Side, Times
from layerforge.report.page.page_data import InspectedLayer

MOST_FILES = 10
MOST_ROWS = 50
"""Packages, and findings that are gone, that the Markdown shows: a comment has an end."""

LONGEST_VERSION = 40
"""Characters that a cell of versions may have at a terminal."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two layers that are compared."""

    old: Side
    new: Side
    in_turns: bool = False
    """Whether both init phases come from one run of ``layerforge coldstart``."""

    @cached_property
    def changes(self) -> Changes:
        """The differences between them."""
        return compared.compare(self.old, self.new, in_turns=self.in_turns)


def pair(old: InspectedLayer, new: InspectedLayer) -> Pair:
    """Two layers that are compared, with the init phases of both where they can be held against each other."""
    then, now, in_turns = _init_times(old, new)
    return Pair(old=_side(old, then), new=_side(new, now), in_turns=in_turns)


def _side(subject: InspectedLayer, init_ms: Times) -> Side:
    return Side(
        target=subject.target,
        examination=subject.examination,
        findings=subject.findings,
        manifest=subject.beside.manifest,
        init_ms=init_ms,
    )


def _init_times(old: InspectedLayer, new: InspectedLayer) -> tuple[Times, Times, bool]:
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


def sums(changes: Changes) -> Iterator[tuple[str, str, str, str]]:
    """A row for each sum of the layer: name, before, after, change."""
    for name, delta in (("unzipped", changes.unzipped), ("zipped", changes.zipped)):
        yield name, megabytes(int(delta.before)), megabytes(int(delta.after)), growth(delta)
    files = changes.count
    yield "files", f"{files.before:,}", f"{files.after:,}", f"{files.change:+,}" if files.change else "same"
    if init := changes.init:
        yield (
            f"init at {init.memory_mb:,} MB",
            f"{init.ms.before:,.0f} ms",
            f"{init.ms.after:,.0f} ms",
            f"{init.ms.change:+,.0f} ms{percent(init.ms)}",
        )


def remarks(changes: Changes) -> Iterator[str]:
    """What has to be known to read the init times aright."""
    init = changes.init
    if init and init.overlap:
        yield "the init times of the two overlap: their difference may be chance"
    if init and not init.in_turns:
        yield (
            "the init times come from two measurements, between which the machine may differ; "
            "`layerforge coldstart NEW --against OLD` measures both in turns"
        )


def package_row(part: ChangedPart) -> tuple[str, ...]:
    """A package's row."""
    return (
        name_cell(part),
        version_cell(part),
        *(_sizes(part) if part.files.before or part.files.after else ("", "", "", "")),
        f"{part.files.change:+,}" if part.files.change else "same",
    )


def _sizes(part: ChangedPart) -> tuple[str, ...]:
    return (
        megabytes(int(part.unzipped.after)),
        signed(part.unzipped),
        megabytes(int(part.zipped.after)),
        signed(part.zipped),
    )


def name_cell(part: ChangedPart) -> str:
    """How a package is called."""
    return visible(part.name) or "(no package)"


def version_cell(part: ChangedPart) -> str:
    """Its versions, ``1.0 → 2.0`` where they differ."""
    before, after = ("" if version == compared.UNKNOWN else visible(version) for version in (part.before, part.after))
    match diff_data.status(part):
        case "added":
            return f"new: {after}" if after else "new"
        case "removed":
            return f"gone: {before}" if before else "gone"
        case _ if before == after:
            return after
        case _:
            return f"{before or compared.UNKNOWN} → {after or compared.UNKNOWN}"


def largest_packages(parts: Iterable[ChangedPart], most: int) -> tuple[ChangedPart, ...]:
    """Those that changed the layer's size most: what grew first, then what shrank."""
    changed = sorted(parts, key=lambda one: -abs(one.unzipped.change))
    return tuple(sorted(changed[:most], key=lambda one: -one.unzipped.change))


def largest_files(changes: Changes) -> list[tuple[str, ...]]:
    """A row for each of the files that changed most."""
    largest = largest_packages((one for one in changes.files if one.unzipped.change), MOST_FILES)
    return [(file_row(one), megabytes(int(one.unzipped.after)), signed(one.unzipped)) for one in largest]


def file_row(part: ChangedPart) -> str:
    """A file's name, with what became of it."""
    note = {"added": " (new)", "removed": " (gone)"}.get(diff_data.status(part), "")
    return visible(part.after or part.before) + note


def rest_line(changes: Changes) -> str:
    """What the tables leave out: ``12 files have other bytes, 3 are new, 1 is gone``."""
    counts = {name: sum(diff_data.status(one) == name for one in changes.files) for name in _WORDS}
    told = [f"{counted(count, 'file')} {_WORDS[name]}" for name, count in counts.items() if count]
    return ", ".join(told)


_WORDS = {"changed": "with other bytes", "added": "new", "removed": "gone"}


def finding_line(finding: Finding) -> str:
    """A finding on one line."""
    where = f" {visible(finding.path)}:" if finding.path else ""
    return f"{finding.rule}{where} {visible(finding.message)}"


def growth(delta: Delta) -> str:
    """``+1.2 MB (+3.4%)``."""
    return f"{signed(delta)}{percent(delta)}"


def signed(delta: Delta) -> str:
    """``+1.2 MB``, or ``same``."""
    return f"{'+' if delta.change > 0 else ''}{megabytes(int(delta.change))}" if delta.change else "same"


def percent(delta: Delta) -> str:
    """`` (+3.4%)``; empty where there is no ratio."""
    return f" ({delta.ratio:+.1%})" if delta.ratio else ""
