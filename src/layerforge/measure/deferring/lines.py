"""Advice as recipes take it: by the package that owns the files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from layerforge.measure.deferring.cut import loaded, network
from layerforge.measure.deferring.graph import Graph, Wait
from layerforge.measure.deferring.owners import Owners
from layerforge.measure.deferring.trace import Trace


@dataclass(frozen=True, kw_only=True)
class RecipeLines:
    """What a package's recipe would say."""

    package: str
    ms: float
    """What is saved where this recipe alone says so."""
    defer: Mapping[str, tuple[str, ...]]
    """By file, below ``python/``, the imports that wait, with those that do in the layer as it is."""


def by_package(
    trace: Trace, graph: Graph, waits: Iterable[Wait], never: Collection[Wait], owners: Owners
) -> tuple[RecipeLines, ...]:
    """The lines of each package, those that save most first."""
    groups: dict[str, list[Wait]] = defaultdict(list)
    for wait in sorted(waits):
        groups[owners.package(trace.modules[wait.importer].file)].append(wait)
    whole = loaded(network(graph, (), never))
    found = [
        RecipeLines(
            package=package,
            ms=graph.cost(whole - loaded(network(graph, set(own), never))),
            defer=dict(_files(trace, package, own, owners)),
        )
        for package, own in groups.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.ms, one.package)))


def _files(trace: Trace, package: str, waits: Iterable[Wait], owners: Owners) -> Iterator[tuple[str, tuple[str, ...]]]:
    files: dict[str, set[str]] = defaultdict(set)
    for file, names in owners.waiting.items():
        if owners.package(f"/opt/python/{file}") == package:
            files[file].update(names)
    for wait in waits:
        files[owners.path(trace.modules[wait.importer].file)].add(wait.module)
    yield from ((file, tuple(sorted(names))) for file, names in sorted(files.items()))


def as_text(lines: RecipeLines, whole: float) -> Iterator[str]:
    """The lines as they are pasted into a recipe."""
    yield f"{'[defer]':<42} # of {lines.package}: {lines.ms:,.0f} ms of {whole:,.0f} by itself"
    for file, names in lines.defer.items():
        listed = ", ".join(f'"{name}"' for name in names)
        yield f'"{file}" = [{listed}]'
