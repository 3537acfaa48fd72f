"""``layerforge build``."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from layerforge import report, resolve
from layerforge.cli import engines, screen
from layerforge.cli import options as shared
from layerforge.errors import EngineError, UsageError
from layerforge.model import LAMBDA_UNZIPPED_LIMIT, Progress
from layerforge.pipeline import Layer, forge
from layerforge.progress import TerminalProgress, megabytes


@click.command("build")
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@shared.build_options
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("dist"), show_default=True)
@click.option("--no-verify", is_flag=True, help="Skip the rules and the check.")
@shared.json_option
def command(
    targets: tuple[str, ...],
    lock_file: Path | None,
    engine: str,
    image: str | None,
    output: Path,
    no_verify: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
    **given: Any,
) -> None:
    """Build layers from recipes, requirements files or requirements, verify them and write them to a folder.

    TARGET is a recipe's name, a path to a recipe's folder or to a requirements file, or a requirement such as lxml or
    "pandas>=3". Bare requirements share one layer.
    """
    chosen = shared.options(**given, output=output, verify=not no_verify)
    check_output(output)
    out = screen.console()
    progress = TerminalProgress(out)
    store = shared.open_store(progress)
    wanted = resolve.requests(targets, lock_file)
    where = engines.choose(engine, image, chosen.target, chosen.interpreter, progress)
    if where.builder is None:
        tell_what_is_not_compiled(wanted, chosen.from_source, progress)
    layers = [forge(request, chosen, where.engine, where.builder, store, progress) for request in wanted]
    show(out, layers)
    screen.step_summary(markdown(layers))
    if as_json:
        screen.print_json({"layers": [as_data(layer) for layer in layers], "seconds": progress.seconds})


def tell_what_is_not_compiled(
    wanted: Iterable[resolve.Request], from_source: tuple[str, ...], progress: Progress
) -> None:
    """Says which wheels stand in for what a recipe compiles. Raises ``EngineError`` where compiling is asked for."""
    if from_source:
        raise EngineError(
            f"compiling {', '.join(from_source)} takes a container engine",
            hint="start Docker or Podman, or leave --from-source out; `layerforge doctor` says more",
        )
    names = [package.name for request in wanted for package in request.recipe.packages]
    if names:
        progress.say(f"{', '.join(names)} come from their wheels; a container engine would compile them")


def check_output(output: Path) -> None:
    """Raises ``UsageError`` where the output folder cannot take files, before anything is built."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output):
            pass
    except OSError as error:
        raise UsageError(
            f"nothing can be written to {output}",
            hint="name a folder of yours with --output",
            details=(str(error),),
        ) from error


def show(out: Console, layers: Iterable[Layer]) -> None:
    """The table at the end, warnings and notes."""
    for layer in layers:
        if layer.verdict:
            screen.verdict(out, layer.verdict.findings, layer.verdict.notes)
        made = layer.manifest
        out.print()
        out.print(f"[bold]{layer.path}[/]", soft_wrap=True)
        share = made.unzipped_bytes / LAMBDA_UNZIPPED_LIMIT
        zipped, unzipped = megabytes(made.zip_bytes), megabytes(made.unzipped_bytes)
        out.print(f"  zip {zipped} · unzipped {unzipped}, {share:.0%} of what Lambda takes", soft_wrap=True)
        parts = [f"{row['pass']} {megabytes(row['bytes'])}" for row in report.saved(made) if row["bytes"]]
        out.print(f"  saved: {', '.join(parts) or 'nothing'}", soft_wrap=True)
        out.print(f"  sha256 {made.sha256}", soft_wrap=True)


def as_data(layer: Layer) -> dict[str, Any]:
    """A layer in the form of the contract."""
    made = layer.manifest
    return {
        "name": made.name,
        "path": str(layer.path),
        "python": made.python,
        "arch": str(made.arch),
        "engine": made.engine,
        "zip_bytes": made.zip_bytes,
        "unzipped_bytes": made.unzipped_bytes,
        "sha256": made.sha256,
        "content_sha256": made.content_sha256,
        "packages": [{"name": one.name, "version": one.version, "origin": one.origin} for one in made.packages],
        "saved": report.saved(made),
        "findings": report.findings_json(layer.verdict.findings) if layer.verdict else [],
    }


def markdown(layers: Iterable[Layer]) -> str:
    """The layers as a Markdown table."""
    rows = [
        f"| `{layer.path.name}` | {megabytes(layer.manifest.zip_bytes)} | {megabytes(layer.manifest.unzipped_bytes)} "
        f"| {len(layer.verdict.findings) if layer.verdict else 'not verified'} | `{layer.manifest.sha256[:16]}…` |"
        for layer in layers
    ]
    return "\n".join(["| layer | zip | unzipped | findings | sha256 |", "|---|--:|--:|--:|---|", *rows, ""])
