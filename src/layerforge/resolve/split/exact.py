"""The best partition of few groups: branch and bound over all of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from layerforge.resolve.split.blocks import Block, Problem, bits, ordered

MOST_GROUPS = 12
"""Groups up to which every partition is looked at, as far as it can be better."""

MOST_STEPS = 400_000
"""Partial partitions after which the best one so far is taken. A number and no time, so that it is always the same."""


@dataclass
class _Search:
    """One group after another joins a block or opens a new one; what costs too much already is left at once."""

    problem: Problem
    best: tuple[Block, ...] | None
    bound: int
    """Cost that has to be undercut."""
    blocks: list[list[int]] = field(default_factory=list)
    users: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    count: list[int] = field(default_factory=list)
    """Layers by function."""
    carried: list[int] = field(default_factory=list)
    """Bytes by function."""
    steps: int = 0

    def run(self, place: int, cost: int) -> None:
        """Places the group ``place`` and all after it; ``cost`` is that of those before."""
        self.steps += 1
        if cost >= self.bound or self.steps > MOST_STEPS:
            return
        if place == len(self.problem.groups):
            self.best, self.bound = ordered(self.blocks), cost
            return
        group = self.problem.groups[place]
        for block in range(len(self.blocks) + 1):
            if block == len(self.blocks):
                self._open()
            elif group.layer is not None or self.problem.closed(tuple(self.blocks[block][:1])):
                continue
            self._into(block, place, cost)
            if not self.blocks[-1]:
                self._shut()

    def _open(self) -> None:
        self.blocks.append([])
        self.users.append(0)
        self.sizes.append(0)

    def _shut(self) -> None:
        self.blocks.pop()
        self.users.pop()
        self.sizes.pop()

    def _into(self, block: int, place: int, cost: int) -> None:
        """Tries a group in a block, and takes it out again."""
        group, users, size = self.problem.groups[place], self.users[block], self.sizes[block]
        new = group.users & ~users
        both = users | group.users
        more = [(one, size + group.bytes if new >> one & 1 else group.bytes, new >> one & 1) for one in bits(both)]
        added = sum(extra for _, extra, _ in more)
        for one, extra, layer in more:
            self.carried[one] += extra
            self.count[one] += layer
        fits = all(
            self.carried[one] <= self.problem.most_bytes[one] and self.count[one] <= self.problem.most_layers[one]
            for one, _, _ in more
        )
        if fits:
            self.blocks[block].append(place)
            self.users[block], self.sizes[block] = both, size + group.bytes
            self.run(place + 1, cost + added)
            self.blocks[block].pop()
            self.users[block], self.sizes[block] = users, size
        for one, extra, layer in more:
            self.carried[one] -= extra
            self.count[one] -= layer


def exact(problem: Problem, start: tuple[Block, ...] | None) -> tuple[Block, ...] | None:
    """The partition that costs least, where that is less than ``start`` costs; ``None`` where none holds the limits."""
    bound = sum(map(problem.cost, start)) if start is not None else 1 << 100
    zeros = [0] * len(problem.most_layers)
    search = _Search(problem=problem, best=start, bound=bound, count=list(zeros), carried=list(zeros))
    search.run(0, 0)
    return search.best
