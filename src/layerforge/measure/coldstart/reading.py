"""A cold start that was measured, from the file beside the zip."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from layerforge.core import guarded
from layerforge.measure.importtime import Import

SCHEMA = 1
"""Of the file, raised when what stands in it means something else."""

DEEPEST = 300
"""Tables and lists inside one another: two for each import inside an import, which may go down to 100."""


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
    """What ran, as JSON, with the variables that it was given; empty where the file does not say."""
    against_sha256: str = ""
    """Of the layer that it was held against, in turns; empty where there was none, or it was given other variables."""
    against: tuple[Runs, ...] = ()
    """Of that layer, at each size."""
    name: str = ""
    """Of the zip."""
    against_name: str = ""
    """Of the other's."""
    against_imports: tuple[Import, ...] = ()
    """Of the other; empty where there was none, or where its imports were not told."""


class _Values(msgspec.Struct, frozen=True):
    all: tuple[float, ...]


class _Cost(msgspec.Struct, frozen=True):
    dollars: float


class _Size(msgspec.Struct, frozen=True):
    """What was measured at one memory size; without values where no run came to its end."""

    memory_mb: int
    init_ms: _Values | None = None
    first_invoke_ms: _Values | None = None
    second_invoke_ms: _Values | None = None
    peak_memory: _Values | None = None
    per_million: _Cost | None = None


class _Layer(msgspec.Struct, frozen=True):
    zip: str = ""
    sha256: str = ""
    sizes: tuple[_Size, ...] = ()
    env: dict[str, str] = {}


class _Other(_Layer, frozen=True):
    imports: tuple[Import, ...] = ()


class _Measured(_Layer, frozen=True, kw_only=True):
    imports: tuple[Import, ...]
    function: dict[str, Any] | None = None
    against: _Other | None = None


def read_coldstart(text: str) -> ColdStart:
    """A measured cold start from its file. Raises ``guarded.Unreadable`` where it is none.

    The file is what ``layerforge coldstart`` writes: ``imports`` holds the tree, ``sizes``, and those of ``against``,
    hold the runs.
    """
    data = guarded.file_as(text, _Measured, SCHEMA, deepest=DEEPEST)
    other = data.against or _Other()
    name, other_name = _name(data), _name(other)
    other_name = f"{other_name} (the other)" if other_name == name else other_name
    return ColdStart(
        sha256=data.sha256,
        imports=data.imports,
        runs=tuple(_runs(data, name)),
        function=_function(data),
        against_sha256=other.sha256 if other.env == data.env else "",
        against=tuple(_runs(other, other_name)),
        name=name,
        against_name=other_name,
        against_imports=other.imports,
    )


def _name(layer: _Layer) -> str:
    variables = ", ".join(f"{name}={value}" for name, value in sorted(layer.env.items()))
    return layer.zip + (f" with {variables}" if variables else "")


def _function(data: _Measured) -> str:
    if data.function is None:
        return ""
    return json.dumps(data.function | ({"env": data.env} if data.env else {}), sort_keys=True)


def _runs(layer: _Layer, name: str) -> Iterator[Runs]:
    """One for each size that was run at all."""
    for row in layer.sizes:
        if row.init_ms:
            yield Runs(
                layer=name,
                memory_mb=row.memory_mb,
                init_ms=row.init_ms.all,
                first_invoke_ms=_values(row.first_invoke_ms),
                second_invoke_ms=_values(row.second_invoke_ms),
                peak_memory=_values(row.peak_memory),
                dollars_per_million=row.per_million.dollars if row.per_million else None,
            )


def _values(found: _Values | None) -> tuple[float, ...]:
    return found.all if found else ()
