"""``layerforge snippet``."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import click

from layerforge.cli import options, terminal
from layerforge.core import runtimes
from layerforge.core.errors import UsageError
from layerforge.core.paths import PRIMING
from layerforge.core.runtimes import Arch
from layerforge.examine import examine
from layerforge.publish.artifact import artifact
from layerforge.publish.snippets import results, snap_start, tools
from layerforge.publish.snippets.per_function import for_functions, function_versions
from layerforge.publish.snippets.results import LocalLayer, PublishedVersion, Wanted
from layerforge.report.beside import manifest, target_of
from layerforge.resolve import layers_lock
from layerforge.resolve.layers_lock import TargetSplit

MOST_NAMES = 10
"""Layers that a warning names."""


@click.command("snippet")
@click.argument("source", metavar="ZIP|RESULT", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--for", "tool", type=click.Choice(list(tools.TOOLS)), required=True, help="What deploys the function.")
@click.option("--region", "regions", multiple=True, metavar="R", help="Only this Region; repeatable.")
@click.option("--layer", "names", multiple=True, metavar="NAME", help="Only this layer of a result; repeatable.")
@click.option(
    "--functions",
    "layers_file",
    type=click.Path(path_type=Path),
    metavar="LOCK",
    help="The layers.lock of `layerforge split`: each function gets its own layers.",
)
@click.option("--python", type=options.PYTHON, help="Only layers of a result for this Python.")
@click.option("--arch", type=options.ARCH, help="Only layers of a result for this processor.")
@click.option("--snapstart", is_flag=True, help="Add what SnapStart takes: setting, version, lines of the handler.")
def command(
    source: Path,
    tool: str,
    regions: tuple[str, ...],
    names: tuple[str, ...],
    layers_file: Path | None,
    python: str | None,
    arch: str | None,
    snapstart: bool,  # noqa: FBT001
) -> None:
    """Print the few lines that attach a layer to functions.

    RESULT is what `layerforge publish` wrote with --json or --write arns.json; - is standard input. For a ZIP, the
    lines create the layer from it where the tool can do that.
    """
    if str(source) != "-" and (zipfile.is_zipfile(source) or source.suffix.lower() == ".zip"):
        if names or python or arch or layers_file:
            raise UsageError(
                "--layer, --functions, --python and --arch choose from a result, and a zip is one layer",
                hint="leave them out",
            )
        layer = local(source)
        text = tools.for_zip(tool, layer, regions)
        if snapstart:
            snap_start.refuse_old([layer.runtime])
            text = snap_start.with_snap_start(tool, text, primed=layer.primed)
    else:
        where = "standard input" if str(source) == "-" else str(source)
        found = results.results(read(source), where)
        asked = wanted(regions, names, python, arch)
        if layers_file is not None:
            text = _for_functions(tool, found, asked, layers_file, where, snapstart=snapstart)
        else:
            versions = results.chosen(found, asked, where)
            warn(found.failures, versions, regions)
            text = tools.for_versions(tool, versions)
            if snapstart:
                snap_start.refuse_old(runtime for one in versions for runtime in one.runtimes)
                text = snap_start.with_snap_start(tool, text, primed=None)
    click.echo(f"for {tools.TOOLS[tool].place}:", err=True)
    if not tools.TOOLS[tool].comments:
        click.echo(tools.HIDES, err=True)
    click.echo(text, nl=False)


def _for_functions(tool: str, found: results.Results, asked: Wanted, file: Path, where: str, *, snapstart: bool) -> str:
    """The lines that give each function of a ``layers.lock`` its layers.

    Raises ``UsageError`` where that is not there, or has no layers for the Python and the processor of the result.
    """
    if asked.names:
        raise UsageError("--functions gives each function all its layers", hint="leave --layer out")
    lock = layers_lock.read(file)
    if lock is None:
        raise UsageError(f"{file} is not there", hint="write it with `layerforge split`")
    mine = [(one, versions) for one in lock.target if (versions := tuple(_published(one, found.versions, asked)))]
    if len(mine) != 1:
        labels = ", ".join(one.label for one, _ in mine or [(one, ()) for one in lock.target])
        what = "for more than one of them" if mine else "of none of their layers"
        raise UsageError(
            f"{file} has layers for {labels}, and {where} has versions {what}",
            hint="choose with --python and --arch" if mine else "publish them: `layerforge publish dist/*.zip`",
            details=tuple(map(str, found.failures)),
        )
    [(split, versions)] = mine
    versions = results.chosen(replace(found, versions=versions), asked, where)
    warn(found.failures, (), asked.regions)
    functions = {one.name: one.layers for one in split.function}
    attached = function_versions(functions, versions)
    text = tools.TOOLS[tool].told(for_functions(tool, attached))
    if not snapstart:
        return text
    snap_start.refuse_old([f"python{split.python}"])
    return snap_start.with_snap_start(tool, text, primed=None, functions=[one.name for one in attached])


def _published(split: TargetSplit, versions: Iterable[PublishedVersion], asked: Wanted) -> Iterator[PublishedVersion]:
    """The versions of a split's layers, by their names there; those of zips have its label behind it."""
    runtime = f"python{split.python}"
    if (asked.runtime or runtime, asked.arch or split.arch) != (runtime, split.arch):
        return
    names = {layer.name: layer.name for layer in split.layer}
    names |= {f"{layer.name}-{split.label}": layer.name for layer in split.layer}
    for one in versions:
        fits = runtime in (one.runtimes or (runtime,)) and split.arch in (one.architectures or (split.arch,))
        if one.name in names and fits:
            yield replace(one, name=names[one.name])


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
        primed=not {PRIMING, f"{PRIMING}c"}.isdisjoint(seen.by_path),
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
