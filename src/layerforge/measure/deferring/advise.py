"""Which imports are worth to wait: those whose modules cost most, each with all that keep it loaded."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from layerforge.measure.deferring.cut import Network, fewest, loaded, network
from layerforge.measure.deferring.graph import Graph, Wait
from layerforge.measure.deferring.weights import weights

Refused = Callable[[Collection[Wait]], Mapping[Wait, "Reason"]]
"""Says of imports which cannot wait."""

MOST_TOGETHER = 16
"""Imports that may have to wait together for one module."""


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why an import cannot wait."""

    module: str
    """Where the reason stands: mostly the module of the import itself."""
    line: int
    """0 where that is not known."""
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
class Wanted:
    """What would be better not loaded."""

    modules: frozenset[str]
    """A module, and those that lie in it."""
    ms: float
    """What these cost with all that is loaded for them alone."""
    most: int
    """Imports that it could be worth."""


def below(graph: Graph, name: str) -> frozenset[str]:
    """A module, and those that lie in it."""
    return frozenset(one for one in graph.names if one == name or one.startswith(f"{name}."))


def advise(graph: Graph, never: Asked, least: float) -> tuple[Group, ...]:
    """Groups of imports to defer, each worth ``least`` milliseconds for every import in it, the best first."""
    wanted = {
        name: Wanted(modules=below(graph, name), ms=ms, most=min(MOST_TOGETHER, round(2 * ms / least) + 1))
        for name, ms in weights(graph).items()
        if ms >= least
    }
    done: set[Wait] = set()
    groups: list[Group] = []
    while found := _found(graph, wanted, done, never, least):
        for best in _apart(found, least):
            # What only several of them together free is counted with the last.
            net = network(graph, done, never.reasons)
            one = _group(graph, net, best.module, [wait for wait in best.waits if wait in net.numbers])
            if _worth(one, least) >= 0 and one.freed:
                groups.append(one)
                done.update(one.waits)
    return tuple(groups)


class Asked:
    """What is known of imports that were asked about: of every one that is to be named, and of none twice."""

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

    def known(self, waits: Iterable[Wait]) -> dict[Wait, Reason]:
        """Of some imports those that are known not to wait."""
        return {wait: self.reasons[wait] for wait in waits if wait in self.reasons}

    def refuse(self, reasons: Mapping[Wait, Reason]) -> None:
        """Takes note of what was found out in another way."""
        self._known |= reasons.keys()
        self.reasons.update(reasons)


def _found(graph: Graph, wanted: Mapping[str, Wanted], done: set[Wait], never: Asked, least: float) -> list[Group]:
    """The groups that are worth it now, none of whose imports cannot wait."""
    while True:
        found = list(_groups(graph, network(graph, done, never.reasons), wanted, least))
        if not never.learn(wait for group in found for wait in group.waits):
            return found


def _apart(found: Sequence[Group], least: float) -> Iterator[Group]:
    """Of some groups the best, and what has nothing to do with those before."""
    taken: set[str] = set()
    for one in sorted(found, key=lambda group: _rank(group, least), reverse=True):
        concerned = {*one.freed, *(wait.importer for wait in one.waits)}
        if taken.isdisjoint(concerned) and not any(_better_part(part, one) for part in found):
            taken |= concerned
            yield one


def _rank(group: Group, least: float) -> tuple[float, str]:
    return _worth(group, least), group.module


def _better_part(one: Group, whole: Group) -> bool:
    """Whether a group is part of another, and worth more for each of its imports: then it is told alone."""
    return set(one.waits) < set(whole.waits) and one.ms * len(whole.waits) > whole.ms * len(one.waits)


def _worth(group: Group, least: float) -> float:
    return group.ms - least * len(group.waits)


def _groups(graph: Graph, net: Network, wanted: Mapping[str, Wanted], least: float) -> Iterator[Group]:
    """Of each module that is still loaded, the imports that would have to wait, where that is worth it."""
    now = loaded(net)
    cuts: dict[frozenset[Wait], str] = {}
    for name, one in wanted.items():
        if name in now and (cut := fewest(net, one.modules & now, one.most)):
            # Of several modules with the same answer the one that brings the others is what it is about.
            cuts[cut] = min(name, cuts.get(cut, name), key=lambda name: (-wanted[name].ms, name.count("."), name))
    groups = (_group(graph, net, name, cut) for cut, name in cuts.items())
    yield from (group for group in groups if _worth(group, least) >= 0)


def _group(graph: Graph, net: Network, name: str, cut: Collection[Wait]) -> Group:
    """Imports that wait for a module's sake, and what they free."""
    freed = loaded(net) - loaded(net, cut)
    return Group(module=name, waits=tuple(sorted(cut)), freed=tuple(sorted(freed)), ms=graph.cost(freed))
