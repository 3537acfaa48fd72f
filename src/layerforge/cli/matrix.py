"""``layerforge matrix``."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from layerforge.cli import options as shared
from layerforge.cli import terminal
from layerforge.cli.wishes import wanted_options, wishes
from layerforge.resolve import matrix
from layerforge.resolve.catalogue import catalogue
from layerforge.resolve.targets import requests, stand_alone


@click.command("matrix")
@click.argument("targets", nargs=-1, required=True, metavar="FOLDER|TARGET...")
@shared.every_target_option
@wanted_options
def command(
    targets: tuple[str, ...],
    pythons: tuple[tuple[str, ...], ...],
    arches: tuple[tuple[str, ...], ...],
    extras: tuple[str, ...],
    groups: tuple[str, ...],
) -> None:
    """Print a job matrix as JSON on one line, as a workflow of GitHub takes it: a job for each layer.

    FOLDER holds recipes; TARGET is what `layerforge build` takes. What a recipe's lock cannot serve is left out.
    """
    wanted = shared.targets(pythons, arches)
    known, asked = catalogue(), matrix.expanded(targets)
    options = wishes(extras, groups)
    found = requests(asked, None, known, each=stand_alone(asked, known), options=options)
    rows, left = matrix.combine(found, lambda request: wanted.of(request, terminal.notes().line))
    for one in left:
        terminal.notes().line(("!", "yellow"), f" {one.recipe}-{one.label} is left out: {one.reason}")
    click.echo(json.dumps({"include": [asdict(row) for row in rows]}))
