"""What every command shows and where: reports on standard output; notes, progress and errors on standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from layerforge.cli.progress import TerminalProgress
from layerforge.cli.screen import Screen, inert
from layerforge.cli.verbosity import QUIET, VERBOSE, wanted
from layerforge.core.errors import LayerforgeError
from layerforge.core.findings import Finding, Severity

MOST_DETAILS = 30
"""Lines of evidence that an error shows, unless all are asked for."""


def notes() -> Screen:
    """Standard error. rich itself respects NO_COLOR and a missing terminal."""
    return Screen(Console(stderr=True))


def report(*, taken: bool = False) -> Screen:
    """Where what was asked for is shown: standard output, unless that is taken for JSON or the like."""
    return Screen(Console(stderr=taken))


def progress() -> TerminalProgress:
    """Progress on standard error, as much of it as is wanted."""
    return TerminalProgress(notes(), quiet=wanted(QUIET))


def errors(error: LayerforgeError) -> None:
    """Shows an error: what happened, the evidence, what to do next."""
    out = notes()
    most = len(error.details) if wanted(VERBOSE) else MOST_DETAILS
    out.line((f"✕ {error.title}:", "bold red"), f" {error.message}")
    for text in error.details[:most]:
        out.line("    ", (text, "dim"))
    if len(error.details) > most:
        out.line((f"    … and {len(error.details) - most} more, with -v", "dim"))
    if error.hint:
        out.line("  ", ("→", "bold"), f" {error.hint}")


def verdict(out: Screen, findings: Iterable[Finding], known: Iterable[str], indent: str = "") -> None:
    """Shows findings, a line and a hint each, then what is worth knowing though nothing is wrong with it."""
    for one in findings:
        colour = "red" if one.severity is Severity.ERROR else "yellow"
        where = f" {one.path}:" if one.path else ""
        out.line(indent, (f"{one.rule} {one.severity}", colour), where, f" {one.message}")
        out.line(f"{indent}      → {one.hint}")
    for text in known:
        out.line(f"{indent}  {text}")


def print_json(value: Any) -> None:
    """A report for programs."""
    click.echo(json.dumps(value, indent=1))


def print_answer(text: str) -> None:
    """What a function answered, as it is; at a terminal, without anything that steers it."""
    click.echo(inert(text) if sys.stdout.isatty() else text)


def step_summary(markdown: str) -> None:
    """Adds Markdown to the summary of a GitHub job, where one runs. Failing to is no reason to lose a layer."""
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(markdown)
        except OSError as error:
            notes().line(("!", "yellow"), f" the job's summary cannot be written: {error}")
