"""What one call asks for: which layers, for which targets, and where those of each target are made."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click

from layerforge.build import cost
from layerforge.build.durations import SharedClock
from layerforge.build.interpreters import Interpreter
from layerforge.build.options import Options
from layerforge.build.session import Session
from layerforge.cli import costs, engines, github, unannounced
from layerforge.cli import options as shared
from layerforge.core.errors import LayerforgeError
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Target
from layerforge.core.store.disk import DiskStore
from layerforge.planning import Prepared, cost_of, prepare
from layerforge.resolve import recipe_file
from layerforge.resolve.errors import LockError, RecipeError
from layerforge.resolve.request import Request, without_projects


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
    given: Mapping[str, Any] = field(default_factory=dict)
    """What its layer of the project file says beyond the command line, by the option's parameter."""
    near: str = ""
    """The layer of the project file that may have been meant instead of a word that no index knows."""

    @property
    def settled(self) -> bool:
        """Whether the project file says for it alone if it is compiled, so that nobody has to be asked."""
        return any(self.given.get(name) for name in ("wheels", "compiles", "from_source"))

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

    def chosen(self, target: Target, interpreter: Interpreter | None) -> engines.Chosen | LayerforgeError:
        """What makes the layers of a target, or why it cannot be used."""
        try:
            own = self.elsewhere(target)
            return own or engines.choose(self.engine, self.image, target, interpreter, self.progress)
        except LayerforgeError as error:
            return error


def taken(wanted: Sequence[Asked], prerelease: str | None, *, project: bool) -> list[Asked]:
    """The layers with what is said of their versions, and whether projects' own code is in them: by their own tables,
    else by the call.

    Raises ``UsageError`` where nothing would be left of one.
    """
    return [replace(one, request=_taken(one, prerelease, project=project)) for one in wanted]


def _taken(one: Asked, prerelease: str | None, *, project: bool) -> Request:
    own = one.given.get("no_project")
    project = project if own is None else not own
    return replace_versions(one.request, one.given.get("prerelease", prerelease), project=project)


def replace_versions(request: Request, prerelease: str | None, *, project: bool) -> Request:
    """A request with what is said of it; see ``taken``."""
    request = request if project else without_projects(request)
    return replace(request, prerelease=prerelease or request.prerelease)


def sites(
    place: Place, wanted: Sequence[Asked], given: Mapping[str, Any], *, compiles: bool | None
) -> list[Site | LayerforgeError]:
    """Where each layer is made and how, or why it cannot be.

    ``given`` are the options of the call, which count where a layer's own do not. ``compiles`` says whether compiling
    is asked for; with ``None`` nothing is refused for that reason. Raises ``LayerforgeError`` where all layers are made
    alike.
    """
    unannounced.say((one.target.python for one in wanted), place.progress)
    clock = SharedClock()
    interpreters: dict[tuple[str, Any], Interpreter | None] = {}
    chosen: dict[tuple[str, Interpreter | None], engines.Chosen | LayerforgeError] = {}
    found: dict[Hashable, Site | LayerforgeError] = {}
    alike = [(one.target.label, frozenset(_given(one, given, compiles).items())) for one in wanted]
    for key, one in zip(alike, wanted, strict=True):
        if key in found:
            continue
        own = _given(one, given, compiles)
        asks = own.pop("compiles")
        python = (one.target.python, own["bytecode"])
        if python not in interpreters:
            interpreters[python] = shared.interpreter_of(*python, place.progress)
        engine = (one.target.label, interpreters[python])
        if engine not in chosen:
            chosen[engine] = place.chosen(one.target, interpreters[python])
        options = shared.options(one.target, interpreters[python], **own)
        listed = [name for other, its in zip(alike, wanted, strict=True) if other == key for name in _listed(its)]
        found[key] = _site(place, options, chosen[engine], (*options.from_source, *listed), clock, compiles=asks)
    if len(found) == 1 and isinstance(only := next(iter(found.values())), LayerforgeError):
        raise only
    return [found[key] for key in alike]


def _given(one: Asked, given: Mapping[str, Any], compiles: bool | None) -> dict[str, Any]:  # noqa: FBT001
    """The options that count for a layer, and whether compiling is asked for."""
    own = dict(one.given)
    if "no_verify" in own:
        own["verify"] = not own["no_verify"]
    known = {**given, "compiles": compiles}
    own["compiles"] = None if compiles is None else own.get("compiles", compiles)
    return known | {name: value for name, value in own.items() if name in known}


def _listed(one: Asked) -> tuple[str, ...]:
    return one.request.listed.compiled


def _site(
    place: Place,
    options: Options,
    chosen: engines.Chosen | LayerforgeError,
    compiled: Iterable[str],
    clock: SharedClock,
    *,
    compiles: bool | None,
) -> Site | LayerforgeError:
    """Where layers are made with what ``compiled`` names compiled, or why they cannot be."""
    if isinstance(chosen, LayerforgeError):
        return chosen
    if chosen.builder is None and compiles is not None:
        try:
            engines.refuse_compiling(tuple(dict.fromkeys(compiled)), chosen, always=compiles)
        except LayerforgeError as error:
            return error
    return Site(options=options, session=chosen.session(place.store, place.progress, place.sources, clock))


def agreed(
    wanted: Sequence[Asked],
    found: Sequence[Site | LayerforgeError],
    progress: Progress,
    read: Callable[[], str] | None,
    *,
    fail_fast: bool = False,
) -> tuple[list[Prepared | LayerforgeError], dict[str, Any]]:
    """Plans of all layers of a call, each for the site that was ``found`` for it, or why there is none, and their cost
    as data, which is said before any is made.

    Where there is a person to ``read`` an answer from, and it takes long, wheels may be taken instead. Raises
    ``click.Abort`` where that person stops, and ``LayerforgeError`` where a single layer, or with ``fail_fast`` any,
    has no plan.
    """
    alone = fail_fast or len(wanted) == 1
    planned = [_planned(one, site, progress, alone=alone) for one, site in zip(wanted, found, strict=True)]
    refuse_strangers(planned)
    price = cost_of([one for one in planned if isinstance(one, Prepared)])
    for line in costs.told(price):
        progress.say(line)
    match costs.ask(price, read) if read and costs.is_long(price) else costs.Answer.COMPILE:
        case costs.Answer.WHEELS:
            sites = [
                site if one.settled or isinstance(site, LayerforgeError) else site.of_wheels
                for one, site in zip(wanted, found, strict=True)
            ]
            return agreed(wanted, sites, progress, None, fail_fast=fail_fast)
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
    try:
        with github.refusals_annotated(origin(one.request)):
            return prepare(one.request, site.options, site.session, fetches=fetches)
    except (LockError, RecipeError) as error:
        if not one.near:
            raise
        hint = f"perhaps you meant the layer {one.near} of the project file" + (
            f"; or: {error.hint}" if error.hint else ""
        )
        raise type(error)(error.message, hint=hint, details=error.details) from error


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
    named = dict.fromkeys(name for one in ready for name in one.options.from_source)
    strangers = [name for name in named if name not in held]
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
