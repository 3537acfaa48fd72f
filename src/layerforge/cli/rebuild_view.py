"""What ``layerforge rebuild`` shows: before and after on one screen."""

from __future__ import annotations

import shlex
import statistics
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from layerforge.cli import build, terminal
from layerforge.cli.before_after import BeforeAfter
from layerforge.cli.comparison import finding_line, remarks
from layerforge.cli.rebuilding import Order, Origin, Unbuilt
from layerforge.cli.screen import Screen
from layerforge.core.findings import Finding, Severity
from layerforge.core.limits import DIRECT_UPLOAD_LIMIT
from layerforge.core.text import counted, megabytes, visible
from layerforge.report import diff_data
from layerforge.report.delivery import Layer
from layerforge.report.diff import Delta
from layerforge.verify import verdict
from layerforge.verify.verdict import Figures, errors_of

MOST_FINDINGS = 6
"""Rules of which the screen shows findings, of each side."""

LONGEST_LINE = 180
"""Characters of a finding on the screen."""


def unbuilt(out: Screen, parts: Iterable[Unbuilt]) -> None:
    """Says what no index has, a line each."""
    for one in parts:
        name = visible(f"{one.name} {one.version}").strip()
        fate = "taken along as it is" if one.kept else "left out"
        out.line(("!", "yellow"), f" {name}, {megabytes(one.bytes)}, {fate}: {out.fitting(visible(one.why))}")


def show(out: Screen, of: Origin, made: Order, layer: Layer, both: BeforeAfter) -> None:
    """The table, findings of both, and what to do next."""
    where = f"for Python {of.target.python} on {of.target.arch}"
    out.line((str(layer.path), "bold"), f": {visible(of.seen.path.name)} built again, {where}")
    out.line(f"  {', '.join(f'{one.name} {one.version}'.strip() for one in layer.manifest.packages)}")
    out.line()
    out.table("", ("", "before", "after", "ratio"), list(rows(both)))
    for line in (*_without(made), *remarks(both.pair.changes), *both.remarks):
        out.line(f"  {out.fitting(visible(line))}")
    out.line()
    findings(out, "before", both.old.findings)
    findings(out, "after", both.findings)
    if layer.verdict is None:
        out.line(("the new layer was not verified", "yellow"))
    elif layer.verdict.skipped:
        out.line((f"the new layer was not run: {layer.verdict.skipped}", "yellow"))


def _without(made: Order) -> Iterator[str]:
    """What has to be known to read the sizes aright."""
    if size := sum(one.bytes for one in made.unbuilt if not one.kept):
        yield f"{megabytes(size)} of what was before are not in the new layer: what no index has"


def rows(both: BeforeAfter) -> Iterator[tuple[str, str, str, str]]:
    """A row for each figure: its name, before, after, and how many times the one before the other is."""
    changes = both.pair.changes
    for name, delta in (("unzipped", changes.unzipped), ("zipped", changes.zipped)):
        yield name, megabytes(int(delta.before)), megabytes(int(delta.after)), ratio(delta)
    yield "files", f"{changes.count.before:,}", f"{changes.count.after:,}", ratio(changes.count)
    if init := changes.init:
        yield f"init at {init.memory_mb:,} MB", _ms(init.ms.before), _ms(init.ms.after), ratio(init.ms)
    elif both.new.beside.coldstart and both.fails:
        for one in both.new.beside.coldstart.runs:
            yield f"init at {one.memory_mb:,} MB", "does not load", _ms(statistics.median(one.init_ms)), ""
    elif imports := _imports(*both.figures):
        yield imports
    yield "findings", told(both.old.findings), told(both.findings), ""


def _imports(before: Figures, after: Figures) -> tuple[str, str, str, str] | None:
    """One run of each, where no cold starts were measured."""
    then, now = before.import_seconds, after.import_seconds
    if then is None and now is None:
        return None
    times = "" if then is None or now is None else ratio(Delta(before=then, after=now))
    return "import, one run", _seconds(then), _seconds(now), times


def _seconds(value: float | None) -> str:
    return "" if value is None else _ms(1000 * value)


def _ms(value: float) -> str:
    return f"{value:,.0f} ms"


def ratio(delta: Delta) -> str:
    """``0.59 ×``; empty where there was nothing before."""
    return f"{delta.after / delta.before:.2f} ×" if delta.before else ""


def told(findings: Sequence[Finding]) -> str:
    """``2 errors, 1 warning``, or ``none``."""
    errors = len(errors_of(findings))
    parts = ((errors, "error"), (len(findings) - errors, "warning"))
    return ", ".join(counted(count, noun) for count, noun in parts if count) or "none"


def findings(out: Screen, title: str, found: Sequence[Finding]) -> None:
    """Shows findings, a line for each rule with the first of them, errors first."""
    groups: dict[tuple[bool, str], list[Finding]] = {}
    for one in found:
        groups.setdefault((one.severity is not Severity.ERROR, one.rule), []).append(one)
    ordered = sorted(groups.items(), key=lambda item: item[0][0])
    for (mild, rule), (first, *others) in ordered[:MOST_FINDINGS]:
        more = f", and {len(others):,} more of {rule}" if others else ""
        line = out.fitting(finding_line(first).removeprefix(rule).lstrip(), LONGEST_LINE)
        out.line(f"{title}: ", (f"{rule} {first.severity}", "yellow" if mild else "red"), f" {line}{more}")
    if len(ordered) > MOST_FINDINGS:
        rest = sum(len(many) for _, many in ordered[MOST_FINDINGS:])
        out.line(f"{title}: and {rest:,} more; `layerforge inspect` shows all")


def following(out: Screen, of: Origin, layer: Layer) -> None:
    """What a person may want now."""
    zipped, old = shlex.quote(str(layer.path)), shlex.quote(str(of.seen.path))
    bucket = " --bucket B" if layer.manifest.zip_bytes > DIRECT_UPLOAD_LIMIT else ""
    out.line()
    out.line(("next", "bold"))
    steps = (
        (f"layerforge publish {zipped} --region R{bucket}", "publishes it"),
        (f"layerforge inspect {zipped} --against {old}", "shows what changed, file by file"),
    )
    for command, what in steps:
        out.line(f"  {command}", (f"  {what}", "dim"))


def as_data(of: Origin, made: Order, layer: Layer, both: BeforeAfter) -> dict[str, Any]:
    """Everything for ``--json``."""
    return {
        "zip": str(of.seen.path),
        "python": of.target.python,
        "arch": str(of.target.arch),
        "packages": [{"name": one.name, "version": one.version, "bytes": one.bytes} for one in of.found.packages],
        "not_of_an_index": [
            {"name": one.name, "version": one.version, "bytes": one.bytes, "why": one.why, "kept": one.kept}
            for one in made.unbuilt
        ],
        "lacking": sorted(of.found.lacking),
        "remarks": [*of.remarks, *both.remarks],
        "layer": build.as_data(layer),
        "before": _side(both.old.findings, both.figures[0]),
        "after": _side(both.findings, both.figures[1]),
        "changes": diff_data.as_data(both.pair.changes),
    }


def _side(findings: Sequence[Finding], figures: Figures) -> dict[str, Any]:
    return {"findings": verdict.findings_json(findings), "import_seconds": figures.import_seconds}


def remark(of: Origin) -> None:
    """Says what is worth knowing of how the zip was read."""
    for line in of.remarks:
        terminal.notes().line(("!", "yellow"), f" {visible(line)}")
