"""``layerforge split``."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from layerforge.cli import build_options, costs, functions, output_files, project, sharing, terminal, verbosity
from layerforge.cli import options as shared
from layerforge.cli.call import Place
from layerforge.cli.functions import Workplace
from layerforge.cli.screen import Screen
from layerforge.core.errors import UsageError
from layerforge.core.faults import writing
from layerforge.core.runtimes import Target
from layerforge.core.text import megabytes
from layerforge.functions.planning import Planned, Wanted, planned
from layerforge.planning import Prepared, cost_of
from layerforge.resolve import layers_lock
from layerforge.resolve.catalogue import Catalogue
from layerforge.resolve.errors import LockError
from layerforge.resolve.layers_lock import LayersLock, TargetSplit
from layerforge.resolve.project_settings import ProjectSettings

MOST_NAMED = 6
"""Packages of a layer that the table names."""


@click.command("split", cls=project.ProjectCommand)
@click.argument(
    "folder", metavar="[PROJECT]", type=click.Path(exists=True, file_okay=False, path_type=Path), default=Path()
)
@click.option(
    "--python", "pythons", type=shared.PYTHONS, multiple=True, help="Lambda's Python.  [default: the project's]"
)
@click.option(
    "--arch", "arches", type=shared.ARCHES, multiple=True, help="Lambda's processor.  [default: the project's]"
)
@build_options.engine_options
@build_options.build_here_option
@build_options.recipes_option
@sharing.store_options
@click.option("--upgrade", is_flag=True, help="Take the newest versions, not those of layers.lock.")
@click.option("--dry-run", is_flag=True, help="Show the layers, and write nothing.")
@click.option(
    "--check", is_flag=True, help="Only say whether layers.lock is what the functions ask for: exits 4 if not."
)
@shared.json_option
def command(
    folder: Path,
    pythons: tuple[tuple[str, ...], ...],
    arches: tuple[tuple[str, ...], ...],
    engine: str,
    image: str | None,
    sources: Path | None,
    recipes_folders: tuple[Path, ...],
    compiles: bool,  # noqa: FBT001
    upgrade: bool,  # noqa: FBT001
    dry_run: bool,  # noqa: FBT001
    check: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
    **given: Any,
) -> None:
    """Plan the layers that the functions of PROJECT share, and write them to its layers.lock.

    The project file names the functions, each in a table [function.NAME]. `layerforge build` then makes the layers, and
    verifies them as each function has them. Versions and layers stay as they are where that costs little.
    """
    progress = terminal.progress()
    shared.refuse_both(given["wheels"], compiles, given["from_source"])
    if check and (dry_run or upgrade):
        raise UsageError("--check plans nothing", hint="leave --dry-run and --upgrade out")
    settings = functions.settings_of(folder)
    path = folder / layers_lock.FILE
    targets = functions.targets_of(settings, _flat(pythons), _flat(arches))
    known = shared.known_recipes(recipes_folders or settings.recipes or ())
    last = layers_lock.read(path)
    if check:
        refuse_stale(path, last, settings, targets, known)
        terminal.notes().line(f"{path} is what the functions ask for")
        return
    store = sharing.open_store(progress)
    own = given | _decided(settings, given)
    here = Place(engine=engine, image=image, sources=sources, store=store, progress=progress)
    place = Workplace(place=here, given=own)
    found = [_planned(settings, target, known, place, None if upgrade else last) for target in targets]
    kept = [one for one in (last.target if last else ()) if not any(map(one.is_for, targets))]
    lock = LayersLock(target=(*(one.split for one in found), *kept))
    if not dry_run:
        _write(path, lock, progress_said=progress.say)
    if as_json:
        terminal.print_json({"targets": [as_data(one) for one in found], "lock": None if dry_run else str(path)})
        return
    for one in found:
        show(terminal.report(), one)
    if not dry_run and not verbosity.wanted(verbosity.QUIET):
        out = terminal.notes()
        out.line(("next", "bold"))
        where = "" if folder == Path() else f"cd {shlex.quote(str(folder))} && "
        out.line(f"  {where}layerforge build", ("  makes the layers, and verifies every function's together", "dim"))


def begun(
    path: Path, settings: ProjectSettings, targets: Sequence[Target], known: Catalogue, place: Workplace
) -> LayersLock:
    """The first ``layers.lock`` of a project, planned and written to ``path`` for a build of it."""
    place.progress.say(f"there is no {path} yet, so the layers are planned first, as `layerforge split` does")
    own = replace(place, given={**place.given, **_decided(settings, dict(place.given))})
    lock = LayersLock(target=tuple(_planned(settings, one, known, own, None).split for one in targets))
    _write(path, lock, place.progress.say)
    return lock


def _flat(words: Sequence[Sequence[str]]) -> list[str]:
    return [word for several in words for word in several]


def _decided(settings: ProjectSettings, given: dict[str, Any]) -> dict[str, Any]:
    """What a project says of how its layers are made, which decides their sizes."""
    said = settings.defaults
    return {
        "bytecode": said.bytecode,
        "docstrings": said.docstrings,
        "wheels": given["wheels"] or bool(said.wheels and not given["from_source"]),
        "from_source": given["from_source"] or (() if given["wheels"] else said.from_source or ()),
        "compression": "fast",
        "leave_out": (),
        "output": Path("dist"),
        "verify": False,
    }


def _planned(
    settings: ProjectSettings, target: Target, known: Catalogue, place: Workplace, last: LayersLock | None
) -> Planned:
    found = functions.wanted(settings, target, known)
    if not found:
        raise UsageError(
            f"no function is for Python {target.python} on {target.arch}", hint="name another --python or --arch"
        )
    options, session = place.session(target)
    before = last.of(target) if last else None

    def tell(one: Prepared) -> None:
        for line in costs.told(cost_of([one])):
            place.progress.say(line)

    return planned(found, options, session, before, [one.name for one in settings.layers], tell)


def refuse_stale(
    path: Path, lock: LayersLock | None, settings: ProjectSettings, targets: Sequence[Target], known: Catalogue
) -> None:
    """Raises ``LockError`` where a ``layers.lock`` is not there, or was written for other functions or targets."""
    if lock is None:
        raise LockError(f"there is no {path}", hint=renew(path))
    wrong = [
        line for target in targets for line in stale(lock.of(target), functions.wanted(settings, target, known), target)
    ]
    if wrong:
        usual = {one.label for one in functions.targets_of(settings, (), ())}
        others = [one for one in targets if lock.of(one) is None and one.label not in usual]
        raise LockError(f"{path} is out of date", hint=renew(path, others), details=tuple(wrong))


def renew(path: Path, others: Sequence[Target] = ()) -> str:
    """What to do about a ``layers.lock`` that does not serve, or not for targets that the project does not name."""
    folder = "" if path.parent == Path() else f" {path.parent}"
    pythons, arches = dict.fromkeys(one.python for one in others), dict.fromkeys(str(one.arch) for one in others)
    words = f" --python {','.join(pythons)} --arch {','.join(arches)}" if others else ""
    return f"write it with `layerforge split{folder}{words}`"


def stale(split: TargetSplit | None, wanted: Sequence[Wanted], target: Target) -> list[str]:
    """What is out of date in a split, a line each."""
    if split is None:
        return [f"it has no layers for Python {target.python} on {target.arch}"] if wanted else []
    locked = {one.name: one.question for one in split.function}
    asked = {one.name: one.question for one in wanted}
    return [
        *(f"the function {name} is not in it" for name in sorted(asked.keys() - locked.keys())),
        *(f"it has the function {name}, which the project has not" for name in sorted(locked.keys() - asked.keys())),
        *(
            f"the function {name} asks for something else now"
            for name in sorted(asked.keys() & locked.keys())
            if asked[name] != locked[name]
        ),
    ]


def _write(path: Path, lock: LayersLock, progress_said: Any) -> None:
    text = layers_lock.text(lock, path.parent)
    if path.is_file() and path.read_bytes() == text.encode():
        progress_said(f"{path} stays as it is")
        return
    with writing(path.parent):
        output_files.write_together({path: text.encode()})
    progress_said(f"{path} is written")


def show(out: Screen, one: Planned) -> None:
    """The layers and the functions of a split, for people."""
    split = one.split
    users = {layer.name: [f.name for f in split.function if layer.name in f.layers] for layer in split.layer}
    out.line((f"Python {split.python} on {split.arch}", "bold"))
    rows = [
        (layer.name, megabytes(layer.bytes), ", ".join(users[layer.name]), _told([p.name for p in layer.packages]))
        for layer in split.layer
    ]
    out.table("", ("layer", "unzipped", "functions", "packages"), rows, words=True)
    functions_rows = [
        (
            function.name,
            ", ".join(function.layers),
            megabytes(one.needed[function.name]),
            megabytes(one.carried[function.name]),
            f"{_waste(one, function.name):.1%}",
        )
        for function in split.function
    ]
    out.line()
    out.table("", ("function", "layers", "needs", "carries", "waste"), functions_rows, words=True)
    for conflict in one.conflicts:
        out.line()
        out.line(("!", "yellow"), f" {' and '.join(conflict.functions)} cannot have the same versions:")
        for line in conflict.said:
            out.line(f"    {line}")


def _told(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _waste(one: Planned, name: str) -> float:
    """Share of what a function carries that it does not need."""
    carried = one.carried[name]
    return (carried - one.needed[name]) / carried if carried else 0.0


def as_data(one: Planned) -> dict[str, Any]:
    """A split as data for JSON."""
    split = one.split
    return {
        "python": split.python,
        "arch": split.arch,
        "layers": [
            {
                "name": layer.name,
                "unzipped_bytes": layer.bytes,
                "functions": [f.name for f in split.function if layer.name in f.layers],
                "packages": [{"name": p.name, "version": p.version, "bytes": p.bytes} for p in layer.packages],
            }
            for layer in split.layer
        ],
        "functions": [
            {
                "name": f.name,
                "layers": list(f.layers),
                "packages": list(f.packages),
                "needed_bytes": one.needed[f.name],
                "carried_bytes": one.carried[f.name],
                "waste": round(_waste(one, f.name), 4),
            }
            for f in split.function
        ],
        "conflicts": [asdict(conflict) for conflict in one.conflicts],
    }
