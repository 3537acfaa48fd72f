"""A good partition of many groups: the cheapest pair is merged until every function holds its limits, then single
groups move, and two change places, as long as that is better.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, combinations

from layerforge.resolve.split.blocks import Block, Problem, ordered
from layerforge.resolve.split.load import Load

MOST_TRIED = 60_000
"""Changes that are tried, after which a partition is good enough. No time, so that it is always the same one."""


def greedy(problem: Problem) -> tuple[Block, ...] | None:
    """A partition that holds the limits, if one is found."""
    found = []
    for relieving in (False, True):
        blocks = improved(problem, _merged(problem, relieving=relieving))
        layers, over, cost = Load.of(problem, blocks).worth
        if not layers and not over:
            found.append((cost, blocks))
    return min(found)[1] if found else None


def _merged(problem: Problem, *, relieving: bool) -> tuple[Block, ...]:
    """Blocks of which the cheapest pairs are merged while functions have too many.

    With ``relieving`` a pair counts by what it costs for each function that it relieves, else by what it costs alone.
    """
    blocks = ordered([place] for place in range(len(problem.groups)))
    load = Load.of(problem, blocks)
    while load.crowded:
        pairs = _pairs(problem, blocks, load, relieving=relieving)
        best = min(pairs, default=None)
        if best is None:
            break
        _, _, one, other = best
        load.exchange((one, other), (one + other,))
        blocks = ordered([*(block for block in blocks if block not in {one, other}), one + other])
    return blocks


def _pairs(
    problem: Problem, blocks: Sequence[Block], load: Load, *, relieving: bool
) -> Iterator[tuple[bool, float, Block, Block]]:
    """Pairs that relieve a function with too many layers: whether others then have too many bytes, and the cost."""
    facts = [(block, problem.users(block), problem.bytes(block)) for block in blocks if not problem.closed(block)]
    room = [most - have for have, most in zip(load.bytes, problem.most_bytes, strict=True)]
    crowded = load.crowded
    for (one, users, size), (other, others, more) in combinations(facts, 2):
        relieved = (users & others & crowded).bit_count()
        if not relieved:
            continue
        added = size * (others & ~users).bit_count() + more * (users & ~others).bit_count()
        tight = _tight(room, others & ~users, size) or _tight(room, users & ~others, more)
        yield tight, added / relieved if relieving else added, one, other


def _tight(room: Sequence[int], users: int, size: int) -> bool:
    """Whether any of these functions has no room for so many bytes."""
    return any(users >> place & 1 and have < size for place, have in enumerate(room))


def improved(problem: Problem, blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    """Blocks that no single move and no exchange makes better: first within the limits, then cheaper."""
    load = Load.of(problem, blocks)
    worth, tried, better = load.worth, 0, True
    while better and tried < MOST_TRIED:
        better = False
        for old, new in chain(_moves(problem, blocks), _exchanges(problem, blocks)):
            tried += 1
            found = load.with_exchange(old, new)
            if found < worth:
                load.exchange(old, new)
                blocks = ordered([*(block for block in blocks if block not in old), *new])
                worth, better = found, True
                break
    return blocks


Change = tuple[tuple[Block, ...], tuple[Block, ...]]
"""Blocks, and those that come in their place."""


def _open(problem: Problem, blocks: Sequence[Block]) -> list[Block]:
    return [block for block in blocks if not problem.closed(block)]


def _moves(problem: Problem, blocks: Sequence[Block]) -> Iterator[Change]:
    """A group into another block or one of its own, or two blocks made one."""
    free = _open(problem, blocks)
    for source in free:
        for place in source:
            left = tuple(one for one in source if one != place)
            for into in free:
                if into != source:
                    yield (source, into), tuple(filter(None, (left, tuple(sorted((*into, place))))))
            if left:
                yield (source,), (left, (place,))
    for one, other in combinations(free, 2):
        yield (one, other), (tuple(sorted(one + other)),)


def _exchanges(problem: Problem, blocks: Sequence[Block]) -> Iterator[Change]:
    """Two groups of two blocks, each in the place of the other."""
    for one, other in combinations(_open(problem, blocks), 2):
        for here in one:
            for there in other:
                first = sorted([*(place for place in one if place != here), there])
                second = sorted([*(place for place in other if place != there), here])
                yield (one, other), (tuple(first), tuple(second))
