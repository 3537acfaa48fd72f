"""``layerforge init``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from layerforge.cli import output_files, terminal, verbosity
from layerforge.core import guarded
from layerforge.core.errors import UsageError
from layerforge.resolve import project_draft, project_text
from layerforge.resolve.project_draft import Draft
from layerforge.resolve.project_file import PROJECT
from layerforge.resolve.project_settings import FILE, TABLE, project_settings


@click.command("init")
@click.argument("requirements", nargs=-1, metavar="[REQUIREMENT]...")
def command(requirements: tuple[str, ...]) -> None:
    """Write a layerforge.toml from what this folder holds, so that `layerforge build` needs no words.

    It names the project, or the requirements files, and the functions that a SAM template or folders with a
    requirements.txt each say. With REQUIREMENTs it names a layer of those. No file is overwritten.
    """
    file = Path(FILE)
    refuse_known(file)
    for text in requirements:
        refuse_nonsense(text)
    draft = project_draft.draft(Path(), requirements)
    if not draft.parts:
        raise UsageError(
            "nothing in this folder says what is needed: no project, no requirements file, no functions with one",
            hint='name requirements, such as `layerforge init "pandas>=3"`, or write a requirements.txt first',
        )
    output_files.check(file, FILE)
    output_files.write(file, project_text.text(draft).encode())
    show(file, draft)


def refuse_known(file: Path) -> None:
    """Raises ``UsageError`` where the project has its file already, or something in its place."""
    if os.path.lexists(file):
        raise UsageError(
            f"{file} is there already, and nothing is overwritten",
            hint="add to it what is missing; docs/project.md explains every key",
        )
    if project_settings(Path()).file is not None:
        raise UsageError(
            f"{PROJECT} has {TABLE}, which says what a {FILE} would", hint="add to it what is missing, or move it out"
        )


def refuse_nonsense(text: str) -> None:
    """Raises ``UsageError`` for what is no requirement."""
    try:
        guarded.requirement(text)
    except guarded.Unreadable as error:
        raise UsageError(f"{text!r} is no requirement: {error}", hint='such as "pandas>=3"') from error


def show(file: Path, draft: Draft) -> None:
    """What was written, and what to do with it."""
    out = terminal.report()
    out.line(str(file))
    if verbosity.wanted(verbosity.QUIET):
        return
    for one in draft.parts:
        told = ", ".join(f"{key} {shown(value)}" for key, value, _ in one.says)
        out.line(f"  {one.kind} {one.name}: {told}")
    for line in draft.passed_over:
        out.line(("!", "yellow"), f" {line}")
    out.line()
    out.line(("next", "bold"))
    split = [("layerforge split", "plans the layers that the functions share")] if draft.functions else []
    for line, what in (
        *split,
        ("layerforge build", "builds and verifies all of them"),
        (f"$EDITOR {file}", "says more"),
    ):
        out.line(f"  {line}", (f"  {what}", "dim"))


def shown(value: object) -> str:
    """A value of the file in a sentence."""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
