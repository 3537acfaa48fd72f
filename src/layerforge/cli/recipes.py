"""``layerforge recipes``."""

from __future__ import annotations

import click

from layerforge import lock, recipe
from layerforge.cli import options as shared
from layerforge.cli import screen
from layerforge.progress import megabytes


@click.command("recipes")
@shared.json_option
def command(as_json: bool) -> None:  # noqa: FBT001
    """List the recipes that come along."""
    rows = [_row(name) for name in recipe.bundled()]
    if as_json:
        screen.print_json({"recipes": rows})
        return
    cells = [(row["name"], row["version"], f"{row['oldest_python']}+", megabytes(row["unzipped"] or 0)) for row in rows]
    screen.console().print(screen.table("", ("recipe", "version", "Python", "unzipped at most"), cells))


def _row(name: str) -> dict[str, str | int | None]:
    folder = recipe.bundled()[name]
    made = recipe.load(folder)
    locked = lock.parse((folder / recipe.LOCK).read_text("utf-8"), recipe.LOCK)
    versions = [pin.version for pin in locked.pins if pin.name == name]
    return {
        "name": made.name,
        "version": versions[-1] if versions else "",
        "oldest_python": locked.oldest_python,
        "unzipped": made.budget.unzipped,
        "zipped": made.budget.zipped,
    }
