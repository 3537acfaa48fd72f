"""What counts of a ``poetry.lock`` from before Poetry 2, which does not say so: what a project requires, followed from
package to package.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from layerforge.core import guarded
from layerforge.core.runtimes import Target
from layerforge.resolve import poetry_project, project_extras, pythons
from layerforge.resolve.other_locks import lambdas
from layerforge.resolve.wanted import Wanted


@dataclass(frozen=True, kw_only=True)
class Row:
    """A package of the file."""

    name: str
    version: str
    python_versions: str = "*"
    groups: list[str] = field(default_factory=list)
    markers: str | dict[str, str] = ""
    files: list[dict[str, Any]] = field(default_factory=list)
    dependencies: dict[str, Any] = field(default_factory=dict)
    extras: dict[str, list[str]] = field(default_factory=dict)
    source: dict[str, Any] = field(default_factory=dict)


_MOST_ROUNDS = 20


def groups_of(data: Mapping[str, Any]) -> tuple[str, ...]:
    """The groups of a project."""
    return project_extras.offered(data).groups


def counting(rows: Sequence[Row], data: Mapping[str, Any], asked: Wanted) -> list[tuple[Row, str]]:
    """The packages that count, and where."""
    texts = [*poetry_project.required(data), *_more(data, asked)]
    roots = [guarded.requirement(text) for text in texts]
    by_target = {target.label: _reached(rows, roots, target) for target in lambdas.targets()}
    found = [(row, lambdas.where(partial(_is_in, by_target, number))) for number, row in enumerate(rows)]
    return [(row, marker) for row, marker in found if marker is not None]


def _is_in(by_target: Mapping[str, set[int]], number: int, target: Target) -> bool:
    return number in by_target[target.label]


def _more(data: Mapping[str, Any], asked: Wanted) -> list[str]:
    return [text for _, text in project_extras.required(Path(), data, asked)]


def _reached(rows: Sequence[Row], roots: Iterable[Requirement], target: Target) -> set[int]:
    """Numbers of the rows that a target gets. Of several versions it gets the one that all who ask for it allow, and
    who they are is known only once all have been followed.
    """
    by_name: dict[str, list[int]] = {}
    for number, row in enumerate(rows):
        if pythons.serves(poetry_project.python(row.python_versions), target.python):
            by_name.setdefault(canonicalize_name(row.name), []).append(number)
    first = [one for one in roots if lambdas.applies(str(one.marker or ""), target)]
    limits: dict[str, SpecifierSet] = {}
    for _ in range(_MOST_ROUNDS):
        seen, found = _followed(rows, by_name, first, limits, target)
        if found == limits:
            break
        limits = found
    return seen


def _followed(
    rows: Sequence[Row],
    by_name: Mapping[str, Sequence[int]],
    first: Iterable[Requirement],
    limits: Mapping[str, SpecifierSet],
    target: Target,
) -> tuple[set[int], dict[str, SpecifierSet]]:
    """The rows that are reached where versions are chosen within ``limits``, and the limits that those set who ask."""
    waiting, found = list(first), dict[str, SpecifierSet]()
    seen: dict[int, frozenset[str]] = {}
    while waiting:
        asked = waiting.pop()
        name = canonicalize_name(asked.name)
        found[name] = found.get(name, SpecifierSet()) & asked.specifier
        number = _chosen(rows, by_name.get(name, ()), limits.get(name, SpecifierSet()) & asked.specifier)
        if number is None:
            continue
        extras = seen.get(number, frozenset()) | {canonicalize_name(one) for one in asked.extras}
        if extras != seen.get(number):
            seen[number] = extras
            waiting += _required(rows[number], extras, target)
    return set(seen), found


def _chosen(rows: Sequence[Row], known: Iterable[int], limit: SpecifierSet) -> int | None:
    """The newest of some rows within a limit; of all where none is, since a lock that is older is found out later."""
    every = sorted(known, key=lambda number: Version(rows[number].version))
    fits = [number for number in every if limit.contains(rows[number].version, prereleases=True)]
    return next(reversed(fits or every), None)


def _required(row: Row, extras: Iterable[str], target: Target) -> Iterator[Requirement]:
    """What a package requires on a target where some of its extras are asked for."""
    named = {canonicalize_name(name): lines for name, lines in row.extras.items()}
    optional = {_name(line) for extra in extras for line in named.get(canonicalize_name(extra), [])}
    for name, value in row.dependencies.items():
        for each in value if isinstance(value, list) else [value]:
            table = each if isinstance(each, dict) else {"version": each}
            if table.get("optional") and canonicalize_name(name) not in optional:
                continue
            if lambdas.applies(str(table.get("markers", "")), target, extras):
                yield _requirement(name, table)


def _name(line: str) -> str:
    return canonicalize_name(line.split(" ")[0].partition("[")[0])


def _requirement(name: str, table: Mapping[str, Any]) -> Requirement:
    """A dependency as a requirement; of alternatives the lock has chosen one."""
    chosen = table.get("extras")
    extras = f"[{','.join(map(str, chosen))}]" if isinstance(chosen, list) and chosen else ""
    version = str(table.get("version", "*"))
    return guarded.requirement(f"{name}{extras}{'' if '|' in version else poetry_project.specifiers(version)}")
