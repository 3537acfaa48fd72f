"""What one call asks for: which layers, for which targets, and where those of each target are made."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from layerforge.build import cost
from layerforge.build.durations import SharedClock
from layerforge.build.interpreters import Interpreter
from layerforge.build.options import Options
from layerforge.build.session import Session
from layerforge.cli import costs, engines, github, terminal
from layerforge.cli import options as shared
from layerforge.cli.wishes import Targets
from layerforge.core.errors import LayerforgeError, UsageError
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Target
from layerforge.core.store.disk import DiskStore
from layerforge.planning import Prepared, cost_of, prepare
from layerforge.resolve import matrix, recipe_file
from layerforge.resolve.catalogue import Catalogue
from layerforge.resolve.errors import LockError
from layerforge.resolve.request import Request, without_projects
from layerforge.resolve.targets import requests
from layerforge.resolve.wanted import NOTHING, Wanted


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where the layers of one target are made, and how."""

    options: Options
    session: Session

    @property
    def of_wheels(self) -> Site:
        """The same without compiling."""
        return replace(self, options=replace(self.options, wheels=True))


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One layer that is asked for."""

    request: Request
    target: Target

    @property
    def title(self) -> str:
        """``numpy-py313-x86_64``."""
        return f"{self.request.spec.name}-{self.target.label}"


@dataclass(frozen=True, kw_only=True)
class Place:
    """What the command line says of where layers are made."""

    engine: str
    image: str | None
    sources: Path | None
    store: DiskStore
    progress: Progress
    elsewhere: Callable[[Target], engines.Chosen | None] = lambda _target: None
    """Where the layers of a target are made by a cluster, where that is not for this machine to say."""

    def site(self, options: Options, clock: SharedClock, compiled: tuple[str, ...], *, compiles: bool | None) -> Site:
        """Where the layers of a target are made, with what ``compiled`` names compiled.

        Raises ``EngineError`` where what is asked for cannot be used.
        """
        chosen = self.elsewhere(options.target) or engines.choose(
            self.engine, self.image, options.target, options.interpreter, self.progress
        )
        if chosen.builder is None and compiles is not None:
            engines.refuse_compiling(compiled, chosen, always=compiles)
        return Site(options=options, session=chosen.session(self.store, self.progress, self.sources, clock))


def asked(
    words: tuple[str, ...],
    every: Path | None,
    lock_file: Path | None,
    known: Catalogue,
    targets: Targets,
    *,
    each: bool,
    options: Wanted = NOTHING,
) -> list[Asked]:
    """The layers of a call, in the order of its words. What no lock of a whole folder serves is left out, and said."""
    if every is None:
        found = requests(shared.asked(words), lock_file, known, each=each, options=options)
        say = terminal.notes().line
        return [Asked(request=request, target=target) for request in found for target in targets.of(request, say)]
    if words or lock_file or options:
        raise UsageError(
            "--all goes with neither TARGETs nor --lock, --extra and --group", hint="build those in a call of their own"
        )
    layers = requests(matrix.every_layer(every), None, known, each=True)
    pairs, left = matrix.served(layers, lambda request: targets.of(request, terminal.notes().line))
    for one in left:
        terminal.notes().line(("!", "yellow"), f" {one.recipe}-{one.label} is left out: {one.reason}")
    return [Asked(request=request, target=target) for request, target in pairs]


def taken(wanted: Sequence[Asked], prerelease: str | None, *, project: bool) -> list[Asked]:
    """The layers with what the command line says of their versions, and whether projects' own code is in them.

    Raises ``UsageError`` where nothing would be left of one.
    """
    found = {id(one.request): replace_versions(one.request, prerelease, project=project) for one in wanted}
    return [replace(one, request=found[id(one.request)]) for one in wanted]


def replace_versions(request: Request, prerelease: str | None, *, project: bool) -> Request:
    """A request with what the command line says of it; see ``taken``."""
    request = request if project else without_projects(request)
    return replace(request, prerelease=prerelease or request.prerelease)


def sites(
    place: Place, wanted: Sequence[Asked], given: Mapping[str, Any], *, compiles: bool | None
) -> dict[str, Site | LayerforgeError]:
    """Where the layers of each target are made, or why they cannot be, by the target's label.

    ``compiles`` says whether compiling is asked for; with ``None`` nothing is refused for that reason. Raises
    ``LayerforgeError`` where there is but one target.
    """
    targets = {one.target.label: one.target for one in wanted}
    found: dict[str, Site | LayerforgeError] = {}
    interpreters: dict[str, Interpreter | None] = {}
    clock = SharedClock()
    listed = [
        name
        for request in {id(one.request): one.request for one in wanted}.values()
        for name in request.listed.compiled
    ]
    for label, target in targets.items():
        python = target.python
        if python not in interpreters:
            interpreters[python] = shared.interpreter_of(python, given["bytecode"], place.progress)
        options = shared.options(target, interpreters[python], **given)
        compiled = tuple(dict.fromkeys((*options.from_source, *listed)))
        try:
            found[label] = place.site(options, clock, compiled, compiles=compiles)
        except LayerforgeError as error:
            if len(targets) == 1:
                raise
            found[label] = error
    return found


def agreed(
    wanted: Sequence[Asked],
    found: Mapping[str, Site | LayerforgeError],
    progress: Progress,
    read: Callable[[], str] | None,
    *,
    fail_fast: bool = False,
) -> tuple[list[Prepared | LayerforgeError], dict[str, Any]]:
    """Plans of all layers of a call, or why there is none, and their cost as data, which is said before any is made.

    Where there is a person to ``read`` an answer from, and it takes long, wheels may be taken instead. Raises
    ``click.Abort`` where that person stops, and ``LayerforgeError`` where a single layer, or with ``fail_fast`` any,
    has no plan.
    """
    alone = fail_fast or len(wanted) == 1
    planned = [_planned(one, found[one.target.label], progress, alone=alone) for one in wanted]
    refuse_strangers(planned)
    price = cost_of([one for one in planned if isinstance(one, Prepared)])
    for line in costs.told(price):
        progress.say(line)
    match costs.ask(price, read) if read and costs.is_long(price) else costs.Answer.COMPILE:
        case costs.Answer.WHEELS:
            wheels = {label: one if isinstance(one, LayerforgeError) else one.of_wheels for label, one in found.items()}
            return agreed(wanted, wheels, progress, None, fail_fast=fail_fast)
        case costs.Answer.STOP:
            raise click.Abort
        case costs.Answer.COMPILE:
            return planned, cost.as_json(price)


def plan_of(one: Asked, site: Site | LayerforgeError, *, fetches: bool = True) -> Prepared:
    """The plan of a layer, and what it is carried out with; see ``prepare``. What is wrong with it is annotated at the
    file that asks for it.
    """
    if isinstance(site, LayerforgeError):
        raise site
    with github.refusals_annotated(origin(one.request)):
        return prepare(one.request, site.options, site.session, fetches=fetches)


def _planned(
    one: Asked, site: Site | LayerforgeError, progress: Progress, *, alone: bool
) -> Prepared | LayerforgeError:
    try:
        return plan_of(one, site)
    except LayerforgeError as error:
        if alone:
            raise
        progress.warn(f"{one.title} failed: {error.message}")
        return error


def refuse_strangers(planned: Sequence[Prepared | LayerforgeError]) -> None:
    """Raises ``LockError`` for what ``--from-source`` names and none of the layers holds, if all of them are known."""
    ready = [one for one in planned if isinstance(one, Prepared)]
    held = {pin.name for one in ready for pin in one.plan.pins}
    strangers = [name for name in (ready[0].options.from_source if ready else ()) if name not in held]
    if strangers and len(ready) == len(planned):
        near = difflib.get_close_matches(strangers[0], sorted(held), 1)
        raise LockError(
            f"{', '.join(strangers)} is to be compiled but nothing requires it",
            hint=f"perhaps you meant {near[0]}" if near else "name it as a requirement too",
        )


def origin(request: Request) -> str:
    """The file that asks for a layer, as CI shows findings on it; empty where there is none of the user's."""
    folder = request.spec.folder
    if folder is not None:
        return "" if request.installed else os.path.relpath(folder / recipe_file.FILE)
    return os.path.relpath(request.file) if request.file else ""
