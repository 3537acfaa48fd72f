"""What a CI shows of a run beside its log: annotations on findings and errors, and the job's summary in Markdown."""

from __future__ import annotations

import html
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import click

from layerforge.core.errors import LayerforgeError, VerificationError
from layerforge.core.findings import Finding, Severity
from layerforge.core.text import cell, visible

MOST_ROWS = 50
"""Findings that a summary shows of each layer."""

_COMMANDS: Mapping[Severity, str] = {Severity.ERROR: "error", Severity.WARNING: "warning"}
_IN_MESSAGES = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_IN_PROPERTIES = {**_IN_MESSAGES, ":": "%3A", ",": "%2C"}


def annotation(command: str, message: str, **properties: str) -> str:
    """One of GitHub's workflow commands, on one line whatever the texts hold; empty properties are left out."""
    told = ",".join(f"{key}={_escaped(value, _IN_PROPERTIES)}" for key, value in properties.items() if value)
    return f"::{command} {told}::{_escaped(message, _IN_MESSAGES)}"


def _escaped(text: str, table: Mapping[str, str]) -> str:
    return "".join(table.get(character) or visible(character) for character in text)


def of_finding(finding: Finding, file: str) -> str:
    """The annotation on a finding. ``file`` is what it is shown on: a recipe, a list of requirements, a zip."""
    where = f"{finding.path}: " if finding.path else ""
    message = f"{where}{finding.message} ({finding.hint})"
    return annotation(_COMMANDS[finding.severity], message, file=file, title=finding.rule)


def of_error(error: LayerforgeError) -> str:
    """The annotation on an error that ends the run, with its evidence where that has no annotations of its own."""
    evidence = () if isinstance(error, VerificationError) and error.findings else error.details
    lines = (error.message, *evidence, *([f"→ {error.hint}"] if error.hint else []))
    return annotation("error", "\n".join(lines), title=f"layerforge: {error.title}")


def annotate(annotations: Iterable[str]) -> None:
    """Writes annotations where GitHub runs the job. It reads both streams; standard output is for JSON alone."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in annotations:
            click.echo(line, err=True)


def annotate_findings(findings: Iterable[Finding], file: str) -> None:
    """Annotates what is wrong with a layer."""
    annotate(of_finding(finding, file) for finding in findings)


@contextmanager
def refusals_annotated(file: str) -> Iterator[None]:
    """Annotates the findings for which a layer is refused inside."""
    try:
        yield
    except VerificationError as error:
        annotate_findings(error.findings, file)
        raise


def findings(found: Iterable[Finding]) -> str:
    """Findings as a Markdown table."""
    found = tuple(found)
    rows = [
        f"| {one.severity} | {one.rule} | {cell(one.path)} | {cell(one.message)} | {cell(one.hint)} |\n"
        for one in found[:MOST_ROWS]
    ]
    more = f"\n… and {len(found) - MOST_ROWS} more\n" if len(found) > MOST_ROWS else ""
    return "| | rule | file | what | how to mend it |\n|---|---|---|---|---|\n" + "".join(rows) + more + "\n"


def failure(error: LayerforgeError) -> str:
    """An error that ends the run, as Markdown."""
    evidence = "\n".join(error.details[:MOST_ROWS])
    shown = f"\n<pre>{html.escape(evidence, quote=False)}</pre>\n" if evidence else ""
    hint = f"\n→ {cell(error.hint)}\n" if error.hint else ""
    return f"**✕ {error.title}:** {cell(error.message)}\n{shown}{hint}\n"
