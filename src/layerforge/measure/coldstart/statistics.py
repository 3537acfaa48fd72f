"""From samples to figures."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from layerforge.core.limits import FULL_CPU_MB, LONGEST_INIT_MS, MOST_CPUS
from layerforge.measure.coldstart.experiment import Sample, Series

BUSY = 3.0
"""How many times what its processor time explains an init phase takes where more than the disk holds it up."""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The middle of some values, and how far they lie apart."""

    median: float
    low: float
    high: float


def spread(values: Iterable[float]) -> Spread:
    """Median, least and most. Raises ``ValueError`` for no values."""
    values = tuple(values)
    if not values:
        raise ValueError("a spread takes at least one value")
    return Spread(median=statistics.median(values), low=min(values), high=max(values))


def ratio(ours: Sequence[Sample], theirs: Sequence[Sample], value: Callable[[Sample], float]) -> float | None:
    """How many times the median of the others' value ours is; ``None`` where there is none to tell from."""
    if not ours or not theirs:
        return None
    other = statistics.median(map(value, theirs))
    return statistics.median(map(value, ours)) / other if other else None


def warnings(series: Iterable[Series], machine: int) -> Iterator[str]:
    """What has to be known to read the figures aright. ``machine`` is its number of processors."""
    series = tuple(series)
    sizes = sorted({one.memory for one in series})
    if more := [size for size in sizes if min(size / FULL_CPU_MB, MOST_CPUS) > machine]:
        listed = ", ".join(f"{size:,} MB" for size in more)
        yield f"this machine has {machine} processors, Lambda gives more at {listed}: the times there may be too long"
    if sizes and sizes[0] < FULL_CPU_MB:
        yield (
            f"below {FULL_CPU_MB:,} MB the function has its share of a processor from the start; Lambda is known to"
            f" lend the init phase more, so that there it may be as short as at {FULL_CPU_MB:,} MB"
        )
    for size in sizes:
        if any(_median(one, _init) > LONGEST_INIT_MS for one in series if one.memory == size and one.samples):
            yield (
                f"at {size:,} MB init takes more than {LONGEST_INIT_MS // 1000} s: Lambda gives it up and begins anew"
                " at the invocation, which takes longer and costs more than is said here"
            )
    if any(map(_held_up, series)):
        yield "init took much longer than its processor time explains: it waits, the machine is busy or its disk slow"


def _held_up(series: Series) -> bool:
    if not series.samples:
        return False
    return _median(series, _init) > BUSY * _median(series, lambda one: one.init_cpu_ms) / min(1.0, series.processors)


def _init(sample: Sample) -> float:
    return sample.init_ms


def _median(series: Series, value: Callable[[Sample], float]) -> float:
    return statistics.median(map(value, series.samples))
