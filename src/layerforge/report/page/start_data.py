"""Where a start's time goes, as data for the page: by package and by module, beside another layer's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from layerforge.core.paths import below_site
from layerforge.examine.examination import Examination
from layerforge.layer.imports import top_level
from layerforge.measure.coldstart.reading import ColdStart
from layerforge.measure.importtime import Import, walk

PYTHON = "Python and its runtime"
MOST_MODULES = 40
"""Modules that are named, those that take longest in either layer."""


def start_data(measured: ColdStart, seen: Examination) -> dict[str, Any] | None:
    """The layers, the one that it was held against first, and rows of names with the figures of each; microseconds of
    each module alone. ``None`` where no imports were told.
    """
    trees = [measured.against_imports, measured.imports] if measured.against_imports else [measured.imports]
    if not measured.imports:
        return None
    names = [measured.against_name, measured.name] if measured.against_imports else [measured.name]
    owners = _owners(seen)
    alone = [_alone(tree) for tree in trees]
    own = {node.name.partition(".")[0] for tree in trees for node in walk(tree) if node.bytes}
    packages = [_sums(figures, owners, own) for figures in alone]
    return {
        "layers": [name or seen.path.name for name in names],
        "modules": [len(figures) for figures in alone],
        "by_package": _rows(packages),
        "by_module": _rows(alone)[:MOST_MODULES],
    }


def _owners(seen: Examination) -> dict[str, str]:
    """The package of each module at the top."""
    found: dict[str, str] = {}
    for member in seen.members:
        if member.package and (name := top_level(below_site(member.path))):
            found.setdefault(name, member.package)
    return found


def _alone(tree: Iterable[Import]) -> dict[str, int]:
    figures: dict[str, int] = defaultdict(int)
    for node in walk(tree):
        figures[node.name] += node.self_us
    return dict(figures)


def _sums(figures: Mapping[str, int], owners: Mapping[str, str], own: set[str]) -> dict[str, int]:
    """The same by package. What only the other layer has is called as its modules are."""
    sums: dict[str, int] = defaultdict(int)
    for name, us in figures.items():
        top = name.partition(".")[0]
        sums[owners.get(top) or (top if top in own else PYTHON)] += us
    return dict(sums)


def _rows(figures: Sequence[Mapping[str, int]]) -> list[list[Any]]:
    """A row a name, ``["numpy", 3100, 2900]``, those first that take longest in either; what is missing takes 0."""
    names = {name for one in figures for name in one}
    rows = [[name, *(one.get(name, 0) for one in figures)] for name in names]
    return sorted(rows, key=lambda row: (-max(row[1:]), row[0]))
