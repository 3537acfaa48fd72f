"""Which imports are worth to wait: those whose modules cost most, each with all that keep it loaded."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from layerforge.measure.deferring.cut import Network, fewest, network
from layerforge.measure.deferring.graph import Graph, Wait, parents

Refused = Callable[[Collection[Wait]], Mapping[Wait, "Reason"]]
"""Says of imports which cannot wait."""

MOST_TOGETHER = 16
"""Imports that may have to wait together for one module."""


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why an import cannot wait."""

    line: int
    """Of its module; 0 where that is not known."""
    why: str


@dataclass(frozen=True, kw_only=True)
class Group:
    """Imports that have to wait together, so that some modules are no longer loaded."""

    module: str
    """The module that it is about."""
    waits: tuple[Wait, ...]
    freed: tuple[str, ...]
    """Modules that are not loaded any more, where the groups before wait too."""
    ms: float
    """What those cost."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A module that costs much and cannot wait."""

    module: str
    ms: float
    """Of it and of all that is loaded for it alone."""
    by: tuple[tuple[Wait, Reason], ...]
    """The imports of it that cannot wait."""


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What could wait, best first, and what could not."""

    groups: tuple[Group, ...]
    kept: tuple[Kept, ...]


def weights(graph: Graph) -> dict[str, float]:
    """What each module costs with all that is loaded for it alone, and for what lies below it; in milliseconds."""
    everything = graph.loaded()
    below: dict[str, list[str]] = {name: [name] for name in everything if name}
    for name in everything:
        for parent in parents(name):
            below.get(parent, []).append(name)
    whole = graph.cost(everything)
    return {name: whole - graph.cost(graph.loaded(avoiding=inside)) for name, inside in below.items()}


def advise(graph: Graph, refused: Refused, least: float) -> tuple[Group, ...]:
    """Groups of imports to defer, each worth ``least`` milliseconds for every import in it, the best first.

    ``refused`` is asked of every import that is to be named, and of none twice.
    """
    wanted = {name: below(graph, name) for name, ms in weights(graph).items() if ms >= least}
    net, never = network(graph), Asked(refused)
    done: set[Wait] = set()
    groups: list[Group] = []
    while best := _best(graph, net, wanted, done, never, least):
        groups.append(best)
        done.update(best.waits)
    return tuple(groups)


def below(graph: Graph, name: str) -> frozenset[str]:
    """A module, and those that lie in it."""
    return frozenset(one for one in graph.costs if one == name or one.startswith(f"{name}."))


class Asked:
    """What is known of imports that were asked about."""

    def __init__(self, refused: Refused) -> None:
        self._refused = refused
        self._known: set[Wait] = set()
        self.reasons: dict[Wait, Reason] = {}

    def learn(self, waits: Iterable[Wait]) -> bool:
        """Asks of those that are not known yet; whether one of them cannot wait."""
        new = set(waits) - self._known
        self._known |= new
        found = self._refused(new) if new else {}
        self.reasons.update(found)
        return bool(found)


def _best(
    graph: Graph, net: Network, wanted: Mapping[str, frozenset[str]], done: set[Wait], never: Asked, least: float
) -> Group | None:
    """The group that frees most, less what its imports have to be worth; ``None`` where none is worth it."""
    while True:
        found = list(_groups(graph, net, wanted, done, never.reasons, least))
        if not never.learn(wait for group in found for wait in group.waits):
            break
    return max(found, key=lambda group: (_worth(group, least), -len(group.module), group.module), default=None)


def _worth(group: Group, least: float) -> float:
    return group.ms - least * len(group.waits)


def _groups(
    graph: Graph,
    net: Network,
    wanted: Mapping[str, frozenset[str]],
    done: set[Wait],
    never: Collection[Wait],
    least: float,
) -> Iterator[Group]:
    """Of each module that is still loaded, the imports that would have to wait, where that is worth it."""
    loaded, room = graph.loaded(without=done), net.room(done, never)
    cuts: dict[frozenset[Wait], str] = {}
    for name, inside in wanted.items():
        if name in loaded and (cut := fewest(net, inside & loaded, room, MOST_TOGETHER)):
            # Of several modules with the same answer the outermost is what people know.
            cuts[cut] = min(name, cuts.get(cut, name), key=lambda one: (one.count("."), one))
    for cut, name in cuts.items():
        freed = loaded - graph.loaded(without=done | cut)
        group = Group(module=name, waits=tuple(sorted(cut)), freed=tuple(sorted(freed)), ms=graph.cost(freed))
        if _worth(group, least) >= 0:
            yield group
