"""``layerforge snippet``."""

from __future__ import annotations

import zipfile
from pathlib import Path

import click

from layerforge.cli import options, terminal
from layerforge.core import runtimes
from layerforge.core.errors import UsageError
from layerforge.core.runtimes import Arch
from layerforge.examine import examine
from layerforge.publish.artifact import artifact
from layerforge.publish.snippets import results, tools
from layerforge.publish.snippets.results import LocalLayer, Wanted
from layerforge.report.beside import manifest, target_of

MOST_NAMES = 10
"""Layers that a warning names."""


@click.command("snippet")
@click.argument("source", metavar="ZIP|RESULT", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--for", "tool", type=click.Choice(list(tools.TOOLS)), required=True, help="What deploys the function.")
@click.option("--region", "regions", multiple=True, metavar="R", help="Only this Region; repeatable.")
@click.option("--layer", "names", multiple=True, metavar="NAME", help="Only this layer of a result; repeatable.")
@click.option("--python", type=options.PYTHON, help="Only layers of a result for this Python.")
@click.option("--arch", type=options.ARCH, help="Only layers of a result for this processor.")
def command(
    source: Path, tool: str, regions: tuple[str, ...], names: tuple[str, ...], python: str | None, arch: str | None
) -> None:
    """Print the few lines that attach a layer to functions.

    RESULT is what `layerforge publish` wrote with --json or --write arns.json; - is standard input. For a ZIP, the
    lines create the layer from it where the tool can do that.
    """
    if str(source) != "-" and (zipfile.is_zipfile(source) or source.suffix.lower() == ".zip"):
        if names or python or arch:
            raise UsageError(
                "--layer, --python and --arch choose from a result, and a zip is one layer", hint="leave them out"
            )
        text = tools.for_zip(tool, local(source), regions)
    else:
        where = "standard input" if str(source) == "-" else str(source)
        found = results.results(read(source), where)
        versions = results.chosen(found, wanted(regions, names, python, arch), where)
        warn(found.failures, versions, regions)
        text = tools.for_versions(tool, versions)
    click.echo(f"for {tools.TOOLS[tool].place}:", err=True)
    if not tools.TOOLS[tool].comments:
        click.echo(tools.HIDES, err=True)
    click.echo(text, nl=False)


def wanted(regions: tuple[str, ...], names: tuple[str, ...], python: str | None, arch: str | None) -> Wanted:
    """What the options choose. Raises ``UsageError`` for a Python or a processor that Lambda does not have."""
    target = runtimes.target((python or options.DEFAULT_PYTHON).removeprefix("python"), arch or Arch.X86_64)
    return Wanted(
        regions=regions,
        names=names,
        runtime=f"python{target.python}" if python else "",
        arch=str(target.arch) if arch else "",
    )


def read(source: Path) -> str:
    """The text of a result. Raises ``UsageError`` where it cannot be read."""
    try:
        with click.open_file(str(source), encoding="utf-8") as file:
            return str(file.read())
    except OSError as error:
        raise UsageError(
            f"{source} cannot be read",
            hint="name a layer's zip or what `layerforge publish --write arns.json` wrote",
            details=(str(error),),
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{source} is neither text nor a zip", hint="is it damaged?", details=(str(error),)) from error


def local(zip_file: Path) -> LocalLayer:
    """The layer in a zip: runtime and processor from the manifest beside it, else as its files suggest."""
    seen = examine.examine(zip_file)
    layer_manifest = manifest(seen, terminal.progress().warn)
    described = artifact(seen, layer_manifest, target_of(seen, layer_manifest), None)
    return LocalLayer(
        name=described.name,
        path=zip_file.as_posix(),
        runtime=described.runtimes[0],
        arch=described.architectures[0],
        zipped=seen.zipped,
        env=described.env,
    )


def warn(
    failures: tuple[results.RegionFailure, ...],
    versions: tuple[results.PublishedVersion, ...],
    regions: tuple[str, ...],
) -> None:
    """Says what the snippet lacks, and what Lambda will refuse."""
    out = terminal.notes()
    for failure in failures:
        if not regions or failure.region in regions:
            out.line(("!", "yellow"), f" {failure}")
    layers = {one.name for one in versions}
    by_region: dict[str, set[str]] = {}
    for one in versions:
        by_region.setdefault(one.region, set()).add(one.name)
    for region, there in sorted(by_region.items()):
        if missing := sorted(layers - there):
            more = f" and {len(missing) - MOST_NAMES} more" if len(missing) > MOST_NAMES else ""
            names = ", ".join(missing[:MOST_NAMES])
            out.line(("!", "yellow"), f" {region} has no version of {names}{more}")
    if len(layers) > results.MOST_LAYERS:
        told = f" a function takes {results.MOST_LAYERS} layers, these are {len(layers)}; choose with --layer"
        out.line(("!", "yellow"), told)
