"""``layerforge lock``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import click
from packaging.utils import canonicalize_name

from layerforge.cli import helping, output_files, sharing, terminal
from layerforge.cli import options as shared
from layerforge.core.errors import UsageError
from layerforge.core.faults import writing
from layerforge.core.progress import Progress
from layerforge.core.store.disk import DiskStore
from layerforge.core.text import counted
from layerforge.resolve import build_environments, excluding, locking, recipe_file, remarks
from layerforge.resolve import lock as locks
from layerforge.resolve.build_environments import EnvironmentResolver
from layerforge.resolve.compose import proved
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import Recipe, SourcePackage
from layerforge.resolve.request import Request, beside, leaving_out
from layerforge.resolve.sources import Search
from layerforge.resolve.targets import requests, stand_alone


@click.command("lock", cls=helping.Grouped)
@shared.targets_argument
@click.option(
    "--python",
    type=shared.PYTHON,
    default=locking.OLDEST_LOCKED,
    show_default=True,
    help="Oldest Python that the lock serves.",
)
@click.option("--from-source", multiple=True, metavar="PKG", help="Lock this package's source; repeatable.")
@shared.leave_out_option
@shared.recipes_option
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write.  [default: beside the recipe]")
def command(
    targets: tuple[str, ...],
    python: str,
    from_source: tuple[str, ...],
    leave_out: tuple[str, ...],
    output: Path | None,
    recipes_folders: tuple[Path, ...],
) -> None:
    """Write a lock for TARGET: exact versions with hashes, for every platform, without addresses of an index.

    Bare requirements share one lock. What packages are compiled with whose recipes say so is locked too, in build.lock
    beside it, as far as no other recipe's does.
    """
    python = shared.target(python, "x86_64").python
    known, asked = shared.known_recipes(recipes_folders), shared.asked(targets)
    wanted = requests(asked, None, known, each=stand_alone(asked, known))
    if output and len(wanted) != 1:
        raise UsageError("--output goes with a single lock", hint="write the locks one at a time")
    if output:
        output_files.check(output, "layer.lock")
    places = [output or place(request) for request in wanted]
    progress = terminal.progress()
    store = sharing.open_store(progress)
    left = tuple(canonicalize_name(name) for name in leave_out)
    wanted = tuple(leaving_out(with_compiled(request, from_source), left) for request in wanted)
    for request in wanted:
        excluding.refuse_compiled(left, request.spec.compiled)
    for request, path in zip(wanted, places, strict=True):
        write(replace(request, lock=path) if output else request, python, path, store, progress)


def with_compiled(request: Request, from_source: Iterable[str]) -> Request:
    """The request with what the command line, or its requirements file, wants compiled."""
    names = (*map(canonicalize_name, from_source), *request.listed.compiled)
    own = (request.spec.name,) if request.spec.folder is not None else ()
    return replace(request, spec=request.spec.compiling(names), from_sdist=own)


def write(request: Request, python: str, path: Path, store: DiskStore, progress: Progress) -> None:
    """Resolves a request for every platform from ``python`` on and writes its lock to ``path``: all it has, or none."""
    remarks.tell(request, progress)
    search = Search(store=store, folders=(), progress=progress)
    with progress.step("lock") as step:
        text = locking.universal(request, python, search)
        found = locks.parse(text, path.name)
        step.note(f"{counted(len(found.pins), 'package')} in {path}")
    files, second = ({}, path) if no_target(request) else ({path: text}, beside(path))
    environments = EnvironmentResolver(request=replace(request, spec=compiled(request, found)), search=search)
    if more := build_environments.universal(environments, found, python, second):
        files[second] = more
    with progress.step("write") as step, writing(path.parent):
        output_files.write_together({file: content.encode() for file, content in files.items()})
        step.note(" and ".join(str(file) for file in files))


def compiled(request: Request, found: locks.Lock) -> LayerSpec:
    """The spec with all that is compiled of a lock on some platform; for a recipe with its own package alone, since
    what that needs has a ``build.lock`` of its own.
    """
    only = request.spec.name if request.spec.folder is not None or no_target(request) else ""
    spec = request.spec
    for pin in (pin for pin in found.pins if not only or pin.name == only):
        known = request.catalogue.find(pin.name)
        if known and isinstance(known.part, SourcePackage) and proved(known, pin):
            others = (part for part in spec.packages if part.name != pin.name)
            spec = replace(spec, packages=(*others, known.part))
    return spec


def no_target(request: Request) -> Recipe | None:
    """The recipe whose folder is named and that makes no layer of its own, where it compiles: what its package is
    compiled with is locked, and nothing else.
    """
    found = request.catalogue.find(request.spec.name)
    alone = found is not None and found.folder in request.catalogue.first and len(request.given) == 1
    return found if found and alone and found.compiles and found.layer is None and request.lock is None else None


def place(request: Request) -> Path:
    """Where the lock of a request belongs: in the recipe's folder, beside the file, else in the current folder."""
    if request.installed:
        raise UsageError(
            f"{request.spec.name} is a recipe of the installed layerforge",
            hint=f"{request.way_out()}; or copy its folder and lock the copy, or name a file with --output",
        )
    if request.spec.folder is not None:
        return request.spec.folder / recipe_file.LOCK
    if recipe := no_target(request):
        return recipe.folder / recipe_file.BUILD_LOCK
    if request.file:
        return request.file.with_suffix(".lock")
    return Path(f"{request.spec.name}.lock")
