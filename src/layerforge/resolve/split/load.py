"""What the functions carry under a partition, kept up to date while blocks come and go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from layerforge.resolve.split.blocks import Block, Problem, bits

Worth = tuple[int, int, int]
"""Layers too many, bytes too many, bytes carried, of all functions together: the less the better, in this order."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """Layers and bytes by function. It changes with what is added."""

    problem: Problem
    layers: list[int]
    bytes: list[int]
    known: dict[Block, tuple[int, tuple[int, ...]]] = field(default_factory=dict)
    """Bytes and functions of blocks that were asked about: the same ones come again and again."""

    @classmethod
    def of(cls, problem: Problem, blocks: Iterable[Block]) -> Load:
        """The load of a whole partition."""
        zeros = [0] * len(problem.most_layers)
        load = cls(problem=problem, layers=list(zeros), bytes=list(zeros))
        for block in blocks:
            load.add(block)
        return load

    def add(self, block: Block, sign: int = 1) -> None:
        """Adds a block, or with ``sign`` -1 takes it away."""
        if block not in self.known:
            self.known[block] = self.problem.bytes(block), tuple(bits(self.problem.users(block)))
        size, users = self.known[block]
        size *= sign
        for place in users:
            self.layers[place] += sign
            self.bytes[place] += size

    @property
    def crowded(self) -> int:
        """The functions that have too many layers, a bit each."""
        pairs = zip(self.layers, self.problem.most_layers, strict=True)
        return sum(1 << place for place, (have, most) in enumerate(pairs) if have > most)

    @property
    def worth(self) -> Worth:
        """How good the partition is."""
        over = _excess(self.layers, self.problem.most_layers)
        return over, _excess(self.bytes, self.problem.most_bytes), sum(self.bytes)

    def with_exchange(self, old: Iterable[Block], new: Iterable[Block]) -> Worth:
        """How good it would be with some blocks in the place of others."""
        old, new = tuple(old), tuple(new)
        self.exchange(old, new)
        worth = self.worth
        self.exchange(new, old)
        return worth

    def exchange(self, old: Iterable[Block], new: Iterable[Block]) -> None:
        """Puts some blocks in the place of others."""
        for block in old:
            self.add(block, -1)
        for block in new:
            self.add(block)


def _excess(have: Iterable[int], most: Iterable[int]) -> int:
    return sum([one - limit for one, limit in zip(have, most, strict=True) if one > limit])
