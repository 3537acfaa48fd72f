"""``layerforge build``."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from layerforge.build import cost
from layerforge.build.errors import EngineError
from layerforge.build.options import Options
from layerforge.build.session import Session
from layerforge.cli import (
    costs,
    engines,
    fitting,
    github,
    helping,
    ingredients,
    job_summary,
    output_files,
    sharing,
    terminal,
    verbosity,
)
from layerforge.cli import options as shared
from layerforge.cli.screen import Screen
from layerforge.core.limits import DIRECT_UPLOAD_LIMIT, LAMBDA_UNZIPPED_LIMIT
from layerforge.core.text import megabytes
from layerforge.pipeline import Prepared, carry_out, cost_of, prepare
from layerforge.report import manifest
from layerforge.report.delivery import Layer
from layerforge.report.manifest import Manifest
from layerforge.resolve import recipe_file
from layerforge.resolve.request import Request
from layerforge.resolve.targets import requests
from layerforge.verify import verdict


@click.command("build", cls=helping.Grouped)
@shared.targets_argument
@shared.build_options
@shared.result_options
@shared.json_option
def command(
    targets: tuple[str, ...],
    lock_file: Path | None,
    engine: str,
    image: str | None,
    output: Path,
    no_verify: bool,  # noqa: FBT001
    sources: Path | None,
    recipes_folders: tuple[Path, ...],
    each: bool,  # noqa: FBT001
    compiles: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
    **given: Any,
) -> None:
    """Build layers from recipes, requirements files or requirements, verify them and write them to a folder.

    TARGET is a recipe's name, a path to a recipe's folder or to a requirements file, or a requirement such as httpx or
    "pandas>=3". All of them share one layer, unless --each is given.
    """
    out, progress = terminal.notes(), terminal.progress()
    shared.refuse_both(given["wheels"], compiles, given["from_source"])
    chosen = shared.options(**given, output=output, verify=not no_verify, progress=progress)
    output_files.check_folder(output)
    store = sharing.open_store(progress)
    wanted = requests(shared.asked(targets), lock_file, shared.known_recipes(recipes_folders), each=each)
    where = engines.choose(engine, image, chosen.target, chosen.interpreter, progress)
    if where.builder is None:
        asked = (*chosen.from_source, *(name for request in wanted for name in request.listed.compiled))
        refuse_compiling(asked, where, always=compiles)

    settled = compiles or chosen.wheels or chosen.from_source or as_json
    read = None if settled or not costs.can_ask(os.environ, sys.stdin, sys.stderr) else input
    prepared, price = agreed(wanted, chosen, where.session(store, progress, sources), read)
    layers = [build_layer(request, one) for request, one in zip(wanted, prepared, strict=True)]
    show(out, layers)
    terminal.step_summary(job_summary.layers(layers))
    if as_json:
        terminal.print_json(
            {"layers": [as_data(layer) for layer in layers], "seconds": progress.seconds, "cost": price}
        )


def agreed(
    wanted: Sequence[Request], chosen: Options, session: Session, read: Callable[[], str] | None
) -> tuple[list[Prepared], dict[str, Any]]:
    """Plans of all layers of a run, and their cost as data, which is said before any is carried out.

    Where there is a person to ``read`` an answer from, and it takes long, wheels may be taken instead. Raises
    ``click.Abort`` where that person stops.
    """
    prepared = [prepared_layer(request, chosen, session) for request in wanted]
    found = cost_of(prepared)
    for line in costs.told(found):
        session.progress.say(line)
    match costs.ask(found, read) if read and costs.is_long(found) else costs.Answer.COMPILE:
        case costs.Answer.WHEELS:
            return agreed(wanted, replace(chosen, wheels=True), session, None)
        case costs.Answer.STOP:
            raise click.Abort
        case costs.Answer.COMPILE:
            return prepared, cost.as_json(found)


def prepared_layer(request: Request, chosen: Options, session: Session) -> Prepared:
    """The plan of a layer; what is wrong with it is annotated at the file that asks for it."""
    with github.refusals_annotated(origin(request)):
        return prepare(request, chosen, session)


def build_layer(request: Request, prepared: Prepared) -> Layer:
    """The layer of a plan; what is found in it is annotated at the file that asks for it."""
    with github.refusals_annotated(origin(request)):
        layer = carry_out(*prepared)
    github.annotate_findings(layer.verdict.findings if layer.verdict else (), origin(request))
    return layer


def origin(request: Request) -> str:
    """The file that asks for a layer, as CI shows findings on it; empty where there is none of the user's."""
    folder = request.spec.folder
    if folder is not None:
        return "" if request.installed else os.path.relpath(folder / recipe_file.FILE)
    return os.path.relpath(request.file) if request.file else ""


def refuse_compiling(from_source: tuple[str, ...], where: engines.Chosen, *, always: bool) -> None:
    """Raises ``EngineError`` where compiling is asked for and nothing can."""
    if from_source or always:
        raise EngineError(
            f"compiling {', '.join(from_source) or 'what recipes say'} takes a container engine and its image",
            hint=compiling(where),
            details=(where.lacking,) if where.lacking else (),
        )


def compiling(where: engines.Chosen) -> str:
    """What to do where compiling is asked for and nothing here can compile."""
    if not where.lacking:
        way = "leave `--engine host` out"
    elif where.hint and "--engine" not in where.hint:
        way = where.hint
    else:  # the other way out, the host, is none here
        way = "it takes Docker or Podman, with Lambda's image or one that --image names; `layerforge doctor` says more"
    return f"{way}; or leave --from-source and --compile out"


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
