"""Why each module is loaded: which statement of which module asks for it, and what else does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from layerforge.measure.deferring.trace import Statement, Trace

ROOT = ""
"""Stands for the function itself, and for all that was loaded before it."""


class Wait(NamedTuple):
    """What could be deferred: all that a module imports, in its body, from one other; a name in a recipe's list."""

    importer: str
    """Name of the module whose import waits."""
    module: str
    """Absolute name of what it imports there."""


@dataclass(frozen=True, kw_only=True)
class Graph:
    """What keeps each module loaded."""

    costs: Mapping[str, float]
    """Milliseconds of processor time of each module alone."""
    names: tuple[str, ...]
    """Of all modules that were loaded, or looked for."""
    fixed: Mapping[str, frozenset[str]]
    """What modules load whatever is deferred: their own packages, what native code and calls ask for."""
    waits: Mapping[str, Mapping[Wait, frozenset[str]]]
    """By module, its imports, each with what it keeps loaded."""

    def asked_by(self, module: str) -> set[str]:
        """What a module asks for."""
        return set(self.fixed.get(module, ())).union(*self.waits.get(module, {}).values())

    def cost(self, modules: Iterable[str]) -> float:
        """Milliseconds of some modules."""
        return sum(self.costs.get(name, 0.0) for name in modules)


def parents(name: str) -> Iterator[str]:
    """The packages that a module lies in, the innermost first."""
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def graph_of(trace: Trace, costs: Mapping[str, float]) -> Graph:
    """The graph of a traced init phase."""
    fixed: dict[str, set[str]] = defaultdict(set)
    waits: dict[str, dict[Wait, set[str]]] = defaultdict(lambda: defaultdict(set))
    for name in trace.modules:
        fixed[name].update(one for one in parents(name) if one in trace.modules)
    # A handler's file is run and not imported: nobody asks for it, and what it asks for, the function does.
    imported = {edge.module for edge in trace.edges} & trace.modules.keys()
    for edge in trace.edges:
        if edge.module not in trace.modules:
            continue
        importer = edge.importer if edge.importer in imported else ROOT
        found = set(_responsible(trace, importer, edge.line, edge.module))
        for wait in found:
            waits[importer][wait].add(edge.module)
        if not found:
            fixed[importer].add(edge.module)
    for importer, statement in _run(trace):
        for taken, wait in _waits(trace, importer, statement):
            waits[importer][wait].update(_kept(trace, statement, taken))
    return Graph(
        costs=costs,
        names=tuple(trace.modules),
        fixed={name: frozenset(found) for name, found in fixed.items()},
        waits={name: {wait: frozenset(kept) for wait, kept in found.items()} for name, found in waits.items()},
    )


def _responsible(trace: Trace, importer: str, line: int, module: str) -> Iterator[Wait]:
    """What would have to wait so that a line no longer loads a module; nothing where no statement stands there."""
    here = [one for one in trace.statements.get(importer, ()) if one.first <= line <= one.last]
    near = [one for one in here if one.module == module or one.module.startswith(f"{module}.")]
    for statement in near or here:
        found = tuple(_waits(trace, importer, statement))
        exact = [wait for _, wait in found if wait.module == module and wait.module != statement.module]
        yield from exact or [wait for _, wait in found]


def _waits(trace: Trace, importer: str, statement: Statement) -> Iterator[tuple[str, Wait]]:
    """What can wait of a statement, by the name that it takes; an empty one for ``import a``."""
    for name in statement.names or ("",):
        below = f"{statement.module}.{name}"
        yield name, Wait(importer=importer, module=below if name and below in trace.modules else statement.module)


def _run(trace: Trace) -> Iterator[tuple[str, Statement]]:
    """The statements that were run: those that asked for something."""
    lines: dict[str, set[int]] = defaultdict(set)
    for edge in trace.edges:
        lines[edge.importer].add(edge.line)
    for importer, statements in trace.statements.items():
        for one in statements:
            if any(line in lines[importer] for line in range(one.first, one.last + 1)):
                yield importer, one


def needed(trace: Trace) -> Mapping[Wait, int]:
    """Imports that cannot wait, as a first look tells, each with a line that keeps it from that."""
    found: dict[Wait, int] = {}
    for importer, statements in trace.statements.items():
        for one in statements:
            for (_, wait), line in zip(_waits(trace, importer, one), one.needed, strict=True):
                if line:
                    found.setdefault(wait, line)
    return found


def _kept(trace: Trace, statement: Statement, name: str) -> set[str]:
    """What a statement keeps loaded by the name that it takes: the module, one below it, and, where the name is one
    that the module imports itself, what it comes from.
    """
    kept = {statement.module}
    ahead, seen = [(statement.module, name)], set()
    while ahead:
        module, wanted = ahead.pop()
        if not wanted or (module, wanted) in seen:
            continue
        seen.add((module, wanted))
        kept.add(f"{module}.{wanted}")
        for one in trace.statements.get(module, ()):
            for place, bound in enumerate(one.bound):
                if wanted in {"*", bound} or bound == "*":
                    kept.add(one.module)
                    taken = one.names[place] if one.names else ""
                    ahead.append((one.module, wanted if taken == "*" else taken))
    return kept & trace.modules.keys()
