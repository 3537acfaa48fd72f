"""The fewest imports that have to wait so that a module is no longer loaded."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from layerforge.measure.deferring.graph import ROOT, Graph, Wait

Node = str | Wait
"""A module, or what it imports from another, through which that is reached."""

_ENDLESS = 1 << 30
"""Of a way that no import could cut."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """A graph as ways from node to node, all by numbers: each arc, and next to it the one that leads back."""

    numbers: Mapping[Node, int]
    arcs: tuple[tuple[int, ...], ...]
    """Of each node the arcs that begin there, those among them that lead back."""
    ends: tuple[int, ...]
    """Where each arc leads."""
    waits: Mapping[int, Wait]
    """The import that an arc stands for."""

    def room(self, done: Collection[Wait], never: Collection[Wait]) -> list[int]:
        """How many ways each arc can take, where some imports wait already and some cannot."""
        room = [_ENDLESS, 0] * (len(self.ends) // 2)
        for arc, wait in self.waits.items():
            room[arc] = 0 if wait in done else _ENDLESS if wait in never else 1
        return room


def network(graph: Graph) -> Network:
    """The network of a graph."""
    numbers: dict[Node, int] = {ROOT: 0}
    arcs: list[list[int]] = [[]]
    ends: list[int] = []
    waits: dict[int, Wait] = {}
    for pair in _arcs(graph):
        for node in pair:
            if numbers.setdefault(node, len(arcs)) == len(arcs):
                arcs.append([])
        one, other = (numbers[node] for node in pair)
        if isinstance(pair[1], Wait):
            waits[len(ends)] = pair[1]
        arcs[one].append(len(ends))
        arcs[other].append(len(ends) + 1)
        ends += other, one
    return Network(numbers=numbers, arcs=tuple(map(tuple, arcs)), ends=tuple(ends), waits=waits)


def _arcs(graph: Graph) -> Iterator[tuple[Node, Node]]:
    for module, fixed in sorted(graph.fixed.items()):
        yield from ((module, one) for one in sorted(fixed))
    for module, waits in sorted(graph.waits.items()):
        for wait, targets in sorted(waits.items()):
            yield module, wait
            yield from ((wait, one) for one in sorted(targets))


def fewest(net: Network, unwanted: Collection[str], room: Sequence[int], most: int) -> frozenset[Wait] | None:
    """The fewest imports without which nothing of ``unwanted`` is loaded, of several such sets that which is nearest
    to it; ``room`` is the network's own. ``None`` where that takes imports that cannot wait, or more than ``most``.

    That is a minimum cut: ways that share no import are looked for, and each takes one import more.
    """
    left, goal = list(room), {net.numbers[name] for name in unwanted if name in net.numbers}
    for _ in range(most + 1):
        way = _way(net, goal, left)
        if way is None:
            return _cut(net, goal, left, room)
        if min(room[arc] if room[arc] else _ENDLESS for arc in way) > most + 1:
            return None
        for arc in way:
            left[arc] -= 1
            left[arc ^ 1] += 1
    return None


def _way(net: Network, goal: Collection[int], left: Sequence[int]) -> list[int] | None:
    """The arcs of a shortest way from the root to what is unwanted; ``None`` where there is none more."""
    came: dict[int, int] = {0: -1}
    ahead = deque([0])
    while ahead:
        for arc in net.arcs[ahead.popleft()]:
            end = net.ends[arc]
            if left[arc] > 0 and end not in came:
                came[end] = arc
                if end in goal:
                    return _back(net, came, end)
                ahead.append(end)
    return None


def _back(net: Network, came: Mapping[int, int], node: int) -> list[int]:
    way = []
    while (arc := came[node]) >= 0:
        way.append(arc)
        node = net.ends[arc ^ 1]
    return way


def _cut(net: Network, goal: Collection[int], left: Sequence[int], room: Sequence[int]) -> frozenset[Wait]:
    """The imports between what can still reach the unwanted and all else."""
    seen, ahead = set(goal), list(goal)
    while ahead:
        for arc in net.arcs[ahead.pop()]:
            start = net.ends[arc]
            if start not in seen and left[arc ^ 1] > 0:
                seen.add(start)
                ahead.append(start)
    crossing = ((arc, wait) for arc, wait in net.waits.items() if room[arc] and net.ends[arc] in seen)
    return frozenset(wait for arc, wait in crossing if net.ends[arc ^ 1] not in seen)
