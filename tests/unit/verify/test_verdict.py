"""What is told of a verdict."""

from __future__ import annotations

from dataclasses import replace

import pytest

from layerforge.core.findings import Finding, Severity
from layerforge.verify.verdict import Figures, Verdict, measured, summary

ALL = Figures(init_ms=1119.4, peak_memory=109_000_000, import_seconds=0.95, import_cpu_seconds=0.91)
A_FINDING = Finding(rule="LF408", severity=Severity.WARNING, path="", message="m", hint="h")


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        (ALL, "init 1,119 ms, peak 109.0 MB, import 950 ms (910 ms CPU)"),
        (replace(ALL, init_ms=None, peak_memory=None), "import 950 ms (910 ms CPU)"),
        (replace(ALL, import_seconds=None), "init 1,119 ms, peak 109.0 MB"),
        (Figures(), ""),
    ],
)
def test_only_what_was_measured_is_told(figures: Figures, words: str) -> None:
    assert measured(figures) == words


def test_a_verdict_is_told_on_one_line() -> None:
    clean = Verdict(engine="docker", skipped="", findings=(), notes=(), figures=ALL)
    assert summary(clean).startswith("no findings; run on docker; init 1,119 ms, peak")
    skipped = Verdict(engine="", skipped="no CPython here", findings=(A_FINDING,), notes=())
    assert summary(skipped) == "0 errors, 1 warning; not run: no CPython here"
