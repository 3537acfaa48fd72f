"""The tree of imports of a measured cold start, and the bytes that each module brings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from layerforge import bytecode
from layerforge.model import Member

_SITE = re.compile(r"python/(?:lib/python3\.\d+/site-packages/)?(?=.)")
_TAIL = re.compile(r"(?:/__init__)?(?:\.[^/]*)?$")


@dataclass(frozen=True, kw_only=True)
class Import:
    """One module as it was imported, with those that it imported itself. Times in microseconds."""

    name: str
    self_us: int
    total_us: int
    bytes: int = 0
    """Unzipped bytes of the layer that belong to the module alone; 0 for one of the runtime's own."""
    children: tuple[Import, ...] = ()


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
    """Of the layer at each size, then of the one it was held against."""


def read_coldstart(text: str) -> ColdStart:
    """A measured cold start from its file. Raises ``ValueError``, ``KeyError`` or ``TypeError`` where it is none.

    The file is what ``layerforge coldstart`` writes. ``imports`` holds nested nodes ``{name, self_us, total_us, bytes,
    children}``, or flat rows ``{module, self_us, cumulative_us, depth}`` in the order of ``-X importtime``, which names
    a module after those it imports. ``sizes``, and those of ``against``, hold the runs.
    """
    data: Mapping[str, Any] = json.loads(text)
    rows = data["imports"]
    nested = tuple(map(_nested, rows)) if all("name" in row for row in rows) else grown(rows)
    other = data.get("against") or {}
    name, other_name = str(data.get("zip", "")), str(other.get("zip", ""))
    if name == other_name:
        other_name += " (the other)"
    runs = (*_runs(data, name), *_runs(other, other_name))
    return ColdStart(sha256=str(data.get("sha256", "")), imports=nested, runs=runs)


def grown(rows: Iterable[Mapping[str, Any]]) -> tuple[Import, ...]:
    """The tree of flat rows: whatever deeper stands before a row was imported by it."""
    waiting: list[tuple[int, Import]] = []
    for row in rows:
        depth, children = int(row["depth"]), []
        while waiting and waiting[-1][0] > depth:
            children.append(waiting.pop()[1])
        made = Import(
            name=str(row["module"]).strip(),
            self_us=int(row["self_us"]),
            total_us=int(row["cumulative_us"]),
            bytes=int(row.get("bytes", 0)),
            children=tuple(reversed(children)),
        )
        waiting.append((depth, made))
    return tuple(node for _, node in waiting)


def weighed(nodes: tuple[Import, ...], members: Iterable[Member]) -> tuple[Import, ...]:
    """The tree with the bytes that each module takes in the layer, where the measurement did not say."""
    sizes: dict[str, int] = {}
    for member in members:
        if name := module_of(member.path):
            sizes[name] = sizes.get(name, 0) + member.size
    return tuple(_weighed(node, sizes) for node in nodes)


def module_of(path: str) -> str:
    """Dotted name of the module that a file is source, bytecode or code of; empty where it is of none."""
    if path.endswith(".pyc"):
        path = bytecode.source_path(path)
    match = _SITE.match(path)
    if match is None or not path.endswith((".py", ".so")):
        return ""
    return _TAIL.sub("", path[match.end() :], count=1).replace("/", ".")


def as_data(nodes: Iterable[Import]) -> list[dict[str, Any]]:
    """The tree as data for JSON."""
    return [
        {
            "name": node.name,
            "self_us": node.self_us,
            "total_us": node.total_us,
            "bytes": node.bytes,
            "children": as_data(node.children),
        }
        for node in nodes
    ]


def every(nodes: Iterable[Import]) -> Iterator[Import]:
    """Every module of a tree."""
    for node in nodes:
        yield node
        yield from every(node.children)


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


def _nested(row: Mapping[str, Any]) -> Import:
    return Import(
        name=str(row["name"]),
        self_us=int(row["self_us"]),
        total_us=int(row["total_us"]),
        bytes=int(row.get("bytes", 0)),
        children=tuple(map(_nested, row.get("children", ()))),
    )


def _weighed(node: Import, sizes: Mapping[str, int]) -> Import:
    children = tuple(_weighed(child, sizes) for child in node.children)
    return replace(node, bytes=node.bytes or sizes.get(node.name, 0), children=children)
