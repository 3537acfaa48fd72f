"""Packages that the very same functions need, as one thing that a layer holds whole."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from layerforge.resolve.split.asked import Function, Layer, Question, Weighed

Bits = int
"""A set of functions: a bit each, by their places among the sorted names."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Packages that stand or fall together."""

    packages: tuple[str, ...]
    """Names, sorted."""
    users: Bits
    bytes: int
    layer: Layer | None = None
    """The layer of the last split that it is; nothing may join such a one."""


def closure(roots: Iterable[str], packages: Mapping[str, Weighed]) -> frozenset[str]:
    """Names of the packages asked for and of all that these require. Raises ``KeyError`` for one that is not known."""
    found: set[str] = set()
    ahead = list(roots)
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += packages[name].requires
    return frozenset(found)


def users_of(question: Question, functions: Sequence[Function]) -> dict[str, Bits]:
    """The functions that need each package, of those that any does."""
    by_name = {one.name: one for one in question.packages}
    users: dict[str, Bits] = {}
    for place, function in enumerate(functions):
        for name in closure(function.roots, by_name):
            users[name] = users.get(name, 0) | 1 << place
    return users


def tied(names: Collection[str], ties: Iterable[Collection[str]]) -> list[tuple[str, ...]]:
    """The names, those that ties join together, sorted."""
    parent = {name: name for name in names}

    def top(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    for tie in ties:
        there = sorted(name for name in tie if name in parent)
        for name in there[1:]:
            one, other = sorted((top(there[0]), top(name)))
            parent[other] = one
    joined: dict[str, list[str]] = {}
    for name in sorted(names):
        joined.setdefault(top(name), []).append(name)
    return [tuple(found) for found in joined.values()]


def grouped(question: Question, functions: Sequence[Function], kept: Sequence[Layer] = ()) -> list[Group]:
    """What a split distributes: the layers that are ``kept``, whole, and all else by the exact set of its functions."""
    users = users_of(question, functions)
    sizes = {one.name: one.bytes for one in question.packages}
    fixed = [_group(layer.packages, users, sizes, layer) for layer in kept]
    held = {name for layer in kept for name in layer.packages}
    by_users: dict[Bits, list[str]] = {}
    for atom in tied([name for name in users if name not in held], question.ties):
        by_users.setdefault(_together(atom, users), []).extend(atom)
    rest = [_group(names, users, sizes) for names in by_users.values()]
    return sorted([*fixed, *rest], key=lambda one: (-one.bytes * one.users.bit_count(), one.packages))


def _group(
    names: Iterable[str], users: Mapping[str, Bits], sizes: Mapping[str, int], layer: Layer | None = None
) -> Group:
    ordered = tuple(sorted(names))
    return Group(
        packages=ordered, users=_together(ordered, users), bytes=sum(sizes[name] for name in ordered), layer=layer
    )


def _together(names: Iterable[str], users: Mapping[str, Bits]) -> Bits:
    found = 0
    for name in names:
        found |= users[name]
    return found


def parts(groups: Sequence[Group]) -> list[list[Group]]:
    """The groups in parts of which none has a function in common with another: each is split by itself."""
    found: list[tuple[Bits, list[Group]]] = []
    for one in groups:
        touching = [part for part in found if part[0] & one.users]
        apart = [part for part in found if not part[0] & one.users]
        bits = one.users
        for users, _ in touching:
            bits |= users
        found = [*apart, (bits, [*(group for _, inner in touching for group in inner), one])]
    order = {id(group): place for place, group in enumerate(groups)}
    return sorted(
        (sorted(part, key=lambda one: order[id(one)]) for _, part in found), key=lambda part: order[id(part[0])]
    )
