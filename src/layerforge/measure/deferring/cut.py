"""The fewest imports that have to wait so that a module is no longer loaded."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from layerforge.measure.deferring.graph import ROOT, Graph, Wait

Node = str | Wait
"""A module, or what it imports from another, through which that is reached."""

_ENDLESS = 1 << 30
"""Ways that an arc takes which no waiting cuts."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """What is loaded through imports that could still wait, as ways from node to node, all by numbers. Each arc has the
    one that leads back next to it.
    """

    nodes: tuple[Node, ...]
    """The first is the root, which stands for all that is loaded whatever waits."""
    numbers: Mapping[Node, int]
    arcs: tuple[tuple[int, ...], ...]
    """Of each node the arcs that begin there, those among them that lead back."""
    ends: tuple[int, ...]
    """Where each arc leads."""
    room: tuple[int, ...]
    """How many ways each takes: one for an import that could wait."""

    @property
    def modules(self) -> list[str]:
        """All modules that could be no longer loaded."""
        return [node for node in self.nodes[1:] if isinstance(node, str)]


def network(graph: Graph, done: Collection[Wait], never: Collection[Wait]) -> Network:
    """The network of a graph where some imports wait already and some cannot."""
    known = core(graph, never)
    nodes: list[Node] = [ROOT]
    numbers: dict[Node, int] = {ROOT: 0}
    arcs: list[list[int]] = [[]]
    ends: list[int] = []
    room: list[int] = []
    for one, other in _arcs(graph, known, done, never):
        for node in (one, other):
            if numbers.setdefault(node, len(nodes)) == len(nodes):
                nodes.append(node)
                arcs.append([])
        arcs[numbers[one]].append(len(ends))
        arcs[numbers[other]].append(len(ends) + 1)
        ends += numbers[other], numbers[one]
        room += 1 if isinstance(other, Wait) else _ENDLESS, 0
    return Network(
        nodes=tuple(nodes), numbers=numbers, arcs=tuple(map(tuple, arcs)), ends=tuple(ends), room=tuple(room)
    )


def core(graph: Graph, never: Collection[Wait]) -> set[str]:
    """What is loaded whatever waits."""
    seen, ahead = {ROOT}, [ROOT]
    while ahead:
        module = ahead.pop()
        found = set(graph.fixed.get(module, ()))
        found.update(*(targets for wait, targets in graph.waits.get(module, {}).items() if wait in never))
        ahead += found - seen
        seen |= found
    return seen


def _arcs(
    graph: Graph, core: Collection[str], done: Collection[Wait], never: Collection[Wait]
) -> Iterator[tuple[Node, Node]]:
    """The arcs of the modules that are loaded, those of the core from the root."""
    seen: set[str] = set(core)
    ahead = deque(sorted(core))
    while ahead:
        module = ahead.popleft()
        start = ROOT if module in core else module
        for one, other in _from(graph, module, start, core, done, never):
            yield one, other
            if isinstance(other, str) and other not in seen:
                seen.add(other)
                ahead.append(other)


def _from(
    graph: Graph, module: str, start: str, core: Collection[str], done: Collection[Wait], never: Collection[Wait]
) -> Iterator[tuple[Node, Node]]:
    """The arcs of one module to what is outside of the core."""
    yield from ((start, one) for one in sorted(graph.fixed.get(module, ())) if one not in core)
    for wait, targets in graph.waits.get(module, {}).items():
        outside = sorted(one for one in targets if one not in core)
        if wait in never:
            yield from ((start, one) for one in outside)
        elif outside and wait not in done:
            yield start, wait
            yield from ((wait, one) for one in outside)


def loaded(net: Network, without: Collection[Wait] = ()) -> set[str]:
    """What is still loaded of the network's modules where some imports wait."""
    closed = {net.numbers[wait] for wait in without}
    seen, ahead = {0, *closed}, [0]
    while ahead:
        for arc in net.arcs[ahead.pop()]:
            if net.room[arc] and net.ends[arc] not in seen:
                seen.add(net.ends[arc])
                ahead.append(net.ends[arc])
    return {node for node in (net.nodes[number] for number in seen) if isinstance(node, str) and node != ROOT}


def fewest(net: Network, unwanted: Iterable[str], most: int) -> frozenset[Wait] | None:
    """The fewest imports without which nothing of ``unwanted`` is loaded, of several such sets that which is nearest
    to it. ``None`` where that takes imports that cannot wait, or more than ``most``.

    That is a minimum cut: ways that share no import are looked for, and each takes one import more.
    """
    left, goal = list(net.room), {net.numbers[name] for name in unwanted if name in net.numbers}
    for _ in range(most + 1):
        way = _way(net, goal, left)
        if way is None:
            return _cut(net, goal, left)
        for arc in way:
            left[arc] -= 1
            left[arc ^ 1] += 1
    return None


def _way(net: Network, goal: Collection[int], left: Sequence[int]) -> list[int] | None:
    """The arcs of a shortest way from the root to what is unwanted; ``None`` where there is none more.

    It is looked for from its end, since nearly everything is near to the root.
    """
    leads = dict.fromkeys(goal, -1)
    ahead = deque(goal)
    while ahead:
        for back in net.arcs[ahead.popleft()]:
            start = net.ends[back]
            if start not in leads and left[back ^ 1] > 0:
                leads[start] = back ^ 1
                if start == 0:
                    return _forward(net, leads)
                ahead.append(start)
    return None


def _forward(net: Network, leads: Mapping[int, int]) -> list[int]:
    """The way from the root on."""
    way, node = [], 0
    while (arc := leads[node]) >= 0:
        way.append(arc)
        node = net.ends[arc]
    return way


def _cut(net: Network, goal: Collection[int], left: Sequence[int]) -> frozenset[Wait]:
    """The imports between what can still reach the unwanted and all else."""
    seen, ahead = set(goal), list(goal)
    while ahead:
        for arc in net.arcs[ahead.pop()]:
            start = net.ends[arc]
            if start not in seen and left[arc ^ 1] > 0:
                seen.add(start)
                ahead.append(start)
    found = (net.nodes[number] for number in seen)
    return frozenset(
        wait for wait in found if isinstance(wait, Wait) and not seen.issuperset(_before(net, net.numbers[wait]))
    )


def _before(net: Network, number: int) -> Iterator[int]:
    """The module whose import a node is."""
    return (net.ends[arc] for arc in net.arcs[number] if not net.room[arc])
