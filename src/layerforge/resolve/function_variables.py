"""Variables of a function that several want to have set, which must be of one mind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


class Disagreement(ValueError):  # noqa: N818 - says who wants what
    """Two owners want different values of a variable."""

    def __init__(self, name: str, one: tuple[str, str], other: tuple[str, str]) -> None:
        super().__init__(f"{name} is {one[1]} for {one[0]} and {other[1]} for {other[0]}")
        self.name = name
        self.owners = f"{one[0]} and {other[0]}"
        self.details = tuple(f"{owner}: {value}" for owner, value in (one, other))


def together(wanted: Iterable[tuple[str, Mapping[str, str]]]) -> dict[str, str]:
    """The variables of all owners, by name. Raises ``Disagreement`` where two of them want different values."""
    found: dict[str, tuple[str, str]] = {}
    for owner, variables in wanted:
        for name, value in variables.items():
            before = found.setdefault(name, (owner, value))
            if before[1] != value:
                raise Disagreement(name, before, (owner, value))
    return {name: found[name][1] for name in sorted(found)}
