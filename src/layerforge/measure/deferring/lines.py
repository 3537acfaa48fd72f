"""Advice as recipes take it: by the package that owns the files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

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
    unread: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By file, those of them of which nothing in it is read: they may be there for what they do while they load."""


def by_package(
    trace: Trace,
    graph: Graph,
    waits: Iterable[Wait],
    never: Collection[Wait],
    owners: Owners,
    unread: Collection[Wait] = (),
) -> tuple[RecipeLines, ...]:
    """The lines of each package, those that save most first. ``unread`` are waits that bring nothing that is read."""
    groups: dict[str, list[Wait]] = defaultdict(list)
    for wait in sorted(waits):
        groups[owners.package(trace.modules[wait.importer].file)].append(wait)
    whole = loaded(network(graph, (), never))
    found = [
        RecipeLines(
            package=package,
            ms=graph.cost(whole - loaded(network(graph, set(own), never))),
            defer=dict(_files(trace, package, own, owners)),
            unread=_named(trace, [one for one in own if one in unread], owners),
        )
        for package, own in groups.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.ms, one.package)))


def _files(trace: Trace, package: str, waits: Iterable[Wait], owners: Owners) -> Iterator[tuple[str, tuple[str, ...]]]:
    files: dict[str, set[str]] = defaultdict(set)
    for file, names in owners.waiting.items():
        if owners.package(f"/opt/python/{file}") == package:
            files[file].update(names)
    for file, modules in _named(trace, waits, owners).items():
        files[file].update(modules)
    yield from ((file, tuple(sorted(names))) for file, names in sorted(files.items()))


def _named(trace: Trace, waits: Iterable[Wait], owners: Owners) -> dict[str, tuple[str, ...]]:
    """Modules that are imported, by file."""
    files: dict[str, list[str]] = defaultdict(list)
    for wait in waits:
        files[owners.path(trace.modules[wait.importer].file)].append(wait.module)
    return {file: tuple(names) for file, names in files.items()}


def as_text(lines: RecipeLines, whole: float) -> Iterator[str]:
    """The lines as they are pasted into a recipe."""
    yield f"{'[defer]':<42} # of {lines.package}: {lines.ms:,.0f} ms of {whole:,.0f} by itself"
    for file, names in lines.defer.items():
        listed = ", ".join(f'"{name}"' for name in names)
        yield f'"{file}" = [{listed}]{_doubt(lines.unread.get(file, ()))}'


def _doubt(unread: Sequence[str]) -> str:
    """What has to be looked at before a line is taken, as a comment."""
    names = ", ".join(unread)
    return f"  # nothing here reads {names}: perhaps it is imported for what it does as it loads" if unread else ""
