"""What cold starts cost, by the prices of ``data/prices.toml``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from statistics import median
from typing import Any

from layerforge.core import resources
from layerforge.core.runtimes import Arch
from layerforge.measure.coldstart.experiment import Series

MILLION = 10**6
DAYS = 365


@dataclass(frozen=True, kw_only=True)
class Prices:
    """US dollars of one Region for one processor."""

    region: str
    """Empty for a price that the user gave."""
    date: str
    """ISO date on which they held; empty for a price that the user gave."""
    gb_second: float
    request: float


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a million requests cost that each find no environment and start cold: init and first invocation."""

    gb_seconds: float
    dollars: float
    """The requests' own price included."""
    dollars_a_year: float | None = None
    """Of as many cold starts as there are; ``None`` where nobody told how many."""


def prices(arch: Arch, gb_second: float | None = None) -> Prices:
    """The prices for a processor; ``gb_second`` takes the place of the table's."""
    table = _table()
    given = gb_second is not None
    return Prices(
        region="" if given else table["region"],
        date="" if given else table["date"].isoformat(),
        gb_second=table["gb_second"][arch] if gb_second is None else gb_second,
        request=table["request"],
    )


@cache
def _table() -> dict[str, Any]:
    return resources.table("prices.toml")


def cost(series: Series, at: Prices, per_day: int | None = None) -> Cost | None:
    """What the cold starts of a series cost; ``None`` where none came to its end.

    Lambda bills init phase and invocation together, rounded up to the millisecond, by the GB of the function.
    """
    if not series.samples:
        return None
    billed_ms = median(math.ceil(one.init_ms + one.first_ms) for one in series.samples)
    gb_seconds = series.memory / 1024 * billed_ms / 1000
    each = gb_seconds * at.gb_second + at.request
    return Cost(
        gb_seconds=gb_seconds * MILLION,
        dollars=each * MILLION,
        dollars_a_year=None if per_day is None else each * per_day * DAYS,
    )
