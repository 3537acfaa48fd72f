"""``layerforge coldstart``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from layerforge import coldstart, examine, host
from layerforge.cli import options as shared
from layerforge.cli import places as files
from layerforge.cli import screen
from layerforge.cli.verify import manifest
from layerforge.coldstart import Function, Lambda, Measured, Order, Prices, Reading, Sample, Series, Subject
from layerforge.errors import EngineError, UsageError
from layerforge.filing import write_atomically
from layerforge.model import Examination, Manifest, Progress, Target
from layerforge.progress import Screen
from layerforge.store import writing

MEMORIES = "512,1024,1769,3008"
PICTURES = (".png", ".svg")
MOST_MODULES = 6
"""Modules that are named on the screen."""
LABELS = "AB"
"""Of a layer and the one that it is compared with."""
TAIL = ".coldstart.json"
"""What the measurement's name ends in, beside the zip."""

_READ = {
    Reading.COLD: "the layer was read from disk each time: its files were dropped from the page cache",
    Reading.WARM: "not all of the layer could be dropped from the page cache each time: Lambda's init takes longer",
}
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where the result goes, besides the screen; ``None`` for nowhere."""

    json: Path | None
    plot: Path | None
    asked: bool
    """Whether the place of the JSON was named, so that the command fails where it cannot be written."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the functions run."""

    engine: Lambda
    image: str
    """Its name."""


class Memories(click.ParamType[tuple[int, ...]]):
    """Sizes of a function, with commas between them."""

    name = "MB,MB,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """The sizes in ascending order, each once."""
        if isinstance(value, tuple):
            return value
        smallest, largest = coldstart.SMALLEST_MB, coldstart.LARGEST_MB
        words = [word.strip() for word in str(value).split(",")]
        for word in words:
            if not word.isdecimal() or not smallest <= int(word) <= largest:
                self.fail(f"{word!r} is no memory size: Lambda takes {smallest} to {largest:,} MB", param, ctx)
        return tuple(sorted(set(map(int, words))))


def function_options(command: Any) -> Any:
    """What is run."""
    for option in (
        click.option("--event", metavar="JSON", help="What --handler is invoked with.  [default: {}]"),
        click.option(
            "--handler",
            "handler_file",
            metavar="FILE",
            type=click.Path(path_type=Path),
            help="Your function: a Python file whose `handler(event, context)`, or `lambda_handler`, is invoked.",
        ),
        click.option(
            "--import",
            "modules",
            metavar="MODULE",
            multiple=True,
            help="Module that the init phase imports; repeatable.  [default: those of the required packages]",
        ),
    ):
        command = option(command)
    return command


def result_options(command: Any) -> Any:
    """What becomes of the figures."""
    for option in (
        click.option("--no-write", is_flag=True, help="Leave nothing beside the zip."),
        click.option(
            "--write",
            "write",
            metavar="FILE.json",
            type=click.Path(path_type=Path),
            help=f"Where the JSON goes.  [default: beside the zip, NAME{TAIL}]",
        ),
        click.option(
            "--plot",
            metavar="FILE.png|.svg",
            type=click.Path(path_type=Path),
            help="Draw a picture, too; takes layerforge[plot].",
        ),
        click.option(
            "--per-day", type=click.IntRange(1), metavar="N", help="Cold starts a day, for what they cost in a year."
        ),
        click.option(
            "--price-gb-second",
            type=click.FloatRange(0),
            metavar="DOLLARS",
            help="Your price.  [default: us-east-1's list price]",
        ),
    ):
        command = option(command)
    return command


@click.command("coldstart")
@click.argument("zip_file", metavar="ZIP", type=click.Path(path_type=Path))
@click.option(
    "--against", metavar="OTHER.zip", type=click.Path(path_type=Path), help="Another layer, in turns with the first."
)
@click.option("--memory", type=Memories(), default=MEMORIES, show_default=True, help="Sizes of the function.")
@click.option("--runs", type=click.IntRange(1, 1000), default=10, show_default=True, help="Of each layer at each size.")
@function_options
@shared.function_options(shared.MANIFEST)
@click.option("--image", help="Container image to run it in.  [default: Lambda's own]")
@result_options
@shared.json_option
def command(
    zip_file: Path,
    against: Path | None,
    memory: tuple[int, ...],
    runs: int,
    modules: tuple[str, ...],
    handler_file: Path | None,
    event: str | None,
    python: str | None,
    arch: str | None,
    image: str | None,
    price_gb_second: float | None,
    per_day: int | None,
    plot: Path | None,
    write: Path | None,
    no_write: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> None:
    """Measure real cold starts of a function with the layer ZIP, in the runtime's container image.

    Each run is a fresh container with Lambda's share of the processors and with the layer read from disk anew.
    """
    places = find_places(zip_file, write, plot, no_write=no_write)
    own = own_function(modules, handler_file, event)
    seen = [examine.examine(path) for path in (zip_file, against) if path]
    made = manifest(zip_file, seen[0].sha256)
    target = find_target(seen[0], made, python, arch)
    progress = screen.progress()
    function = own or coldstart.of_imports(coldstart.default_modules(seen[0], made.requires if made else ()))
    say_function(function, progress, chosen=own is not None)
    place = connect(image, target, progress)
    with shared.open_store(progress).workspace() as workspace:
        subjects = unpack(seen, workspace)
        order = Order(target=target, function=function, subjects=subjects, memories=memory, runs=runs)
        data = run(
            order,
            place,
            coldstart.prices(target.arch, price_gb_second),
            per_day,
            progress,
            screen.report(taken=as_json),
        )
    if as_json:
        screen.print_json(data)
    keep(places, data, progress)


def run(order: Order, place: Place, at: Prices, per_day: int | None, progress: Progress, out: Screen) -> dict[str, Any]:
    """Measures, shows the result, and gives it as data for JSON."""
    measured = coldstart.measure(order, place.engine, progress)
    machine = place.engine.processors
    warnings = [*emulated(order.target), *coldstart.warnings(measured.series, machine)]
    told = {
        "image": place.image,
        "machine_processors": machine,
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "warnings": warnings,
    }
    show(out, order, measured, at, per_day, warnings)
    return coldstart.as_data(order, measured, at, per_day, told)


# --- what is asked for


def own_function(modules: Sequence[str], handler_file: Path | None, event: str | None) -> Function | None:
    """The function that the options name; ``None`` where they name none. Raises ``UsageError``."""
    if handler_file is None and event is not None:
        raise UsageError("--event is what --handler is invoked with", hint="name a file: --handler FILE")
    if handler_file is not None and modules:
        raise UsageError("--import and --handler do not go together", hint="let the handler's file import the modules")
    if handler_file is not None:
        return coldstart.of_file(handler_file, event or "{}")
    for name in modules:
        if not _MODULE.fullmatch(name):
            raise UsageError(f"{name!r} is no module's name", hint="such as --import sklearn.ensemble")
    return coldstart.of_imports(modules) if modules else None


def find_target(seen: Examination, made: Manifest | None, python: str | None, arch: str | None) -> Target:
    """The target of a zip: as told, else as its manifest or its files say."""
    guess = examine.guess_target(seen)
    told = (made.python, str(made.arch)) if made else (guess.python, str(guess.arch))
    return shared.target(python or told[0], arch or told[1])


def find_places(zip_file: Path, write: Path | None, plot: Path | None, *, no_write: bool) -> Places:
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
    beside = None if no_write else zip_file.with_suffix(TAIL)
    return Places(json=write or beside, plot=plot, asked=write is not None)


def painter() -> Any:
    """The module that draws. Raises ``UsageError`` where matplotlib is not installed."""
    try:
        from layerforge.coldstart import picture
    except ModuleNotFoundError as error:
        raise UsageError(
            "--plot draws with matplotlib, which is not installed",
            hint="install it with: pip install 'layerforge[plot]'",
        ) from error
    return picture


def say_function(function: Function, progress: Progress, *, chosen: bool) -> None:
    """Says what is run, and how to run something else. Raises ``UsageError`` where there is nothing to run."""
    if "handler" in function.about:
        progress.say(f"function: {function.about['handler']}")
        return
    modules = function.about["imports"]
    if not modules:
        raise UsageError("the zip holds no module that could be imported", hint="name some with --import, or --handler")
    more = f" and {len(modules) - MOST_MODULES} more" if len(modules) > MOST_MODULES else ""
    hint = "" if chosen else "; --import or --handler choose something else"
    progress.say(f"function: imports {', '.join(modules[:MOST_MODULES])}{more}{hint}")


def connect(image: str | None, target: Target, progress: Progress) -> Place:
    """Where the target's functions can be run. Raises ``EngineError``."""
    # The SDK takes long to import.
    from layerforge import container

    try:
        client = container.connect()
        found = container.find_image(client, target, image, progress)
    except EngineError as error:
        if "--engine" not in error.hint:
            raise
        # The other way out, the host, is none here.
        hint = "cold starts take a container engine and an image: Docker or Podman, --image; see `layerforge doctor`"
        raise EngineError(error.message, hint=hint, details=error.details) from error
    engine = container.DockerEngine(client=client, image=found)
    if refusal := engine.refusal(target):
        raise EngineError(refusal, hint="cold starts take an image of Lambda's layout for this Python; see --image")
    progress.say(f"engine docker: {found.reference}")
    return Place(engine=engine, image=found.reference)


def unpack(seen: Iterable[Examination], workspace: Path) -> tuple[Subject, ...]:
    """The layers, each unpacked in a folder of its own."""
    return tuple(_unpacked(one, workspace / str(number)) for number, one in enumerate(seen))


def _unpacked(seen: Examination, opt: Path) -> Subject:
    with writing(opt):
        examine.unpack(seen.path, opt)
    return Subject(examination=seen, opt=opt)


def emulated(target: Target) -> Iterator[str]:
    """A warning where the processor is not this machine's."""
    own = host.PROCESSORS.get(host.this_machine().processor.lower())
    if own is not None and own is not target.arch:
        yield f"{target.arch} is emulated on this {own} machine: the times say nothing about Lambda's"


# --- what is shown and kept


def show(
    out: Screen, order: Order, measured: Measured, at: Prices, per_day: int | None, warnings: Iterable[str]
) -> None:
    """The tables for people, then what has to be known to read them."""
    names = coldstart.subject_names(order.subjects)
    labels = [f" {label}" if len(names) > 1 else "" for label in LABELS]
    out.line()
    for label, name in zip(LABELS, names if len(names) > 1 else (), strict=False):
        out.line(f"{label}  {name}")
    title = "cold starts, " + (f"medians of {order.runs:,} runs" if order.runs > 1 else "one run")
    figures = ("memory", "vCPU", "init ms", "least–most", "CPU ms", "1st ms", "2nd ms", "peak MB")
    out.table(title, figures, [_times(one, labels[one.subject]) for one in measured.series])
    if rows := [_costs(one, labels[one.subject], at, per_day) for one in measured.series if one.samples]:
        columns = ("memory", "GB-seconds", "dollars", *([f"a year of {per_day:,} a day"] if per_day else []))
        out.line()
        out.table("per million cold starts", columns, rows)
        out.line()
        for line in (*_ratio_lines(order, measured.series), _price_line(at), _READ[measured.reading]):
            out.line(f"  {line}")
    for line in warnings:
        out.line(("!", "yellow"), f" {line}")


def _times(series: Series, label: str) -> tuple[str, ...]:
    head = (f"{series.memory:,} MB{label}", f"{series.processors:.2f}")
    if not series.samples:
        return (*head, series.trouble)
    init = coldstart.spread(one.init_ms for one in series.samples)
    return (
        *head,
        f"{init.median:,.0f}",
        series.trouble or f"{init.low:,.0f}–{init.high:,.0f}",
        f"{_median(series, lambda one: one.init_cpu_ms):,.0f}",
        f"{_median(series, lambda one: one.first_ms):,.1f}",
        f"{_median(series, lambda one: one.second_ms):,.1f}",
        f"{_median(series, lambda one: one.peak_memory) / 10**6:,.1f}",
    )


def _median(series: Series, value: Callable[[Sample], float]) -> float:
    return coldstart.spread(map(value, series.samples)).median


def _costs(series: Series, label: str, at: Prices, per_day: int | None) -> tuple[str, ...]:
    cost = coldstart.cost(series, at, per_day)
    assert cost is not None, "there are samples"
    year = [f"{cost.dollars_a_year:,.2f}"] if cost.dollars_a_year is not None else []
    return (f"{series.memory:,} MB{label}", f"{cost.gb_seconds:,.0f}", f"{cost.dollars:,.2f}", *year)


def _ratio_lines(order: Order, series: Iterable[Series]) -> Iterator[str]:
    if len(order.subjects) < 2:
        return
    samples = {(one.subject, one.memory): one.samples for one in series}
    for memory in order.memories:
        times = coldstart.ratio(samples[0, memory], samples[1, memory], lambda one: one.init_ms)
        if times is not None:
            yield f"at {memory:,} MB, init of A takes {times:.2f} × that of B"


def _price_line(at: Prices) -> str:
    price = f"{at.gb_second:.10f}".rstrip("0")
    where = f"{at.region}'s list prices of {at.date}" if at.region else "your price of a GB-second"
    return f"billed: init and invocation, ${price} a GB-second, ${at.request * 10**6:.2f} a million requests ({where})"


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
