"""``layerforge lock``."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
from packaging.utils import canonicalize_name

from layerforge.build.requested_wheels import with_wheels
from layerforge.cli import (
    asking,
    build_options,
    call,
    output_files,
    project,
    sharing,
    terminal,
    verbosity,
    wheel_making,
)
from layerforge.cli import options as shared
from layerforge.cli.wishes import wanted_options, wishes
from layerforge.core.errors import UsageError
from layerforge.core.faults import writing
from layerforge.core.progress import Progress
from layerforge.core.runtimes import version
from layerforge.core.store.disk import DiskStore
from layerforge.core.text import counted
from layerforge.resolve import build_environments, excluding, locking, project_layers, pythons, recipe_file, remarks
from layerforge.resolve import lock as locks
from layerforge.resolve.build_environments import EnvironmentResolver
from layerforge.resolve.catalogue import Catalogue
from layerforge.resolve.compose import proved
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.other_locks.formats import format_of
from layerforge.resolve.project_settings import LayerWish, project_settings
from layerforge.resolve.recipe import Recipe, SourcePackage
from layerforge.resolve.request import Request, beside, by_versions, leaving_out
from layerforge.resolve.sources import Search
from layerforge.resolve.targets import PROJECT, requests, stand_alone
from layerforge.resolve.wanted import Wanted


@dataclass(frozen=True, kw_only=True)
class ToLock:
    """A lock that is to be written."""

    request: Request
    path: Path
    python: str
    """The oldest that it serves; empty where nobody says."""


@click.command("lock", cls=project.LockCommand)
@shared.targets_argument
@click.option(
    "--python",
    type=shared.PYTHON,
    help="Oldest Python that the lock serves.  "
    f"[default: the oldest inside the project's requires-python, from {locking.OLDEST_LOCKED} on]",
)
@click.option("--from-source", multiple=True, metavar="PKG", help="Lock this package's source; repeatable.")
@wanted_options
@build_options.leave_out_option
@build_options.recipes_option
@build_options.build_here_option
@build_options.no_project_option
@build_options.prerelease_option
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write.  [default: beside the recipe]")
def command(
    targets: tuple[str, ...],
    python: str | None,
    from_source: tuple[str, ...],
    leave_out: tuple[str, ...],
    extras: tuple[str, ...],
    groups: tuple[str, ...],
    output: Path | None,
    recipes_folders: tuple[Path, ...],
    build_here: bool,  # noqa: FBT001
    no_project: bool,  # noqa: FBT001
    prerelease: str | None,
) -> None:
    """Write a lock for TARGET: exact versions with hashes, for every platform, without addresses of an index.

    Bare requirements share one lock. What packages are compiled with whose recipes say so is locked too, in build.lock
    beside it, as far as no other recipe's does.
    """
    given, options = shared.target(python, "x86_64").python if python else "", wishes(extras, groups)
    known, progress = shared.known_recipes(recipes_folders), terminal.progress()
    layers, words = asking.wanted(shared.asked(targets), known, progress, options)
    layers = lockable(layers, progress)
    found = [of_layer(one, known, given, output, options) for one in layers]
    each = stand_alone(words, known)
    for request in requests(words, None, known, each=each, options=options) if words else ():
        settled = settle(request, from_source, leave_out)
        oldest = pythons.oldest(given, request.requires_python, locking.OLDEST_LOCKED)
        found.append(ToLock(request=settled, path=output or place(request), python=oldest))
    if output and len(found) != 1:
        raise UsageError("--output goes with a single lock", hint="write the locks one at a time")
    if output:
        output_files.check(output, "layer.lock")
    store = sharing.open_store(progress)
    for one in found:
        request = call.replace_versions(one.request, prerelease, project=not no_project)
        if request.names_sources:
            request = with_wheels(request, wheel_making.for_locks(one.python, store, progress, build_here=build_here)())
        write(replace(request, lock=one.path) if output else request, one.python, one.path, store, progress)
    hint_at_keys(layers, found)
    hint_at_builds(found[len(layers) :])


def lockable(layers: Sequence[LayerWish], progress: Progress) -> tuple[LayerWish, ...]:
    """The layers whose locks are written here; of others it is said why not. Raises ``UsageError`` where none is left
    of those that there are.
    """
    reasons = {one.name: project_layers.unlockable(one) for one in layers}
    for reason in filter(None, reasons.values()):
        if all(reasons.values()):
            raise UsageError(reason, hint="what a layer requires is locked, where its table says that")
        progress.say(reason)
    return tuple(one for one in layers if not reasons[one.name])


def of_layer(wish: LayerWish, known: Catalogue, python: str, output: Path | None, options: Wanted) -> ToLock:
    """The lock of a layer of the project file: for its own Pythons, where ``--python`` does not say otherwise."""
    ctx = click.get_current_context()
    own = ctx.params | project.of_layer(wish, ctx)
    named = wish.settings.python or project_settings(Path()).defaults.python
    python = python or (min(named, key=version) if named else "")
    found = replace(project_layers.request(wish, known, options=options), lock=None)
    # Its own table says again what its lock is to be without, and where that lies.
    settled = settle(found, own["from_source"], own["leave_out"])
    request = settled if "leave_out" in project.decided(ctx) else replace(settled, leave_out=())
    oldest = pythons.oldest(python, request.requires_python, locking.OLDEST_LOCKED)
    return ToLock(request=request, path=output or project_layers.lock_file(wish), python=oldest)


def settle(request: Request, from_source: Iterable[str], leave_out: Iterable[str]) -> Request:
    """The request with what is to be compiled and what is to stay out. Raises ``UsageError`` where that is the same."""
    left = tuple(canonicalize_name(name) for name in leave_out)
    found = leaving_out(with_compiled(request, from_source), left)
    excluding.refuse_compiled(left, found.spec.compiled)
    return found


def hint_at_keys(layers: Iterable[LayerWish], found: Iterable[ToLock]) -> None:
    """Says which layers of the project file do not name the locks that were written, and so are not built from them."""
    file = project_settings(Path()).file
    of_pyproject = file is not None and file.name == PROJECT
    for wish, one in zip(layers, found, strict=False):
        if wish.asks.lock is None and not verbosity.wanted(verbosity.QUIET):
            table = f"{'tool.layerforge.' if of_pyproject else ''}layer.{wish.name}"
            terminal.notes().line(f'lock = "{one.path}" in [{table}] has it built from that')


def hint_at_builds(found: Iterable[ToLock]) -> None:
    """Says how layers are built from locks that no build takes by itself, as it takes a recipe's."""
    for one in found:
        if one.request.spec.folder is None and not no_target(one.request) and not verbosity.wanted(verbosity.QUIET):
            words = [*one.request.given, *one.request.options, "--lock", str(one.path)]
            terminal.notes().line(f"`{shlex.join(['layerforge', 'build', *words])}` builds from it")


def with_compiled(request: Request, from_source: Iterable[str]) -> Request:
    """The request with what the command line, or its requirements file, wants compiled."""
    names = (*map(canonicalize_name, from_source), *request.listed.compiled)
    own = (request.spec.name,) if request.spec.folder is not None else ()
    return replace(request, spec=request.spec.compiling(names), from_sdist=own)


def write(request: Request, python: str, path: Path, store: DiskStore, progress: Progress) -> None:
    """Resolves a request for every platform from ``python`` on and writes its lock to ``path``: all it has, or none."""
    remarks.tell(request, progress)
    request = by_versions(request)
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
    if request.file and request.file in request.texts and format_of(request.file):
        return request.file.with_name(f"{request.spec.name}.lock")
    if request.file:
        return request.file.with_suffix(".lock")
    return Path(f"{request.spec.name}.lock")
