"""``layerforge lock``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from layerforge import lock as locks
from layerforge import recipe, resolve
from layerforge.cli import options as shared
from layerforge.cli import screen
from layerforge.errors import UsageError
from layerforge.model import Progress
from layerforge.progress import TerminalProgress, counted
from layerforge.resolve import Request
from layerforge.store import write_atomically, writing


@click.command("lock")
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@click.option("--python", default=resolve.OLDEST_LOCKED, show_default=True, help="Oldest Python that the lock serves.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write.  [default: beside the recipe]")
def command(targets: tuple[str, ...], python: str, output: Path | None) -> None:
    """Write a lock for TARGET: exact versions with hashes, for every platform, without addresses of an index.

    Bare requirements share one lock.
    """
    shared.target(python, "x86_64")
    wanted = resolve.requests(targets, None)
    if output and len(wanted) != 1:
        raise UsageError("--output goes with a single lock", hint="write the locks one at a time")
    places = [output or place(request) for request in wanted]
    progress = TerminalProgress(screen.console())
    for request, path in zip(wanted, places, strict=True):
        write(replace(request, lock=output) if output else request, python, path, progress)


def write(request: Request, python: str, path: Path, progress: Progress) -> None:
    """Resolves a request for every platform from ``python`` on and writes its lock to ``path``."""
    with progress.step("lock") as step, writing(path.parent):
        text = resolve.universal(request, python)
        write_atomically(path, text.encode())
        step.note(f"{counted(len(locks.parse(text, path.name).pins), 'package')} in {path}")


def place(request: Request) -> Path:
    """Where the lock of a request belongs: in the recipe's folder, beside the file, else in the current folder."""
    if request.installed:
        raise UsageError(
            f"{request.recipe.name} is a recipe of the installed layerforge",
            hint=f"{request.way_out()}; or copy its folder and lock the copy, or name a file with --output",
        )
    if request.recipe.folder is not None:
        return request.recipe.folder / recipe.LOCK
    if isinstance(request.source, Path):
        return request.source.with_suffix(".lock")
    return Path(f"{request.recipe.name}.lock")
