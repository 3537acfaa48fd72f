"""A partition of groups into layers while it is looked for, with its costs and the limits of the functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from layerforge.resolve.split.asked import Function
from layerforge.resolve.split.groups import Bits, Group

Block = tuple[int, ...]
"""Places of the groups that are one layer, in ascending order."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Groups of one part, and what their functions can hold."""

    groups: tuple[Group, ...]
    most_layers: tuple[int, ...]
    """By function."""
    most_bytes: tuple[int, ...]
    """By function."""

    def users(self, block: Iterable[int]) -> Bits:
        """The functions that have a block."""
        found = 0
        for place in block:
            found |= self.groups[place].users
        return found

    def bytes(self, block: Iterable[int]) -> int:
        """Bytes of a block."""
        return sum(self.groups[place].bytes for place in block)

    def cost(self, block: Iterable[int]) -> int:
        """Bytes that the functions carry because of a block, all together."""
        block = tuple(block)
        return self.bytes(block) * self.users(block).bit_count()

    def closed(self, block: Block) -> bool:
        """Whether nothing may join a block or leave it."""
        return any(self.groups[place].layer is not None for place in block)


def problem(groups: Sequence[Group], functions: Sequence[Function]) -> Problem:
    """The problem that the groups of a part are."""
    return Problem(
        groups=tuple(groups),
        most_layers=tuple(one.most_layers for one in functions),
        most_bytes=tuple(one.most_bytes for one in functions),
    )


def bits(users: Bits) -> Iterator[int]:
    """Places of the functions of a set."""
    while users:
        low = users & -users
        yield low.bit_length() - 1
        users ^= low


def ordered(blocks: Iterable[Iterable[int]]) -> tuple[Block, ...]:
    """Blocks in the one order that they have everywhere."""
    return tuple(sorted(tuple(sorted(block)) for block in blocks if block))
