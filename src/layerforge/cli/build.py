"""``layerforge build``."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from layerforge.cli import (
    asking,
    build_options,
    call,
    clusters,
    costs,
    ends,
    fitting,
    ingredients,
    job_summary,
    output_files,
    project,
    shared_layers,
    sharing,
    terminal,
    verbosity,
)
from layerforge.cli import options as shared
from layerforge.cli.call import Place
from layerforge.cli.screen import Screen
from layerforge.cli.wishes import wishes
from layerforge.core.limits import DIRECT_UPLOAD_LIMIT, LAMBDA_UNZIPPED_LIMIT
from layerforge.core.text import megabytes
from layerforge.pipeline import Delivered
from layerforge.report import manifest
from layerforge.report.delivery import Layer
from layerforge.report.manifest import Manifest
from layerforge.verify import verdict


@click.command("build", cls=project.ProjectCommand)
@shared.targets_argument
@build_options.build_options
@build_options.result_options
@build_options.cluster_options
@shared.json_option
@build_options.call_options
def command(
    targets: tuple[str, ...],
    every: Path | None,
    pythons: asking.Names,
    arches: asking.Names,
    lock_file: Path | None,
    engine: str,
    image: str | None,
    output: Path,
    no_verify: bool,  # noqa: FBT001
    sources: Path | None,
    recipes_folders: tuple[Path, ...],
    each: bool,  # noqa: FBT001
    no_project: bool,  # noqa: FBT001
    prerelease: str | None,
    compiles: bool,  # noqa: FBT001
    extras: tuple[str, ...],
    groups: tuple[str, ...],
    cluster: str | None,
    tls_dir: Path | None,
    as_json: bool,  # noqa: FBT001
    fail_fast: bool,  # noqa: FBT001
    **given: Any,
) -> int:
    """Build layers from recipes, requirements files or requirements, verify them and write them to a folder.

    TARGET is a recipe's name, a path to a recipe's folder, to a project, to a requirements file or to another tool's
    lock, or a requirement such as httpx or "pandas>=3". All of them share one layer, unless --each is given. A layer
    that fails does not end the others.
    """
    progress = terminal.progress()
    shared.refuse_both(given["wheels"], compiles, given["from_source"])
    shared.refuse_twice(given["twice"], cluster)
    clusters.refuse_absent(cluster, tls_dir)
    output_files.check_folder(output)
    shares = every is None and lock_file is None and shared_layers.are_wanted(targets)
    if shares and not shared_layers.beside_others():
        return shared_layers.run(given | {"output": output, "verify": not no_verify}, progress, as_data)
    store = sharing.open_store(progress)
    known, options = shared.known_recipes(recipes_folders), wishes(extras, groups)
    wanted = asking.asked(targets, every, lock_file, known, (pythons, arches), progress, each=each, options=options)
    wanted = call.taken(wanted, prerelease, project=not no_project)
    elsewhere = clusters.planning(cluster, tls_dir, engine, image, store, progress)
    place = Place(engine=engine, image=image, sources=sources, store=store, progress=progress, elsewhere=elsewhere)
    found = call.sites(place, wanted, given | {"output": output, "verify": not no_verify}, compiles=compiles)

    settled = compiles or given["wheels"] or given["from_source"] or as_json or all(one.settled for one in wanted)
    read = None if settled or not costs.can_ask(os.environ, sys.stdin, sys.stderr) else input
    planned, price = call.agreed(wanted, found, progress, read, fail_fast=fail_fast)
    with clusters.opened(cluster, tls_dir, image, planned, store, progress) as runner_of:
        ended = ends.of(wanted, planned, progress, runner_of, fail_fast=fail_fast)
    layers = [one.layer for one in ended if isinstance(one, Delivered)]
    if layers:
        show(terminal.notes(), layers)
        terminal.step_summary(job_summary.layers(layers))
    code = ends.show(terminal.notes(), wanted, ended) if len(wanted) > 1 else 0
    failed = ends.failed_json(wanted, ended) if as_json else []
    told = {"reproducible": True} if given["twice"] else {}
    rows = [as_data(layer) | told for layer in layers] if as_json else []
    data = {"layers": rows, "failed": failed, "cost": price}
    if shares:
        own = given | {"output": output, "verify": not no_verify}
        return shared_layers.run(own, progress, as_data, data) or code
    if as_json:
        terminal.print_json(data | {"seconds": progress.seconds})
    return code


def show(out: Screen, layers: Sequence[Layer]) -> None:
    """The table at the end, warnings and notes."""
    for layer in layers:
        layer_manifest = layer.manifest
        out.line()
        out.line((str(layer.path), "bold"))
        out.line(f"  {', '.join(f'{one.name} {one.version}'.strip() for one in layer_manifest.packages)}")
        share = layer_manifest.unzipped_bytes / LAMBDA_UNZIPPED_LIMIT
        zipped, unzipped = megabytes(layer_manifest.zip_bytes), megabytes(layer_manifest.unzipped_bytes)
        out.line(f"  zip {zipped} · unzipped {unzipped}, {share:.0%} of what Lambda takes")
        out.line(f"  {difference(layer_manifest)}")
        out.line(f"  sha256 {layer_manifest.sha256}")
        for line in ingredients.told(layer_manifest):
            out.line(f"  {line}")
        if layer.verdict is None:
            out.line(("  not verified", "yellow"))
        else:
            terminal.verdict(out, layer.verdict.findings, layer.verdict.notes, indent="  ")
        for line in fitting.told(layer_manifest, layer.path):
            out.line(f"    {line}")
    if not verbosity.wanted(verbosity.QUIET):
        out.line()
        out.line(("next", "bold"))
        for command_line, what in next_steps(layers):
            out.line(f"  {command_line}", (f"  {what}", "dim"))


def next_steps(layers: Iterable[Layer]) -> Iterator[tuple[str, str]]:
    """Commands that a person may want now, and what each is for."""
    first = next(iter(layers), None)
    if first is None:
        return
    zipped = shlex.quote(str(first.path))
    bucket = " --bucket B" if first.manifest.zip_bytes > DIRECT_UPLOAD_LIMIT else ""
    yield f"layerforge publish {zipped} --region R{bucket}", "publishes it"
    yield f"layerforge inspect {zipped}", "shows what is in it"
    yield f"layerforge coldstart {zipped}", "measures its cold starts"


def difference(layer_manifest: Manifest) -> str:
    """What the passes took away and what they added: ``smaller by 12.9 MB: prune 11.0 MB, …; bytecode adds 1.9 MB``."""
    rows = [(str(row["pass"]), int(row["bytes"])) for row in manifest.saved(layer_manifest)]
    less = [f"{name} {megabytes(size)}" for name, size in rows if size > 0]
    saved = megabytes(sum(size for _, size in rows if size > 0))
    parts = [f"smaller by {saved}: {', '.join(less)}"] if less else ["nothing could be left out"]
    return "; ".join([*parts, *(f"{name} adds {megabytes(-size)}" for name, size in rows if size < 0)])


def as_data(layer: Layer) -> dict[str, Any]:
    """A layer in the form of the contract."""
    layer_manifest = layer.manifest
    return {
        "name": layer_manifest.name,
        "path": str(layer.path),
        "python": layer_manifest.python,
        "arch": str(layer_manifest.arch),
        "engine": layer_manifest.engine,
        "zip_bytes": layer_manifest.zip_bytes,
        "unzipped_bytes": layer_manifest.unzipped_bytes,
        "sha256": layer_manifest.sha256,
        "content_sha256": layer_manifest.content_sha256,
        "packages": [
            {"name": one.name, "version": one.version, "origin": one.origin} for one in layer_manifest.packages
        ],
        **ingredients.as_data(layer_manifest),
        "saved": manifest.saved(layer_manifest),
        "findings": verdict.findings_json(layer.verdict.findings) if layer.verdict else [],
        "figures": asdict(layer.verdict.figures) if layer.verdict else None,
    }
