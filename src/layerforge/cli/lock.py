"""``layerforge lock``."""

from __future__ import annotations

from pathlib import Path

import click

from layerforge import recipe, resolve
from layerforge.cli import options as shared
from layerforge.cli import screen
from layerforge.errors import UsageError
from layerforge.progress import TerminalProgress
from layerforge.resolve import Request
from layerforge.store import write_atomically, writing


@click.command("lock")
@click.argument("target")
@click.option("--python", default=resolve.OLDEST_LOCKED, show_default=True, help="Oldest Python that the lock serves.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write.  [default: beside the recipe]")
def command(target: str, python: str, output: Path | None) -> None:
    """Write a lock for TARGET: exact versions with hashes, for every platform, without addresses of an index."""
    shared.target(python, "x86_64")
    [request] = resolve.requests([target], None)
    path = output or place(request)
    progress = TerminalProgress(screen.console())
    with progress.step("lock") as step, writing(path.parent):
        text = resolve.universal(request, python)
        write_atomically(path, text.encode())
        step.note(f"{text.count('==')} packages in {path}")


def place(request: Request) -> Path:
    """Where the lock of a request belongs: in the recipe's folder, beside the file, else in the current folder."""
    if request.recipe.folder is not None:
        if "site-packages" in request.recipe.folder.parts:
            raise UsageError(
                f"{request.recipe.name} is a recipe of the installed layerforge",
                hint="copy its folder and lock the copy, or name a file with --output",
            )
        return request.recipe.folder / recipe.LOCK
    if isinstance(request.source, Path):
        return request.source.with_suffix(".lock")
    return Path(f"{request.recipe.name}.lock")
