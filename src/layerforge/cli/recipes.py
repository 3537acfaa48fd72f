"""``layerforge recipes``."""

from __future__ import annotations

from typing import TypedDict

import click

from layerforge.cli import options as shared
from layerforge.cli import terminal
from layerforge.core.text import megabytes
from layerforge.resolve import lock, recipe_file


@click.command("recipes")
@shared.json_option
def command(as_json: bool) -> None:  # noqa: FBT001
    """List the recipes that come along."""
    rows = [_row(name) for name in recipe_file.bundled()]
    if as_json:
        terminal.print_json({"recipes": rows})
        return
    cells = [(row["name"], row["version"], row["python"], megabytes(row["unzipped_at_most"])) for row in rows]
    terminal.report().table("", ("recipe", "version", "Python", "unzipped at most"), cells)


class RecipeRow(TypedDict):
    """A recipe as ``--json`` shows it. Sizes are the recipe's budget in bytes, 0 where it has none."""

    name: str
    version: str
    python: str
    unzipped_at_most: int
    zipped_at_most: int


def _row(name: str) -> RecipeRow:
    folder = recipe_file.bundled()[name]
    recipe = recipe_file.load(folder)
    locked = lock.parse((folder / recipe_file.LOCK).read_text("utf-8"), recipe_file.LOCK)
    versions = [pin.version for pin in locked.pins if pin.name == name]
    return RecipeRow(
        name=recipe.name,
        version=versions[-1] if versions else "",
        python=f"{locked.oldest_python} and newer" if locked.oldest_python else "",
        unzipped_at_most=recipe.budget.unzipped or 0,
        zipped_at_most=recipe.budget.zipped or 0,
    )
