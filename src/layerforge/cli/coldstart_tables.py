"""What ``layerforge coldstart`` prints of its figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from layerforge.cli.screen import Screen
from layerforge.measure.coldstart import prices as price_list
from layerforge.measure.coldstart.experiment import Experiment, Sample, Series
from layerforge.measure.coldstart.measure import Measured
from layerforge.measure.coldstart.page_cache import Reading
from layerforge.measure.coldstart.prices import Prices
from layerforge.measure.coldstart.statistics import ratio, spread
from layerforge.measure.coldstart.writing import subject_names

LABELS = "AB"
"""Of a layer and the one that it is compared with."""

_READ = {
    Reading.COLD: "the layer was read from disk each time: its files were dropped from the page cache",
    Reading.WARM: "not all of the layer could be dropped from the page cache each time: Lambda's init takes longer",
}


def show(
    out: Screen, order: Experiment, measured: Measured, at: Prices, per_day: int | None, warnings: Iterable[str]
) -> None:
    """The tables for people, then what has to be known to read them."""
    names = subject_names(order.subjects)
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
    init = spread(one.init_ms for one in series.samples)
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
    return spread(map(value, series.samples)).median


def _costs(series: Series, label: str, at: Prices, per_day: int | None) -> tuple[str, ...]:
    cost = price_list.cost(series, at, per_day)
    assert cost is not None, "there are samples"
    year = [f"{cost.dollars_a_year:,.2f}"] if cost.dollars_a_year is not None else []
    return (f"{series.memory:,} MB{label}", f"{cost.gb_seconds:,.0f}", f"{cost.dollars:,.2f}", *year)


def _ratio_lines(order: Experiment, series: Iterable[Series]) -> Iterator[str]:
    if len(order.subjects) < 2:
        return
    samples = {(one.subject, one.memory): one.samples for one in series}
    for memory in order.memories:
        times = ratio(samples[0, memory], samples[1, memory], lambda one: one.init_ms)
        if times is not None:
            yield f"at {memory:,} MB, init of A takes {times:.2f} × that of B"


def _price_line(at: Prices) -> str:
    price = f"{at.gb_second:.10f}".rstrip("0")
    where = f"{at.region}'s list prices of {at.date}" if at.region else "your price of a GB-second"
    return f"billed: init and invocation, ${price} a GB-second, ${at.request * 10**6:.2f} a million requests ({where})"
