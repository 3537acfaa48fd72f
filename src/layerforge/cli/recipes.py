"""``layerforge recipes``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TypedDict

import click
from click.core import ParameterSource

from layerforge.cli import build_options, new_recipe, terminal
from layerforge.cli import options as shared
from layerforge.cli.screen import Screen
from layerforge.core.errors import UsageError
from layerforge.core.text import counted, megabytes
from layerforge.resolve import lock, locking, recipe_check, recipe_file
from layerforge.resolve.catalogue import catalogue
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.recipe import Library, Recipe
from layerforge.resolve.recipe_check import Checked
from layerforge.resolve.recipe_findings import RecipeFinding


@click.group("recipes", invoke_without_command=True)
@build_options.recipes_option
@shared.json_option
@click.pass_context
def command(ctx: click.Context, recipes_folders: tuple[Path, ...], as_json: bool) -> None:  # noqa: FBT001
    """List the recipes that come along, and those of a folder of your own; write one, or look for mistakes in some."""
    if ctx.invoked_subcommand is not None:
        # A variable stands for those of the command behind it, too.
        typed = [name for name in ctx.params if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE]
        if typed:
            option = "--json" if "as_json" in typed else "--recipes DIR"
            raise UsageError(
                "--recipes and --json stand behind the command that they are for",
                hint=f"layerforge recipes {ctx.invoked_subcommand} … {option}",
            )
        return
    rows = [_row(recipe) for recipe in shared.known_recipes(recipes_folders).all()]
    if as_json:
        terminal.print_json({"recipes": rows})
        return
    cells = [(row["name"], row["kind"], row["version"] or row["versions"], row["python"], _most(row)) for row in rows]
    out = terminal.report()
    out.table("", ("recipe", "what of", "version", "Python", "unzipped at most"), cells)
    for row in (row for row in rows if row["without"]):
        out.line()
        out.line(f"{row['name']} is without {'; '.join(row['without'])}")


command.add_command(new_recipe.command)


@command.command("check")
@click.argument(
    "places", nargs=-1, required=True, metavar="DIR...", type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@build_options.recipes_option
@shared.json_option
def check(places: tuple[Path, ...], recipes_folders: tuple[Path, ...], as_json: bool) -> None:  # noqa: FBT001
    """Look for mistakes in recipes without building anything. Exits 3 where there are any.

    DIR is a recipe's folder, or a folder of them. What they need may stand beside them, in --recipes, or come along.
    """
    folders = recipe_check.recipe_folders(places)
    known = catalogue(*recipes_folders).with_those_beside(*folders)
    found = recipe_check.check(folders, known)
    if as_json:
        names = [folder.absolute().name for folder in folders]
        terminal.print_json({"recipes": names, "findings": [findings_data(one) for one in found.findings]})
    show(terminal.report(taken=as_json), found)
    refuse(found)


def findings_data(one: RecipeFinding) -> dict[str, str]:
    """A finding as data for JSON."""
    return {key: str(value) for key, value in asdict(one).items()}


def show(out: Screen, found: Checked) -> None:
    """The findings as a table, then how many recipes there are."""
    if found.findings:
        rows = [(str(one.severity), f"{one.recipe}/{one.file}", one.message, one.hint) for one in found.findings]
        out.table("", ("", "file", "finding", "what to do"), rows, numbers=False)
        out.line()
    warnings = len(found.findings) - len(found.errors)
    told = f"{counted(len(found.errors), 'error')}, {counted(warnings, 'warning')}" if found.findings else "no findings"
    out.line(f"{counted(len(found.folders), 'recipe')}: {told}")


def refuse(found: Checked) -> None:
    """Raises ``RecipeError`` where recipes have errors."""
    bad = sorted({one.recipe for one in found.errors})
    if bad:
        raise RecipeError(
            f"{counted(len(found.errors), 'error')} in {counted(len(bad), 'recipe')}: {', '.join(bad)}",
            hint="docs/recipes.md explains every key",
        )


class RecipeRow(TypedDict):
    """A recipe as ``--json`` shows it. Sizes are its layer's budget in bytes, 0 where it has none."""

    name: str
    kind: str
    """``layer``: a package that `layerforge build NAME` has a lock for; ``variant``: such a layer that is without parts
    of its packages; ``package``; ``library``.
    """
    versions: str
    """Those that it was proved for."""
    compiles: bool
    """Whether there is something to compile where a container engine is."""
    version: str
    """The one that is locked, for a layer; empty where its lock is not written yet."""
    python: str
    unzipped_at_most: int
    zipped_at_most: int
    without: list[str]
    """What a variant leaves out, in words."""


def _row(recipe: Recipe) -> RecipeRow:
    library = recipe.part if isinstance(recipe.part, Library) else None
    row = RecipeRow(
        name=recipe.name,
        kind="layer" if recipe.layer and recipe.of_package else recipe.kind,
        versions=library.version if library else recipe.versions or _asked(recipe),
        compiles=recipe.part is not None,
        version="",
        python="",
        unzipped_at_most=0,
        zipped_at_most=0,
        without=list(recipe.variant.whats) if recipe.variant else [],
    )
    if recipe.layer is None:
        return row
    file = recipe.folder / recipe_file.LOCK
    locked = lock.parse(locking.read(file, "write it anew") if file.is_file() else "", recipe_file.LOCK)
    name = recipe.variant.of if recipe.variant else recipe.name
    versions = [pin.version for pin in locked.pins if pin.name == name]
    row["version"] = versions[-1] if versions else ""
    row["python"] = f"{locked.oldest_python} and newer" if locked.oldest_python else ""
    row["unzipped_at_most"] = recipe.layer.budget.unzipped or 0
    row["zipped_at_most"] = recipe.layer.budget.zipped or 0
    return row


def _asked(recipe: Recipe) -> str:
    """What the layer of a variant requires, which is about no package of its own."""
    return ", ".join(recipe.layer.requires) if recipe.layer else ""


def _most(row: RecipeRow) -> str:
    return megabytes(row["unzipped_at_most"]) if row["unzipped_at_most"] else ""
