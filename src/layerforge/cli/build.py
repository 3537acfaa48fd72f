"""``layerforge build``."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
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
    sharing,
    terminal,
    verbosity,
)
from layerforge.cli import options as shared
from layerforge.cli.call import Asked
from layerforge.cli.progress import TerminalProgress
from layerforge.cli.screen import Screen
from layerforge.core.limits import DIRECT_UPLOAD_LIMIT, LAMBDA_UNZIPPED_LIMIT
from layerforge.core.text import megabytes
from layerforge.pipeline import Delivered, Ended
from layerforge.report import manifest
from layerforge.report.delivery import Layer
from layerforge.report.manifest import Manifest
from layerforge.resolve.project_settings import project_settings
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
    lock_file: Path | None,
    output: Path,
    compiles: bool,  # noqa: FBT001
    cluster: str | None,
    tls_dir: Path | None,
    as_json: bool,  # noqa: FBT001
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
    call_of = click.get_current_context().params
    own = shared.decisive(call_of)
    shares = every is None and lock_file is None and _is_of_functions(targets)
    if shares:
        # Most builds are of layers that are named, and need nothing of what this loads.
        from layerforge.cli import shared_layers

        shared_layers.refuse_unready(twice=given["twice"])
        if not shared_layers.beside_others():
            return shared_layers.run(own, progress, as_data)
    made = _made(call_of, own, progress)
    code = _shown(made)
    data = _as_json(made, twice=given["twice"]) if as_json else {}
    if shares:
        return shared_layers.run(own, progress, as_data, data) or code
    if as_json:
        terminal.print_json(data | {"seconds": progress.seconds})
    return code


def _is_of_functions(targets: tuple[str, ...]) -> bool:
    """Whether this call names nothing, and the project of the current folder has functions."""
    return not shared.asked(targets) and bool(project_settings(Path()).functions)


@dataclass(frozen=True, kw_only=True)
class _Made:
    """What came of the layers of a call."""

    wanted: Sequence[Asked]
    ended: Sequence[Ended]
    price: Mapping[str, Any]
    """What compiling cost, as data for JSON."""

    @property
    def layers(self) -> list[Layer]:
        """Those that were written."""
        return [one.layer for one in self.ended if isinstance(one, Delivered)]


def _made(call_of: Mapping[str, Any], own: Mapping[str, Any], progress: TerminalProgress) -> _Made:
    """Makes the layers of a call, whose options are ``call_of``; ``own`` are those that decide how."""
    cluster, tls_dir, image = (call_of[name] for name in ("cluster", "tls_dir", "image"))
    compiles, fail_fast = call_of["compiles"], call_of["fail_fast"]
    store = sharing.open_store(progress)
    wanted = asking.layers(call_of, progress)
    found = call.sites(clusters.place(call_of, store, progress), wanted, own, compiles=compiles)
    said = compiles or own["wheels"] or own["from_source"] or call_of["as_json"]
    read = costs.reader(settled=bool(said) or all(one.settled for one in wanted))
    planned, price = call.agreed(wanted, found, progress, read, fail_fast=fail_fast)
    with clusters.opened(cluster, tls_dir, image, planned, store, progress) as runner_of:
        ended = ends.of(wanted, planned, progress, runner_of, fail_fast=fail_fast)
    return _Made(wanted=wanted, ended=ended, price=price)


def _shown(made: _Made) -> int:
    """Shows what came of a call's layers. Returns the exit code."""
    if layers := made.layers:
        show(terminal.notes(), layers)
        terminal.step_summary(job_summary.layers(layers))
    return ends.show(terminal.notes(), made.wanted, made.ended) if len(made.wanted) > 1 else 0


def _as_json(made: _Made, *, twice: bool) -> dict[str, Any]:
    told = {"reproducible": True} if twice else {}
    rows = [as_data(layer) | told for layer in made.layers]
    return {"layers": rows, "failed": ends.failed_json(made.wanted, made.ended), "cost": made.price}


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
