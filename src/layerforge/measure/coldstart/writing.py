"""A measurement as data for JSON: what ``--json`` prints and what lies beside the zip."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from layerforge.measure.coldstart.experiment import Experiment, MeasuredLayer, Sample, Series
from layerforge.measure.coldstart.measure import Measured
from layerforge.measure.coldstart.prices import Prices, cost
from layerforge.measure.coldstart.reading import SCHEMA
from layerforge.measure.coldstart.statistics import ratio, spread
from layerforge.measure.importtime import as_data as nested

VALUES: Mapping[str, Callable[[Sample], float]] = {
    "init_ms": lambda sample: sample.init_ms,
    "init_cpu_ms": lambda sample: sample.init_cpu_ms,
    "first_invoke_ms": lambda sample: sample.first_ms,
    "second_invoke_ms": lambda sample: sample.second_ms,
    "peak_memory": lambda sample: sample.peak_memory,
}
"""What is told of cold starts, by its name in the JSON."""

DIGITS = 3
"""Of a millisecond: the emulator tells no more."""


def as_data(
    order: Experiment, measured: Measured, at: Prices, per_day: int | None, told: Mapping[str, Any]
) -> dict[str, Any]:
    """The whole measurement; ``told`` is what the caller knows of the run: image, date, warnings."""
    layers = [_layer(order, measured, at, per_day, number) for number in range(len(order.subjects))]
    compared = {"against": layers[1], "ratios": _ratios(order, measured.series)} if len(layers) > 1 else {}
    return {
        "schema": SCHEMA,
        **layers[0],
        "python": order.target.python,
        "arch": str(order.target.arch),
        "function": dict(order.function.about),
        "runs": order.runs,
        "layer_read": str(measured.reading),
        "imports_memory_mb": measured.imports_memory,
        "prices": {**asdict(at), "cold_starts_per_day": per_day},
        **compared,
        **told,
    }


def _layer(order: Experiment, measured: Measured, at: Prices, per_day: int | None, number: int) -> dict[str, Any]:
    seen = order.subjects[number].examination
    return {
        "zip": seen.path.name,
        "sha256": seen.sha256,
        "zip_bytes": seen.zipped,
        "unzipped_bytes": seen.unzipped,
        **_parts(order.subjects[number]),
        "env": dict(order.subjects[number].given),
        "sizes": [_size(one, at, per_day) for one in measured.series if one.subject == number],
        "imports": nested(measured.imports[number]),
    }


def _parts(subject: MeasuredLayer) -> dict[str, Any]:
    """Which layers they are, where they are several."""
    rows = [{"zip": one.path.name, "sha256": one.sha256, "unzipped_bytes": one.unzipped} for one in subject.parts]
    return {"layers": rows} if rows else {}


def _size(series: Series, at: Prices, per_day: int | None) -> dict[str, Any]:
    charged = cost(series, at, per_day)
    return {
        "memory_mb": series.memory,
        "processors": round(series.processors, 4),
        "runs": len(series.samples),
        "trouble": series.trouble,
        **{name: _spread(series.samples, value) for name, value in VALUES.items()},
        "per_million": charged and {"gb_seconds": charged.gb_seconds, "dollars": charged.dollars},
        "dollars_a_year": charged and charged.dollars_a_year,
    }


def _spread(samples: Sequence[Sample], value: Callable[[Sample], float]) -> dict[str, Any] | None:
    if not samples:
        return None
    values = [round(value(one), DIGITS) for one in samples]
    told = spread(values)
    return {"median": round(told.median, DIGITS), "min": told.low, "max": told.high, "all": values}


def _ratios(order: Experiment, series: Iterable[Series]) -> list[dict[str, Any]]:
    """How many times the other layer's median ours is, at each size."""
    by_place = {(one.subject, one.memory): one.samples for one in series}
    return [
        {
            "memory_mb": memory,
            **{name: ratio(by_place[0, memory], by_place[1, memory], value) for name, value in VALUES.items()},
        }
        for memory in order.memories
    ]


def subject_names(subjects: Iterable[MeasuredLayer]) -> tuple[str, ...]:
    """Names that tell layers apart: those of the zips, with their folders where different ones are alike, and with the
    variables that were given.
    """
    subjects = tuple(subjects)
    paths = {one.examination.path for one in subjects}
    alike = len({path.name for path in paths}) < len(paths)
    return tuple(_name(one, whole=alike) for one in subjects)


def _name(subject: MeasuredLayer, *, whole: bool) -> str:
    path = subject.examination.path
    variables = ", ".join(f"{name}={value}" for name, value in sorted(subject.given.items()))
    return (str(path) if whole else path.name) + (f" with {variables}" if variables else "")
