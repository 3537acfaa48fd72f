"""``layerforge matrix``."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from layerforge.cli import asking, project, terminal
from layerforge.cli import options as shared
from layerforge.cli.wishes import wanted_options, wishes
from layerforge.resolve import matrix
from layerforge.resolve.catalogue import catalogue
from layerforge.resolve.targets import refuse_same_names, requests, stand_alone


@click.command("matrix", cls=project.ProjectCommand)
@click.argument("targets", nargs=-1, metavar="[FOLDER|TARGET]...")
@shared.every_target_option
@wanted_options
def command(
    targets: tuple[str, ...],
    pythons: asking.Names,
    arches: asking.Names,
    extras: tuple[str, ...],
    groups: tuple[str, ...],
) -> None:
    """Print a job matrix as JSON on one line, as a workflow of GitHub takes it: a job for each layer.

    FOLDER holds recipes; TARGET is what `layerforge build` takes. Without either it is the project file's layers. What
    a recipe's lock cannot serve is left out.
    """
    known, options, notes = catalogue(), wishes(extras, groups), terminal.notes()
    progress = terminal.progress()
    layers, words = asking.wanted(matrix.expanded(targets), known, progress, options)
    pairs = asking.of_layers(layers, None, known, options)
    each = stand_alone(words, known)
    pairs += [(request, {}) for request in (requests(words, None, known, each=each, options=options) if words else ())]
    refuse_same_names([request for request, _ in pairs])
    given = {request.spec.name: own for request, own in pairs}
    rows, left = matrix.combine(
        [request for request, _ in pairs],
        lambda request: asking.targets_of(given[request.spec.name], (pythons, arches)).of(request, progress.say),
    )
    for one in left:
        notes.line(("!", "yellow"), f" {one.recipe}-{one.label} is left out: {one.reason}")
    click.echo(json.dumps({"include": [asdict(row) for row in rows]}))
