"""What costs much and is loaded whatever waits, with what keeps it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from layerforge.measure.deferring.advise import Group, Reason, Refused, below
from layerforge.measure.deferring.cut import core, loaded, network
from layerforge.measure.deferring.graph import ROOT, Graph, Wait, parents
from layerforge.measure.deferring.trace import Edge, Trace
from layerforge.measure.deferring.weights import weights

MOST_KEEPERS = 8
"""Of a module that so many ask for, no single line is the reason."""

MOST_KEPT = 12

CALLED = "asks for it in a function that is called while the module loads"
NATIVE = "is native code that asks for it"


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A module that costs much and is loaded in any case."""

    module: str
    ms: float
    """Of it, and of all that is loaded for it alone."""
    by: tuple[Reason, ...]
    """Each line that keeps it, and why that cannot wait."""


def kept(trace: Trace, graph: Graph, groups: Collection[Group], refused: Refused, least: float) -> tuple[Kept, ...]:
    """The modules that cost ``least`` milliseconds where all groups wait, those apart that a great many ask for, and
    those that the function itself asks for. ``refused`` says why imports cannot wait.
    """
    rest = _without(graph, {wait for group in groups for wait in group.waits})
    asked = rest.asked_by(ROOT)
    own = asked.union(*map(parents, asked))
    costly = {name: ms for name, ms in weights(rest).items() if ms >= least and name not in own}
    found: dict[str, list[Wait | Reason]] = {}
    for name in sorted(costly, key=lambda one: (-costly[one], one)):
        by = list(dict.fromkeys(_keepers(trace, rest, name)))
        if len(found) < MOST_KEPT and 0 < len(by) <= MOST_KEEPERS:
            found[name] = by
    why = refused({wait for by in found.values() for wait in by if isinstance(wait, Wait)})
    told = (Kept(module=name, ms=costly[name], by=_reasons(by, why)) for name, by in found.items())
    # What could wait, and is only not worth all that would have to, is none of them.
    return tuple(one for one in told if one.by)


def _reasons(by: Collection[Wait | Reason], why: Mapping[Wait, Reason]) -> tuple[Reason, ...]:
    found = (why.get(one) if isinstance(one, Wait) else one for one in by)
    return tuple(dict.fromkeys(reason for reason in found if reason))


def _without(graph: Graph, waits: Collection[Wait]) -> Graph:
    left = {
        name: {wait: targets for wait, targets in found.items() if wait not in waits}
        for name, found in graph.waits.items()
    }
    return replace(graph, waits=left)


def _keepers(trace: Trace, graph: Graph, name: str) -> Iterator[Wait | Reason]:
    """What asks for a module from outside of it."""
    there = _loaded(graph)
    for importer in sorted(there - below(graph, name)):
        for wait, targets in graph.waits.get(importer, {}).items():
            if any(one == name or one.startswith(f"{name}.") for one in targets):
                yield wait
    fixed = {one for one in there - below(graph, name) if name in graph.fixed.get(one, ())}
    yield from (_told(edge) for edge in trace.edges if edge.module == name and edge.importer in fixed)


def _loaded(graph: Graph) -> set[str]:
    return loaded(network(graph, (), ())) | core(graph, ())


def _told(edge: Edge) -> Reason:
    return Reason(module=edge.importer, line=edge.line, why=CALLED if edge.line else NATIVE)
