"""``layerforge recipes new``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import click
from packaging.utils import canonicalize_name

from layerforge.cli import options as shared
from layerforge.cli import output_files, sharing, terminal, verbosity
from layerforge.core import guarded
from layerforge.core.errors import UsageError
from layerforge.core.faults import writing
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Target
from layerforge.core.text import megabytes
from layerforge.resolve import locking, recipe_file
from layerforge.resolve.catalogue import Catalogue, catalogue
from layerforge.resolve.sources import Search
from layerforge.resolve.targets import requests


@click.command("new")
@click.argument("name")
@shared.target_options
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("recipes"),
    show_default=True,
    help="Folder of recipes that it is written to.",
)
def command(name: str, python: str, arch: str, output: Path) -> None:
    """Write a first recipe for the package NAME, from what its wheel holds.

    NAME may have versions, such as "shapely>=2". Nothing of the package is run, and no file is overwritten.
    """
    package = package_of(name)
    folder, known = output / package, catalogue(*([output] if output.is_dir() else []))
    refuse_known(package, folder, known)
    files = drafted(name, package, shared.target(python, arch), known, terminal.progress())
    write(folder, files)
    show(folder, package)


def package_of(name: str) -> str:
    """The package that NAME is, normalised. Raises ``UsageError`` where it is none of an index."""
    try:
        wanted = guarded.requirement(name)
    except guarded.Unreadable as error:
        raise UsageError(f"{name!r} is no package: {error}", hint='such as shapely, or "shapely>=2,<3"') from error
    if wanted.url or wanted.extras or wanted.marker:
        raise UsageError(
            f"{name!r} says more than a recipe can be about",
            hint=f"a recipe is about a package: layerforge recipes new {wanted.name}",
        )
    return canonicalize_name(wanted.name)


def refuse_known(package: str, folder: Path, known: Catalogue) -> None:
    """Raises ``UsageError`` where there is a recipe already, or something in its place."""
    if os.path.lexists(folder):
        what = "is there already" if (folder / recipe_file.FILE).exists() else "is in the way"
        raise UsageError(f"{folder} {what}, and nothing is overwritten", hint="take it away, or name another --output")
    if package in known.places:
        place, found = known.places[package], known.find(package)
        kind = found.kind if found else "package"
        raise UsageError(
            f"there is a recipe for the {kind} {package} already: {place}",
            hint=f"to change it, copy it: `cp -r {place} {folder}`; "
            f"with --recipes {folder.parent} yours counts before it",
        )


def drafted(name: str, package: str, target: Target, known: Catalogue, progress: Progress) -> dict[str, str]:
    """The texts of the recipe's files, by name."""
    # What this imports is of no use to any other command of the group.
    from layerforge.report.draft import text
    from layerforge.report.draft.survey import survey

    store = sharing.near_store(progress)
    search = Search(store=store, folders=(), progress=progress)
    [request] = requests((name,), None, known)
    chosen = locking.locked_pins(request, target, search)
    with store.workspace() as workspace:
        found = survey(request, chosen.pins, package, target, search, workspace)
        progress.say(f"{package} {found.version}: {megabytes(found.bytes)} behind the default rules")
        return text.files(found, known)


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Writes all of the files into a folder that is new."""
    output_files.check_folder(folder.parent)
    with writing(folder.parent):
        folder.mkdir()
        output_files.write_together({folder / name: text.encode() for name, text in files.items()})


def show(folder: Path, package: str) -> None:
    """What was written, and what to do with it."""
    out = terminal.report()
    recipe, check, shown = folder / recipe_file.FILE, folder / "check.py", shown_as_path(folder)
    out.line(f"{recipe}\n{check}")
    if verbosity.wanted(verbosity.QUIET):
        return
    out.line()
    out.line(("next", "bold"))
    steps = (
        (f"$EDITOR {recipe} {check}", f"say what is known of {package}, and prove it"),
        (f"layerforge recipes check {shown}", "looks for mistakes"),
        (f"layerforge lock {shown}", "writes its lock"),
        (f"layerforge build {shown}", "builds its layer, verified"),
    )
    for line, what in steps:
        out.line(f"  {line}", (f"  {what}", "dim"))


def shown_as_path(folder: Path) -> str:
    """A folder as a target that no command takes for a package's name."""
    return str(folder) if folder.is_absolute() or folder.parts[:1] == ("..",) else f"./{folder}"
