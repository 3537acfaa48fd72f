"""What verification found, as data, as JSON and in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from layerforge.core.findings import Finding, Severity
from layerforge.core.progress import Mark
from layerforge.core.text import counted, megabytes


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What a layer took where its check ran; ``None`` where that was not measured."""

    init_ms: float | None = None
    """Milliseconds of Lambda's init phase, which is when the imports happen."""
    peak_memory: int | None = None
    """Most bytes that imports and check held at once."""
    import_seconds: float | None = None
    """Seconds of the imports alone, by the clock."""
    import_cpu_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What verification found."""

    engine: str
    """The engine that ran the check; empty where none could."""
    skipped: str
    """Why the check was not run; empty where it was."""
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    figures: Figures = Figures()


def errors_of(findings: Iterable[Finding]) -> list[Finding]:
    """The findings that keep a layer from being written."""
    return [finding for finding in findings if finding.severity is Severity.ERROR]


def mark(verdict: Verdict) -> Mark:
    """How well a layer did: only one that ran, and that nothing is wrong with, did well."""
    if errors_of(verdict.findings):
        return Mark.BAD
    if verdict.skipped:
        return Mark.UNDONE
    return Mark.DOUBTFUL if verdict.findings else Mark.GOOD


def summary(verdict: Verdict) -> str:
    """``no findings; run on docker; init 1,119 ms, peak 109.0 MB, import 950 ms (910 ms CPU)``."""
    errors = len(errors_of(verdict.findings))
    warnings = len(verdict.findings) - errors
    found = f"{counted(errors, 'error')}, {counted(warnings, 'warning')}" if verdict.findings else "no findings"
    ran = f"not run: {verdict.skipped}" if verdict.skipped else f"run on {verdict.engine}"
    return "; ".join(part for part in (found, ran, measured(verdict.figures)) if part)


def measured(figures: Figures) -> str:
    """``init 1,119 ms, peak 109.0 MB, import 950 ms (910 ms CPU)``; empty where nothing was measured."""
    init, peak = figures.init_ms, figures.peak_memory
    wall, cpu = figures.import_seconds, figures.import_cpu_seconds
    parts = (
        "" if init is None else f"init {init:,.0f} ms",
        "" if peak is None else f"peak {megabytes(peak)}",
        "" if wall is None or cpu is None else f"import {wall * 1000:,.0f} ms ({cpu * 1000:,.0f} ms CPU)",
    )
    return ", ".join(filter(None, parts))


def describe(finding: Finding) -> str:
    """A finding on one line."""
    where = f" {finding.path}:" if finding.path else ""
    return f"{finding.rule}{where} {finding.message} ({finding.hint})"


def verdict_data(verdict: Verdict) -> dict[str, Any]:
    """A verdict as data for JSON, without what differs from run to run: notes depend on the date, figures vary."""
    return {"engine": verdict.engine, "skipped": verdict.skipped, "findings": findings_json(verdict.findings)}


def run_data(verdict: Verdict) -> dict[str, Any]:
    """A verdict as data for JSON, with all that belongs to the run that it came from."""
    return {**verdict_data(verdict), "figures": asdict(verdict.figures), "notes": list(verdict.notes)}


def findings_json(findings: Iterable[Finding]) -> list[dict[str, str]]:
    """Findings as data for JSON."""
    return [{key: str(value) for key, value in asdict(finding).items()} for finding in findings]
