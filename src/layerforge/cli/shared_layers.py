"""The layers that functions share, as ``layerforge build`` makes them of a project without words."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from layerforge.build.graph import Runner
from layerforge.cli import (
    clusters,
    failures,
    functions,
    github,
    job_summary,
    sharing,
    split,
    terminal,
    unannounced,
    verbosity,
)
from layerforge.cli import options as shared
from layerforge.cli.functions import Workplace
from layerforge.cli.progress import LayerProgress, TerminalProgress
from layerforge.cli.screen import Screen
from layerforge.core.errors import LayerforgeError, UsageError
from layerforge.core.limits import DIRECT_UPLOAD_LIMIT
from layerforge.core.runtimes import Target
from layerforge.core.text import counted, duration, megabytes
from layerforge.functions import building
from layerforge.functions.building import FunctionEnd, SplitEnd
from layerforge.functions.planning import Wanted, made
from layerforge.pipeline import here
from layerforge.planning import Graph, Prepared, prepare
from layerforge.report.delivery import Layer
from layerforge.resolve import layers_lock
from layerforge.resolve.catalogue import Catalogue
from layerforge.resolve.layers_lock import TargetSplit
from layerforge.resolve.project_settings import ProjectSettings, project_settings
from layerforge.verify import verdict as verdicts

COLUMNS = ("layer", "zip", "unzipped", "made in", "functions")


@dataclass(frozen=True, kw_only=True)
class Built:
    """What came of the layers of a project's functions for one target."""

    target: Target
    end: SplitEnd

    @property
    def errors(self) -> list[LayerforgeError]:
        """Each error once."""
        every = [*(one.error for one in self.end.functions if one.error), *self.end.failed.values()]
        return list({id(error): error for error in every}.values())


def beside_others() -> bool:
    """Whether the project of the current folder has layers that are asked for by themselves too."""
    return bool(project_settings(Path()).layers)


def run(
    given: Mapping[str, Any],
    progress: TerminalProgress,
    layer_data: Callable[[Layer], dict[str, Any]],
    others: Mapping[str, Any] | None = None,
) -> int:
    """Makes the layers of the functions of the current folder's project, with the options of this call: ``given`` are
    those of a layer, ``layer_data`` tells a layer as JSON, and ``others`` are the call's other layers in that form.
    Returns the exit code. Raises ``LayerforgeError`` where nothing can be begun; ``refuse_unready`` has been asked.
    """
    ctx = click.get_current_context()
    asked = ctx.params
    settings = functions.settings_of(Path())
    if settings.defaults.fit:
        progress.say("`fit` of the project file does not count for the layers that functions share: `code` keeps room")
    known, targets = _known(ctx, settings), _targets(ctx, settings)
    if others is None:  # else the call's other layers have told it
        unannounced.say((one.python for one in targets), progress)
    store = sharing.open_store(progress)
    place = Workplace(place=clusters.place(asked, store, progress), given=given)
    found = _splits(settings, targets, known, place)
    work = [_work(target, one, functions.wanted(settings, target, known), known, place) for target, one in found]
    every = [one for its in work for one in its.prepared.values()]
    with clusters.opened(asked["cluster"], asked["tls_dir"], asked["image"], every, store, progress) as runner_of:
        ended = [_built(one, known, runner_of or _threads(given["jobs"], progress)) for one in work]
    _tell_ci(ended, settings)
    code = show(terminal.notes(), ended)
    if asked["as_json"]:
        data = as_data(ended, layer_data)
        both = {name: [*rows, *data[name]] for name, rows in (others or {}).items() if name in data}
        terminal.print_json({**(others or {}), **data, **both, "seconds": progress.seconds})
    return code


def refuse_unready(*, twice: bool) -> None:
    """Raises ``LayerforgeError`` where this call cannot begin the layers that functions share, which is to be known
    before others are made.
    """
    ctx = click.get_current_context()
    if twice:
        raise UsageError("--verify-twice makes layers that are verified alone", hint="leave it out, or name a layer")
    _refuse_planned(ctx)
    path = Path(layers_lock.FILE)
    if lock := layers_lock.read(path):
        settings = functions.settings_of(Path())
        split.refuse_stale(path, lock, settings, _targets(ctx, settings), _known(ctx, settings))


def _known(ctx: click.Context, settings: ProjectSettings) -> Catalogue:
    return shared.known_recipes(ctx.params["recipes_folders"] or settings.recipes or ())


def _targets(ctx: click.Context, settings: ProjectSettings) -> list[Target]:
    return functions.targets_of(settings, *(_said(ctx, name) for name in ("pythons", "arches")))


def _tell_ci(ended: Sequence[Built], settings: ProjectSettings) -> None:
    """Annotates findings at the project file, and adds the layers to a job's summary, where a CI shows these."""
    for end in (end for one in ended for end in one.end.functions):
        github.annotate_findings(end.verdict.findings if end.verdict else (), str(settings.file or ""))
    if layers := [layer.layer for one in ended for layer in one.end.delivered.values()]:
        terminal.step_summary(job_summary.layers(layers))


_PLANNED = {"leave_out": "--leave-out", "fit": "--fit"}
"""Options that change what lies in a layer, which is planned for all functions together."""


def _refuse_planned(ctx: click.Context) -> None:
    """Raises ``UsageError`` for an option of the call that a split would have to know."""
    for name, option in _PLANNED.items():
        if ctx.params.get(name) and ctx.get_parameter_source(name) in _BY_HAND:
            raise UsageError(
                f"{option} changes what is in layers that functions share, and those are planned",
                hint="say leave-out in the project file, then `layerforge split`"
                if name == "leave_out"
                else "leave it out; a function's `code` keeps room for its own files",
            )


_BY_HAND = frozenset({ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT})


def _said(ctx: click.Context, name: str) -> list[str]:
    """Pythons or processors that the call names; none where it has the option's default."""
    if ctx.get_parameter_source(name) in {ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP}:
        return []
    return [word for words in ctx.params[name] for word in words]


def _splits(
    settings: ProjectSettings, targets: Sequence[Target], known: Catalogue, place: Workplace
) -> list[tuple[Target, TargetSplit]]:
    """The splits of the current folder's project by target, which are planned where there is no ``layers.lock`` yet."""
    path = Path(layers_lock.FILE)
    lock = layers_lock.read(path) or split.begun(path, settings, targets, known, place)
    found = [(target, lock.of(target)) for target in targets]
    return [(target, one) for target, one in found if one is not None]


@dataclass(frozen=True, kw_only=True)
class _Work:
    target: Target
    split: TargetSplit
    prepared: Mapping[str, Prepared | LayerforgeError]
    """By name of the layer."""
    verify: bool


def _work(target: Target, one: TargetSplit, wanted: Sequence[Wanted], known: Catalogue, place: Workplace) -> _Work:
    options, session = place.session(target)
    wheels = made(wanted, options, session)
    found: dict[str, Prepared | LayerforgeError] = {}
    # A layer is not run by itself: what its packages need may be in another.
    unproved = replace(options, verify=False, fit=None, leave_out=())
    with tempfile.TemporaryDirectory(prefix="layerforge-") as folder:
        for layer in one.layer:
            try:
                found[layer.name] = prepare(building.request(layer, known, Path(folder), wheels), unproved, session)
            except LayerforgeError as error:
                found[layer.name] = error
    return _Work(target=target, split=one, prepared=found, verify=options.verify)


def _built(work: _Work, known: Catalogue, runner_of: Callable[[Graph], Runner]) -> Built:
    end = building.built(work.split, work.prepared, known, runner_of, verify=work.verify)
    return Built(target=work.target, end=end)


def _threads(jobs: int, progress: TerminalProgress) -> Callable[[Graph], Runner]:
    return lambda found: here(found, jobs, lambda job, _shown: LayerProgress(progress, job.title))


def show(out: Screen, ended: Sequence[Built]) -> int:
    """The tables of layers and functions, then every error. Returns the exit code: that of the first failure."""
    for one in ended:
        out.line()
        out.line((f"Python {one.target.python} on {one.target.arch}", "bold"))
        out.table("", COLUMNS, list(_layer_rows(one.end)), words=True)
        out.line()
        out.table("", ("function", "layers", "findings"), list(_function_rows(one.end)), numbers=False)
    _show_next(out, ended)
    errors = [error for one in ended for error in one.errors]
    for error in errors:
        out.line()
        failures.show(error)
    return errors[0].exit_code if errors else 0


def _show_next(out: Screen, ended: Sequence[Built]) -> None:
    """Commands that a person may want now."""
    layers = [layer.layer for one in ended for layer in one.end.delivered.values()]
    if not layers or verbosity.wanted(verbosity.QUIET):
        return
    zips = shlex.join(str(layer.path) for layer in layers)
    bucket = " --bucket B" if any(layer.manifest.zip_bytes > DIRECT_UPLOAD_LIMIT for layer in layers) else ""
    snippet = f"layerforge snippet arns.json --functions {layers_lock.FILE} --for sam"
    out.line()
    out.line(("next", "bold"))
    out.line(f"  layerforge publish {zips} --region R{bucket} --write arns.json", ("  publishes them", "dim"))
    out.line(f"  {snippet}", ("  prints what gives each function its layers", "dim"))


def _layer_rows(end: SplitEnd) -> Iterator[tuple[str, ...]]:
    users = _users(end)
    for name, one in end.delivered.items():
        made = one.layer.manifest
        took = "from the store" if one.kept else duration(one.seconds)
        yield name, megabytes(made.zip_bytes), megabytes(made.unzipped_bytes), took, ", ".join(users.get(name, ()))
    for name, error in end.failed.items():
        yield name, "", "", "not written", error.message


def _users(end: SplitEnd) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in end.functions:
        for name in one.function.layers:
            found.setdefault(name, []).append(one.function.name)
    return found


def _function_rows(end: SplitEnd) -> Iterator[tuple[str, ...]]:
    for one in end.functions:
        yield one.function.name, ", ".join(one.function.layers), _told(one)


def _told(one: FunctionEnd) -> str:
    if one.error is not None:
        return "failed"
    if one.held_by:
        return f"not written, since {one.held_by} failed"
    if one.verdict is None:
        return "not verified" if one.function.layers else "needs no layer"
    if one.verdict.skipped:
        return f"not run: {one.verdict.skipped}"
    return counted(len(one.verdict.findings), "warning") if one.verdict.findings else "none"


def as_data(ended: Sequence[Built], layer_data: Callable[[Layer], dict[str, Any]]) -> dict[str, Any]:
    """What came of all targets as data for JSON."""
    layers = [layer.layer for one in ended for layer in one.end.delivered.values()]
    return {
        "layers": [layer_data(layer) for layer in layers],
        "failed": [
            {
                "name": name,
                "python": one.target.python,
                "arch": str(one.target.arch),
                "error": failures.as_data(error),
            }
            for one in ended
            for name, error in one.end.failed.items()
        ],
        "functions": [_function_data(one.target, end) for one in ended for end in one.end.functions],
    }


def _function_data(target: Target, end: FunctionEnd) -> dict[str, Any]:
    return {
        "name": end.function.name,
        "python": target.python,
        "arch": str(target.arch),
        "layers": list(end.function.layers),
        "findings": verdicts.findings_json(end.verdict.findings) if end.verdict else [],
        "figures": asdict(end.verdict.figures) if end.verdict else None,
        "verified": end.verdict is not None and not end.verdict.skipped,
        "written": end.written,
        "held_by": end.held_by or None,
        "error": failures.as_data(end.error) if end.error else None,
    }
