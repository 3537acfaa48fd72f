"""``layerforge build``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from layerforge import report, resolve
from layerforge.cli import options as shared
from layerforge.cli import screen
from layerforge.errors import UsageError
from layerforge.host import HostEngine
from layerforge.model import LAMBDA_UNZIPPED_LIMIT
from layerforge.pipeline import Layer, forge
from layerforge.progress import TerminalProgress, megabytes


@click.command("build")
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@shared.build_options
@click.option(
    "--engine", type=click.Choice(["auto", "host"]), default="auto", show_default=True, help="Where to build."
)
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("dist"), show_default=True)
@click.option("--no-verify", is_flag=True, help="Skip the rules and the check.")
@shared.json_option
def command(
    targets: tuple[str, ...],
    python: str,
    arch: str,
    bytecode: str | None,
    docstrings: str | None,
    compression: str,
    lock_file: Path | None,
    engine: str,
    output: Path,
    no_verify: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> None:
    """Build layers from recipes, requirements files or requirements, verify them and write them to a folder.

    TARGET is a recipe's name, a path to a recipe's folder or to a requirements file, or a requirement such as lxml or
    "pandas>=3". Bare requirements share one layer.
    """
    chosen = shared.options(python, arch, compression, bytecode, docstrings, output, verify=not no_verify)
    check_output(output)
    out = screen.console()
    progress = TerminalProgress(out)
    store = shared.open_store(progress)
    wanted = resolve.requests(targets, lock_file)
    runner = HostEngine(interpreter=chosen.interpreter)
    if engine == "auto":
        progress.say("engine host: locked wheels need no container")
    for request in wanted:
        for name in request.recipe.compiles:
            progress.say(f"{name} comes from its wheel; a container engine would compile it")
    layers = [forge(request, chosen, runner, store, progress) for request in wanted]
    show(out, layers)
    screen.step_summary(markdown(layers))
    if as_json:
        screen.print_json({"layers": [as_data(layer) for layer in layers], "seconds": progress.seconds})


def check_output(output: Path) -> None:
    """Raises ``UsageError`` where the output folder cannot take files, before anything is built."""
    probe = output / ".layerforge-probe"
    try:
        output.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
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
