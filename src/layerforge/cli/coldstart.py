"""``layerforge coldstart``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from layerforge.build.errors import EngineError
from layerforge.build.machine import this_machine
from layerforge.cli import advise_defer as advising
from layerforge.cli import code_options, coldstart_function, helping, sharing, terminal
from layerforge.cli import options as shared
from layerforge.cli import output_files as files
from layerforge.cli.coldstart_function import Asked
from layerforge.cli.coldstart_options import (
    MEMORIES,
    PICTURES,
    TAIL,
    Memories,
    Places,
    RunPlace,
    advice_options,
    environments,
    function_options,
    result_options,
)
from layerforge.cli.coldstart_tables import show
from layerforge.cli.function_layers import Layers, read, unpacked
from layerforge.cli.screen import Screen
from layerforge.core.errors import UsageError
from layerforge.core.filing import write_atomically
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Target, arch_of
from layerforge.examine import stacked, union
from layerforge.measure.coldstart import statistics
from layerforge.measure.coldstart.experiment import Experiment, Function, MeasuredLayer
from layerforge.measure.coldstart.functions import default_modules, of_imports
from layerforge.measure.coldstart.measure import measure
from layerforge.measure.coldstart.prices import Prices, prices
from layerforge.measure.coldstart.writing import as_data


@click.command("coldstart", cls=helping.Grouped)
@click.argument("zip_files", metavar="ZIP...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--against", metavar="OTHER.zip", type=click.Path(path_type=Path), help="Another layer, in turns with the first."
)
@click.option("--memory", type=Memories(), default=MEMORIES, show_default=True, help="Sizes of the function.")
@click.option("--runs", type=click.IntRange(1, 1000), default=10, show_default=True, help="Of each layer at each size.")
@function_options
@shared.function_options(shared.MANIFEST)
@click.option("--image", help="Container image to run it in.  [default: Lambda's own]")
@advice_options
@result_options
@shared.json_option
def command(
    zip_files: tuple[Path, ...],
    against: Path | None,
    memory: tuple[int, ...],
    runs: int,
    modules: tuple[str, ...],
    handler: str | None,
    code: Path | None,
    event: str | None,
    variables: tuple[str, ...],
    against_variables: tuple[str, ...],
    python: str | None,
    arch: str | None,
    image: str | None,
    advise_defer: bool,  # noqa: FBT001
    worth: float,
    price_gb_second: float | None,
    per_day: int | None,
    plot: Path | None,
    write: Path | None,
    no_write: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> None:
    """Measure real cold starts of a function with the layer ZIP, in the runtime's container image.

    Several ZIPs are the layers of one function, in Lambda's order. Each run is a fresh container with Lambda's share of
    the processors and with the layers read from disk anew.
    """
    runs = advising.runs_of(click.get_current_context())
    stacked.refuse_many(zip_files)
    places = find_places(None if advise_defer else sole(zip_files), write, plot, no_write=no_write)
    asked = Asked(modules=modules, handler=handler, event=event, code=code)
    coldstart_function.refuse(asked)
    given = environments(variables, against_variables, against)
    progress = terminal.progress()
    own, other = (read(paths, progress) for paths in (zip_files, (against,) if against else ()))
    target = code_options.target(own.seen, own.manifests, (), python, arch)
    store, out = sharing.near_store(progress), terminal.report(taken=as_json)
    with store.workspace() as workspace:
        function = chosen_function(asked, own, workspace / "code", progress)
        place = None if advise_defer else connect(image, target, progress)
        subjects = unpacked_all((own, other), given, workspace)
        order = Experiment(target=target, function=function, subjects=subjects, memories=memory, runs=runs)
        if place is None:
            data = advising.run(order, own, image, worth, store, progress, out)
        else:
            data = run(order, place, prices(target.arch, price_gb_second), per_day, progress, out)
    if as_json:
        terminal.print_json(data)
    keep(places, data, progress)


def sole(zip_files: Sequence[Path]) -> Path | None:
    """The layer that a measurement speaks of, and lies beside: none of several."""
    return zip_files[0] if len(zip_files) == 1 else None


def chosen_function(asked: Asked, own: Layers, code: Path, progress: Progress) -> Function:
    """The function that is asked for, else one that imports what the layers are for; says which."""
    chosen = coldstart_function.own_function(asked, own.seen, code, progress)
    function = chosen or of_imports(default_modules(union.together(own.seen), own.requires))
    coldstart_function.say(function, progress, chosen=chosen is not None)
    return function


def unpacked_all(
    layers: Iterable[Layers], given: Iterable[Mapping[str, str]], workspace: Path
) -> tuple[MeasuredLayer, ...]:
    """The layers of each side, unpacked, with the variables that it is given."""
    sides = enumerate(zip(layers, given, strict=True))
    return tuple(unpacked(one, workspace / str(at), variables) for at, (one, variables) in sides if one.seen)


def run(
    order: Experiment, place: RunPlace, at: Prices, per_day: int | None, progress: Progress, out: Screen
) -> dict[str, Any]:
    """Measures, shows the result, and gives it as data for JSON."""
    measured = measure(order, place.engine, progress)
    machine = place.engine.processors
    warnings = [*emulated(order.target), *statistics.warnings(measured.series, machine)]
    told = {
        "image": place.image,
        "machine_processors": machine,
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "warnings": warnings,
    }
    show(out, order, measured, at, per_day, warnings)
    return as_data(order, measured, at, per_day, told)


def find_places(zip_file: Path | None, write: Path | None, plot: Path | None, *, no_write: bool) -> Places:
    """Where the result goes. Raises ``UsageError`` now for what would fail after minutes of measuring."""
    if write and no_write:
        raise UsageError("--write and --no-write do not go together", hint="leave one of them out")
    if plot and plot.suffix.lower() not in PICTURES:
        raise UsageError(f"{plot} is neither PNG nor SVG", hint="name it something like coldstart.svg")
    for place, example in ((write, f"it{TAIL}"), (plot, "it.svg")):
        if place:
            files.check(place, example)
    if plot:
        painter()
    # A folder such as `.` has no name to add to; that it is no zip is found out where it is read.
    beside = zip_file.with_suffix(TAIL) if zip_file and zip_file.name and not no_write else None
    return Places(json=write or beside, plot=plot, asked=write is not None)


def painter() -> Any:
    """The module that draws. Raises ``UsageError`` where matplotlib is not installed."""
    try:
        from layerforge.measure.coldstart import plot as picture
    except ModuleNotFoundError as error:
        raise UsageError(
            "--plot draws with matplotlib, which is not installed",
            hint="install it with: pip install 'layerforge[plot]'",
        ) from error
    return picture


def connect(image: str | None, target: Target, progress: Progress) -> RunPlace:
    """Where the target's functions can be run. Raises ``EngineError``."""
    # The SDK takes long to import.
    from layerforge.build.container import connect as connecting
    from layerforge.build.container.docker_engine import DockerEngine
    from layerforge.build.container.images import find_image

    try:
        client = connecting.connect()
        found = find_image(client, target, image, progress)
    except EngineError as error:
        if "--engine" not in error.hint:
            raise
        # The other way out, the host, is none here.
        hint = "cold starts take a container engine and an image: Docker or Podman, --image; see `layerforge doctor`"
        raise EngineError(error.message, hint=hint, details=error.details) from error
    engine = DockerEngine(client=client, image=found)
    if refusal := engine.refusal(target):
        raise EngineError(refusal, hint="cold starts take an image of Lambda's layout for this Python; see --image")
    progress.say(f"engine docker: {found.reference}")
    return RunPlace(engine=engine, image=found.reference)


def emulated(target: Target) -> Iterator[str]:
    """A warning where the processor is not this machine's."""
    own = arch_of(this_machine().processor)
    if own is not None and own is not target.arch:
        yield f"{target.arch} is emulated on this {own} machine: the times say nothing about Lambda's"


def _left_beside(file: Path, text: bytes) -> bool:
    """Whether ``file``, which nobody named, could be written; a link of that name is none of ours to follow."""
    try:
        write_atomically(file, text)
    except OSError:
        return False
    return True


def keep(places: Places, data: dict[str, Any], progress: Progress) -> None:
    """Writes what is to be kept."""
    text = (json.dumps(data, indent=1) + "\n").encode()
    if places.json and places.asked:
        files.write(places.json, text)
    elif places.json and not _left_beside(places.json, text):
        progress.warn(f"{places.json} cannot be written; --write FILE puts it elsewhere")
        places = replace(places, json=None)
    if places.json:
        progress.say(f"written: {places.json}")
    if places.plot:
        files.write(places.plot, painter().draw(data, places.plot.suffix[1:].lower()))
        progress.say(f"picture: {places.plot}")
