"""``layerforge coldstart --advise-defer``: which imports of a layer's modules could wait, as lines for recipes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any

import click
from click.core import ParameterSource

from layerforge.build import interpreters
from layerforge.build.engine import Engine
from layerforge.build.errors import EngineError
from layerforge.build.host import HostEngine
from layerforge.cli import engines
from layerforge.cli.consent import built_here
from layerforge.cli.function_layers import Layers
from layerforge.cli.screen import Screen
from layerforge.core.errors import UsageError
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Target
from layerforge.core.store.disk import DiskStore, pythons
from layerforge.core.text import counted
from layerforge.examine.examination import Examination
from layerforge.layer.imports import module_name
from layerforge.measure.coldstart.experiment import Experiment
from layerforge.measure.deferring.advise import Reason
from layerforge.measure.deferring.investigate import Investigation, investigate
from layerforge.measure.deferring.lines import as_text
from layerforge.measure.deferring.owners import Owners
from layerforge.measure.deferring.trial import Trial
from layerforge.measure.deferring.writing import SCHEMA, as_data
from layerforge.measure.deferring.writing import place as placed

RUNS = 3
"""Of each kind, where nobody says how many."""

_OF_COLD_STARTS = ("against", "against_variables", "memory", "price_gb_second", "per_day", "plot", "no_write")
"""Options that say something of cold starts alone."""


def run(
    order: Experiment,
    layers: Layers,
    image: str | None,
    worth: float,
    store: DiskStore,
    progress: Progress,
    out: Screen,
) -> dict[str, Any]:
    """Finds out what could wait in an order's layer, shows it, and gives it as data for JSON. ``worth`` is the
    milliseconds that an import has to free. Raises ``UsageError``, ``EngineError``, ``VerificationError``.
    """
    require_sources(layers.seen)
    place = engine(image, order.target, layers.seen, store, progress)
    layer = order.subjects[0]
    waiting = {one.file: one.modules for one in layers.deferred}
    owners = Owners(examination=layer.examination, opt=str(layer.opt), waiting=waiting)
    modules = {module_name(file): names for file, names in waiting.items()}
    trial = Trial(engine=place, target=order.target, function=order.function, layer=layer, waiting=modules)
    found = investigate(trial, owners, order.runs, worth, progress)
    show(out, found, owners, worth)
    return {
        "schema": SCHEMA,
        "zips": [one.path.name for one in layers.seen],
        "sha256": [one.sha256 for one in layers.seen],
        "python": order.target.python,
        "arch": str(order.target.arch),
        "function": dict(order.function.about),
        "runs": order.runs,
        "worth_ms": worth,
        "engine": place.name,
        **as_data(found, owners),
    }


def runs_of(ctx: click.Context) -> int:
    """How often each thing is measured. Raises ``UsageError`` for options that do not go together."""
    given = [name for name in ctx.params if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    asked: int = ctx.params["runs"]
    if not ctx.params["advise_defer"]:
        if "worth" in given:
            raise UsageError("--worth goes with --advise-defer", hint="add --advise-defer, or leave it out")
        return asked
    for name in _OF_COLD_STARTS:
        if name in given:
            option = "--against-env" if name == "against_variables" else f"--{name.replace('_', '-')}"
            raise UsageError(f"{option} and --advise-defer do not go together", hint=f"leave {option} out")
    return RUNS if ctx.get_parameter_source("runs") is ParameterSource.DEFAULT else asked


def require_sources(seen: Iterable[Examination]) -> None:
    """Raises ``UsageError`` for layers without sources, which say nothing of what their modules import."""
    members = [member.path for one in seen for member in one.members]
    if any(path.endswith(".py") for path in members):
        return
    raise UsageError(
        "the layer has no Python sources, and what could wait is read from these",
        hint="build it with `--bytecode beside`, take the advice, and build it with `--bytecode only` again",
    )


def engine(
    image: str | None, target: Target, seen: Iterable[Examination], store: DiskStore, progress: Progress
) -> Engine:
    """What runs it: the container engine where there is one, this machine for layers that were built on it.

    Raises ``EngineError``.
    """
    found = engines.choose("auto", image, target, interpreters.find(target.python, own=pythons()), progress).engine
    if refusal := found.refusal(target):
        raise EngineError(refusal, hint="name an image for this Python and processor with --image")
    strange = [str(one.path) for one in seen if not built_here(one, store)]
    if strange and isinstance(found, HostEngine):
        raise EngineError(
            f"{', '.join(strange)}: not built on this machine, and its code is not run on it unasked",
            hint="a container engine runs it apart: Docker or Podman, --image; see `layerforge doctor`",
        )
    return found


def show(out: Screen, found: Investigation, owners: Owners, least: float) -> None:
    """The advice for people."""
    out.line()
    out.line(f"imports: {found.ms:,.0f} ms of processor time, {counted(found.modules, 'module')}")
    if not found.groups:
        out.line(f"  nothing that could wait frees {least:g} ms or more for each import")
    else:
        out.line()
        columns = ("what waits", "ms freed", "sum", "modules", "imports", "in")
        out.table("", columns, list(_rows(found, owners)), words=True)
        out.line()
        out.line(f"  each import is worth {least:g} ms or more; --worth chooses otherwise")
        out.line(*_together(found))
        for one in found.recipes:
            out.line()
            for line in as_text(one, found.ms):
                out.line(line)
    for title, lines in _kept(found, owners):
        out.line()
        out.line(title)
        for line in lines:
            out.line(f"    {line}")


def _rows(found: Investigation, owners: Owners) -> Iterator[tuple[str, ...]]:
    for group, total in zip(found.groups, accumulate(group.ms for group in found.groups), strict=True):
        packages = {owners.package(found.trace.modules[wait.importer].file) for wait in group.waits}
        figures = (f"{group.ms:,.1f}", f"{total:,.1f}", f"{len(group.freed):,}", f"{len(group.waits):,}")
        yield (group.module, *figures, ", ".join(sorted(packages)))


def _together(found: Investigation) -> Iterator[str]:
    times = f", {found.after_ms / found.before_ms:.2f} ×" if found.before_ms else ""
    yield f"  all together, measured in turns: {found.before_ms:,.0f} → {found.after_ms:,.0f} ms{times}; "
    yield f"{found.modules:,} → {found.modules_after:,} modules"
    if found.still:
        yield f"; still loaded: {', '.join(sorted(found.still)[:5])}{' and more' * (len(found.still) > 5)}"


def _kept(found: Investigation, owners: Owners) -> Iterator[tuple[str, list[str]]]:
    for one in found.kept:
        reasons = [placed(found, owners, by) for by in one.by]
        yield f"cannot wait: {one.module}, {one.ms:,.0f} ms", list(map(_reason, reasons))


def _reason(reason: Reason) -> str:
    where = f"{reason.module}, line {reason.line}" if reason.line else reason.module
    return f"{where}: {reason.why}"
