"""``layerforge recipes``."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

import click

from layerforge.cli import options as shared
from layerforge.cli import terminal
from layerforge.core.text import megabytes
from layerforge.resolve import lock, locking, recipe_file
from layerforge.resolve.recipe import Library, Recipe


@click.command("recipes")
@shared.recipes_option
@shared.json_option
def command(recipes_folder: Path | None, as_json: bool) -> None:  # noqa: FBT001
    """List the recipes that come along, and those of a folder of your own."""
    rows = [_row(recipe) for recipe in shared.known_recipes(recipes_folder).all()]
    if as_json:
        terminal.print_json({"recipes": rows})
        return
    cells = [(row["name"], row["kind"], row["version"] or row["versions"], row["python"], _most(row)) for row in rows]
    terminal.report().table("", ("recipe", "what of", "version", "Python", "unzipped at most"), cells)


class RecipeRow(TypedDict):
    """A recipe as ``--json`` shows it. Sizes are its layer's budget in bytes, 0 where it has none."""

    name: str
    kind: str
    """``layer``: a package that `layerforge build NAME` has a lock for; ``package``; ``library``."""
    versions: str
    """Those that it was proved for."""
    compiles: bool
    """Whether there is something to compile where a container engine is."""
    version: str
    """The one that is locked, for a layer; empty where its lock is not written yet."""
    python: str
    unzipped_at_most: int
    zipped_at_most: int


def _row(recipe: Recipe) -> RecipeRow:
    library = recipe.part if isinstance(recipe.part, Library) else None
    row = RecipeRow(
        name=recipe.name,
        kind="library" if library else "layer" if recipe.layer else "package",
        versions=library.version if library else recipe.versions,
        compiles=recipe.part is not None,
        version="",
        python="",
        unzipped_at_most=0,
        zipped_at_most=0,
    )
    if recipe.layer is None:
        return row
    file = recipe.folder / recipe_file.LOCK
    locked = lock.parse(locking.read(file, "write it anew") if file.is_file() else "", recipe_file.LOCK)
    versions = [pin.version for pin in locked.pins if pin.name == recipe.name]
    row["version"] = versions[-1] if versions else ""
    row["python"] = f"{locked.oldest_python} and newer" if locked.oldest_python else ""
    row["unzipped_at_most"] = recipe.layer.budget.unzipped or 0
    row["zipped_at_most"] = recipe.layer.budget.zipped or 0
    return row


def _most(row: RecipeRow) -> str:
    return megabytes(row["unzipped_at_most"]) if row["unzipped_at_most"] else ""
