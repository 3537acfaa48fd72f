"""From functions and weighed packages to the layers that they share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from layerforge.resolve.split import names
from layerforge.resolve.split.asked import Function, Layer, Question, Split
from layerforge.resolve.split.blocks import bits, problem
from layerforge.resolve.split.exact import MOST_GROUPS, exact
from layerforge.resolve.split.greedy import greedy
from layerforge.resolve.split.groups import Group, grouped, parts, tied, users_of
from layerforge.resolve.split.load import Load
from layerforge.resolve.split.refused import refuse_too_large, unsplittable

TOLERATED = 0.05
"""Share of the bytes that functions carry at best, which they may carry more so that layers of the last split stay."""

Blocks = list[list[Group]]


def split(question: Question) -> Split:
    """The layers of all functions: every package that one needs in exactly one layer, every function within its limits,
    and as few bytes as can be that functions carry and do not need.

    The order of what is asked does not matter, and a function that shares no package with others changes no layer of
    theirs. Raises ``RecipeError`` where a function does not fit, ``KeyError`` where a package is required that is not
    among the packages.
    """
    functions = sorted(question.functions, key=lambda one: one.name)
    refuse_too_large(question)
    blocks: Blocks = []
    for part in parts(grouped(question, functions)):
        blocks += _stable(question, functions, part)
    return _answer(question, functions, blocks)


def _stable(question: Question, functions: Sequence[Function], part: Sequence[Group]) -> Blocks:
    """The layers of one part: those of the last split that may stay, and the rest as good as can be beside them."""
    best = _partition(functions, part)
    needed = {name for group in part for name in group.packages}
    kept = _reusable(question, needed)
    most = None if best is None else _cost(best) * (1 + TOLERATED)
    step = 1
    while kept:
        mine = [group for group in grouped(question, functions, kept) if needed.issuperset(group.packages)]
        # Looking for a partition takes long, so what cannot come to anything is told first, and fewer and fewer stay.
        given_up = 1
        if _may_hold(functions, mine, most):
            found = _partition(functions, mine)
            if found is not None and (most is None or _cost(found) <= most):
                return found
            given_up, step = step, 2 * step
        for _ in range(min(given_up, len(kept))):
            kept.remove(_worst(question, functions, kept))
    if best is None:
        users = 0
        for group in part:
            users |= group.users
        sizes = {one.name: one.bytes for one in question.packages if one.name in needed}
        raise unsplittable([functions[place] for place in bits(users)], sizes)
    return best


def _may_hold(functions: Sequence[Function], groups: Sequence[Group], most: float | None) -> bool:
    """Whether layers that are kept fit their functions by themselves, and cost no more than ``most`` with the rest
    beside them, however good that is.
    """
    asked = problem(groups, functions)
    kept = [(place,) for place, group in enumerate(groups) if group.layer is not None]
    layers, over, _ = Load.of(asked, kept).worth
    return (
        not layers and not over and (most is None or sum(one.bytes * one.users.bit_count() for one in groups) <= most)
    )


def _reusable(question: Question, needed: Iterable[str]) -> list[Layer]:
    """Layers of the last split of which all packages are still needed, in the same versions, and no tie leaves them."""
    needed = frozenset(needed)
    versions = {one.name: one.version for one in question.packages}
    atoms = [frozenset(atom) for atom in tied(sorted(needed), question.ties)]
    found: list[Layer] = []
    held: set[str] = set()
    reserved = {name.casefold() for name in question.reserved}
    for layer in sorted(question.last, key=lambda one: one.name):
        mine = frozenset(layer.packages)
        same = all(layer.versions.get(name, versions.get(name)) == versions.get(name) for name in mine)
        whole = all(atom <= mine or atom.isdisjoint(mine) for atom in atoms)
        free = held.isdisjoint(mine) and layer.name.casefold() not in reserved
        if mine and mine <= needed and same and whole and free:
            found.append(layer)
            held |= mine
    return found


def _worst(question: Question, functions: Sequence[Function], kept: Sequence[Layer]) -> Layer:
    """The layer of which the functions carry most that they do not need."""
    users = users_of(question, functions)
    sizes = {one.name: one.bytes for one in question.packages}

    def waste(layer: Layer) -> int:
        every = 0
        for name in layer.packages:
            every |= users[name]
        return sum(sizes[name] * (every & ~users[name]).bit_count() for name in layer.packages)

    return max(kept, key=lambda layer: (waste(layer), layer.name))


def _partition(functions: Sequence[Function], groups: Sequence[Group]) -> Blocks | None:
    """The best layers for the groups of a part; ``None`` where none are found."""
    asked = problem(groups, functions)
    found = greedy(asked)
    free = sum(group.layer is None for group in groups)
    if free <= MOST_GROUPS:
        found = exact(asked, found)
    return None if found is None else [[groups[place] for place in block] for block in found]


def _cost(blocks: Iterable[Sequence[Group]]) -> int:
    return sum(sum(one.bytes for one in block) * _users(block).bit_count() for block in blocks)


def _users(block: Iterable[Group]) -> int:
    found = 0
    for group in block:
        found |= group.users
    return found


@dataclass(frozen=True, kw_only=True)
class _Made:
    layer: Layer
    users: int
    bytes: int


def _answer(question: Question, functions: Sequence[Function], blocks: Blocks) -> Split:
    sizes = {one.name: one.bytes for one in question.packages}
    versions = {one.name: one.version for one in question.packages}
    telling = {one.name: -1 if one.library else one.bytes for one in question.packages}
    made = [_made(name, block, versions) for name, block in names.named(blocks, functions, telling, question.reserved)]
    made.sort(key=lambda one: (-one.users.bit_count(), -one.bytes, one.layer.name))
    whole = _with_ties(question, functions)
    places = {function.name: place for place, function in enumerate(functions)}
    return Split(
        layers=tuple(one.layer for one in made),
        functions={
            name: tuple(one.layer.name for one in made if one.users >> place & 1) for name, place in places.items()
        },
        needed={
            name: sum(sizes[one] for one, users in whole.items() if users >> place & 1)
            for name, place in places.items()
        },
        carried={name: sum(one.bytes for one in made if one.users >> place & 1) for name, place in places.items()},
    )


def _made(name: str, block: Sequence[Group], versions: Mapping[str, str]) -> _Made:
    packages = tuple(sorted(package for group in block for package in group.packages))
    layer = Layer(name=name, packages=packages, versions={one: versions[one] for one in packages})
    return _Made(layer=layer, users=_users(block), bytes=sum(group.bytes for group in block))


def _with_ties(question: Question, functions: Sequence[Function]) -> dict[str, int]:
    """The functions that need each package or one that is tied to it."""
    users = users_of(question, functions)
    found: dict[str, int] = {}
    for atom in tied(list(users), question.ties):
        every = 0
        for name in atom:
            every |= users[name]
        found |= dict.fromkeys(atom, every)
    return found
