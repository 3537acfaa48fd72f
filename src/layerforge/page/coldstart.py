"""A cold start that was measured, from the file beside the zip."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from layerforge.importtime import Import, of_data


@dataclass(frozen=True, kw_only=True)
class Runs:
    """What cold starts of one layer took at one memory size: a value for each run."""

    layer: str
    """Name of the zip."""
    memory_mb: int
    init_ms: tuple[float, ...]
    first_invoke_ms: tuple[float, ...]
    second_invoke_ms: tuple[float, ...]
    peak_memory: tuple[float, ...]
    """Bytes."""
    dollars_per_million: float | None
    """What a million cold starts cost; ``None`` where no prices were known."""


@dataclass(frozen=True, kw_only=True)
class ColdStart:
    """What was measured of a layer's cold start."""

    sha256: str
    """Of the zip that was measured; empty where the file does not say."""
    imports: tuple[Import, ...]
    runs: tuple[Runs, ...] = ()
    """Of the layer, at each size."""
    function: str = ""
    """What ran, as JSON; empty where the file does not say."""
    against_sha256: str = ""
    """Of the layer that it was held against, in turns; empty where there was none."""
    against: tuple[Runs, ...] = ()
    """Of that layer, at each size."""


def read_coldstart(text: str) -> ColdStart:
    """A measured cold start from its file. Raises ``ValueError``, ``KeyError`` or ``TypeError`` where it is none.

    The file is what ``layerforge coldstart`` writes: ``imports`` holds the tree, ``sizes``, and those of ``against``,
    hold the runs.
    """
    data: Mapping[str, Any] = json.loads(text, parse_constant=_refuse)
    imports = of_data(data["imports"])
    other = data.get("against") or {}
    name, other_name = str(data.get("zip", "")), str(other.get("zip", ""))
    if name == other_name:
        other_name += " (the other)"
    return ColdStart(
        sha256=str(data.get("sha256", "")),
        imports=imports,
        runs=tuple(_runs(data, name)),
        function=json.dumps(data["function"], sort_keys=True) if "function" in data else "",
        against_sha256=str(other.get("sha256", "")),
        against=tuple(_runs(other, other_name)),
    )


def _refuse(number: str) -> float:
    raise ValueError(f"{number} is no measurement")


def _runs(layer: Mapping[str, Any], name: str) -> Iterator[Runs]:
    """One for each size that was run at all."""
    for row in layer.get("sizes", ()):
        if row.get("init_ms"):
            yield Runs(
                layer=name,
                memory_mb=int(row["memory_mb"]),
                init_ms=_values(row, "init_ms"),
                first_invoke_ms=_values(row, "first_invoke_ms"),
                second_invoke_ms=_values(row, "second_invoke_ms"),
                peak_memory=_values(row, "peak_memory"),
                dollars_per_million=(row.get("per_million") or {}).get("dollars"),
            )


def _values(row: Mapping[str, Any], name: str) -> tuple[float, ...]:
    return tuple(float(value) for value in (row.get(name) or {}).get("all", ()))
