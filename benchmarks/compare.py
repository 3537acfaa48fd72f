"""What the measurements amount to: medians, ratios, panels and verdicts. Nothing here runs or measures anything."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from layerforge.core.limits import DIRECT_UPLOAD_LIMIT

TODAY, COLD, WARM = "today", "cold", "warm"
"""The three ways to a zip that are timed."""
DEFAULT, BESIDE, SMALLEST = "default", "beside", "smallest"
"""The layers of layerforge; the layer of today's way has the key ``TODAY``."""

LABELS: Mapping[str, str] = {
    TODAY: "uv + zip -9",
    COLD: "layerforge, first build",
    WARM: "layerforge, built before",
    DEFAULT: "layerforge",
    BESIDE: "layerforge, bytecode beside",
    SMALLEST: "layerforge, bytecode only, small",
}
TIMES = "×"
BYTES = "bytes"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One timed run, in seconds. ``cpu`` is user and system time of the process and all its children."""

    wall: float
    cpu: float


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Median, least and most of repeated measurements."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A finished zip, in bytes."""

    key: str
    zipped: int
    unzipped: int
    """Sum of the files, as Lambda counts them."""
    files: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Under which circumstances the numbers came about. Names no machine and no path."""

    target: str
    python: str
    """Minor version of the function's Python."""
    platform: str
    """As uv takes it."""
    imports: tuple[str, ...]
    quick: bool
    cpus: int
    load: float
    """Processes that already wanted a processor when the run began (average of one minute)."""
    zip: str
    """What packs today's way."""
    versions: Mapping[str, str]
    packages: Mapping[str, str]
    commands: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Results:
    """Everything that was measured in one run."""

    facts: Facts
    builds: Mapping[str, tuple[Sample, ...]]
    layers: tuple[Layer, ...]
    imports: Mapping[str, tuple[float, ...]]
    """CPU seconds of the imports, by layer. Layers with the same bytes are measured once."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One value of a panel. ``ratio`` is to today's."""

    label: str
    spread: Spread
    ratio: float


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Values of one kind, side by side."""

    title: str
    unit: str
    """``s`` or ``MB`` (a million bytes)."""
    bars: tuple[Bar, ...]
    limit: float | None = None
    """A limit of Lambda's that is worth showing, in ``unit``."""
    limit_label: str = ""


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What layerforge must reach for a target, and what it aims for."""

    name: str
    value: Callable[[Results], float]
    unit: str
    must: float
    aim: float | None = None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A goal held against the measurements."""

    name: str
    value: float
    unit: str
    must: float
    aim: float | None
    reached: bool
    aim_reached: bool | None
    """``None`` where there is no aim beyond the goal."""


def spread(values: Sequence[float]) -> Spread:
    """Median, least and most of at least one value."""
    return Spread(median=statistics.median(values), low=min(values), high=max(values))


def ratio(value: float, base: float) -> float:
    """``value`` in units of ``base``."""
    return value / base


def first_of_its_bytes(layers: Iterable[Layer]) -> Mapping[str, str]:
    """For each layer's key the key of the first layer with the same bytes, most often its own."""
    firsts: dict[str, str] = {}
    return {layer.key: firsts.setdefault(layer.sha256, layer.key) for layer in layers}


def distinct(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    """The layers without those whose bytes came before."""
    known = tuple(layers)
    firsts = first_of_its_bytes(known)
    return tuple(layer for layer in known if firsts[layer.key] == layer.key)


def layer_of(results: Results, key: str) -> Layer:
    """The layer with that key."""
    return next(layer for layer in results.layers if layer.key == key)


def build_ratio(results: Results, way: str) -> float:
    """Wall seconds of ``way`` to today's, median to median."""
    return ratio(_median_wall(results, way), _median_wall(results, TODAY))


def _median_wall(results: Results, way: str) -> float:
    return spread([sample.wall for sample in results.builds[way]]).median


def import_ratio(results: Results, key: str) -> float:
    """CPU seconds of importing from the layer ``key`` to those from today's, median to median."""
    measured = first_of_its_bytes(results.layers)[key]
    return ratio(spread(results.imports[measured]).median, spread(results.imports[TODAY]).median)


def zipped(results: Results, key: str) -> float:
    """Bytes of a layer's zip."""
    return layer_of(results, key).zipped


def unzipped(results: Results, key: str) -> float:
    """Bytes of a layer's files."""
    return layer_of(results, key).unzipped


GOALS: Mapping[str, tuple[Goal, ...]] = {
    "scikit-learn": (
        Goal(name="import, default layer", value=partial(import_ratio, key=DEFAULT), unit=TIMES, must=0.19),
        Goal(name="import, bytecode only", value=partial(import_ratio, key=SMALLEST), unit=TIMES, must=0.19),
        Goal(
            name="zipped, bytecode only + small",
            value=partial(zipped, key=SMALLEST),
            unit=BYTES,
            must=DIRECT_UPLOAD_LIMIT,
        ),
        Goal(name="unzipped, bytecode beside", value=partial(unzipped, key=BESIDE), unit=BYTES, must=186_000_000),
        Goal(name="wall time, first build", value=partial(build_ratio, way=COLD), unit=TIMES, must=0.28),
        Goal(name="wall time, built before", value=partial(build_ratio, way=WARM), unit=TIMES, must=0.1, aim=0.03),
    ),
}
"""By target. A target without goals is measured all the same."""


def verdicts(results: Results, goals: Iterable[Goal]) -> tuple[Verdict, ...]:
    """Each goal held against the measurements."""
    return tuple(_verdict(goal, goal.value(results)) for goal in goals)


def _verdict(goal: Goal, value: float) -> Verdict:
    return Verdict(
        name=goal.name,
        value=value,
        unit=goal.unit,
        must=goal.must,
        aim=goal.aim,
        reached=value <= goal.must,
        aim_reached=None if goal.aim is None else value <= goal.aim,
    )


def panels(results: Results) -> tuple[Panel, ...]:
    """The measurements by kind, for the table and the picture alike."""
    layers = distinct(results.layers)
    walls = {way: [sample.wall for sample in samples] for way, samples in results.builds.items()}
    cpus = {way: [sample.cpu for sample in samples] for way, samples in results.builds.items()}
    zips = {layer.key: [layer.zipped / 1e6] for layer in layers}
    sizes = {layer.key: [layer.unzipped / 1e6] for layer in layers}
    return (
        Panel(title="Time to a finished zip", unit="s", bars=_bars(walls)),
        Panel(title="Processor time to a finished zip", unit="s", bars=_bars(cpus)),
        Panel(title="Processor time of the import", unit="s", bars=_bars(results.imports)),
        Panel(
            title="Size, zipped",
            unit="MB",
            bars=_bars(zips),
            limit=DIRECT_UPLOAD_LIMIT / 1e6,
            limit_label="most for a direct upload:",
        ),
        Panel(title="Size, unzipped", unit="MB", bars=_bars(sizes)),
    )


def _bars(values: Mapping[str, Sequence[float]]) -> tuple[Bar, ...]:
    base = spread(values[TODAY]).median
    spreads = {key: spread(found) for key, found in values.items()}
    return tuple(Bar(label=LABELS[key], spread=at, ratio=ratio(at.median, base)) for key, at in spreads.items())


def figure(value: float, unit: str) -> str:
    """A value as people read it: ``0.42 s``, ``12.3 s``, ``59.6 MB``."""
    digits = 2 if unit == "s" and value < 10 else 1
    return f"{value:.{digits}f} {unit}"


def times(value: float) -> str:
    """A ratio as people read it: ``0.38 ×``, ``0.021 ×``."""
    return f"{value:.3f} ×" if value < 0.1 else f"{value:.2f} ×"


def table_rows(panel: Panel) -> list[tuple[str, str, str, str]]:
    """A panel's lines: label, median, ``least … most`` where it varies, ratio."""
    return [
        (bar.label, figure(bar.spread.median, panel.unit), _range(bar.spread, panel), times(bar.ratio))
        for bar in panel.bars
    ]


def _range(at: Spread, panel: Panel) -> str:
    return "" if at.low == at.high else f"{figure(at.low, panel.unit)} … {figure(at.high, panel.unit)}"


def verdict_rows(found: Iterable[Verdict]) -> list[tuple[str, str, str, str]]:
    """A line for each goal: name, value, goal, whether it is reached."""
    return [(one.name, _amount(one.value, one.unit), _wanted(one), _outcome(one)) for one in found]


def _amount(value: float, unit: str) -> str:
    return times(value) if unit == TIMES else f"{value:,.0f} {unit}"


def _wanted(one: Verdict) -> str:
    aim = "" if one.aim is None else f" (aim {_amount(one.aim, one.unit)})"
    return f"≤ {_amount(one.must, one.unit)}{aim}"


def _outcome(one: Verdict) -> str:
    aim = "" if one.aim_reached is None else f", aim {'reached' if one.aim_reached else 'missed'}"
    return ("yes" if one.reached else "NO") + aim


def same_bytes(results: Results) -> list[str]:
    """A sentence for each layer that has the bytes of one before."""
    firsts = first_of_its_bytes(results.layers)
    return [f"{LABELS[key]}: the same bytes as {LABELS[first]}" for key, first in firsts.items() if key != first]


def as_data(results: Results, found: Iterable[Verdict]) -> dict[str, Any]:
    """All raw numbers and what they amount to, for JSON."""
    return {
        "schema": 1,
        "facts": asdict(results.facts),
        "builds": {way: [asdict(sample) for sample in samples] for way, samples in results.builds.items()},
        "layers": [
            {**asdict(layer), "same_bytes_as": first_of_its_bytes(results.layers)[layer.key]}
            for layer in results.layers
        ],
        "import_cpu_seconds": {key: list(values) for key, values in results.imports.items()},
        "summary": [asdict(panel) for panel in panels(results)],
        "goals": [asdict(one) for one in found],
    }
