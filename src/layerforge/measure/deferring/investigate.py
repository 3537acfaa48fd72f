"""From a layer and a function to advice that was tried: what is advised, and what really happens then."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from layerforge.core.errors import VerificationError
from layerforge.core.progress import Progress
from layerforge.core.text import counted
from layerforge.measure.deferring import trial as trials
from layerforge.measure.deferring.advise import Asked, Group, Reason, advise
from layerforge.measure.deferring.graph import ROOT, Graph, Wait, graph_of, needed, parents
from layerforge.measure.deferring.kept import Kept, kept
from layerforge.measure.deferring.lines import RecipeLines, by_package
from layerforge.measure.deferring.owners import Owners
from layerforge.measure.deferring.trace import Trace
from layerforge.measure.deferring.trial import Trial

MOST_ROUNDS = 8
"""How often what did not come true is taken back and advice is made anew."""

KEPT_LEAST = 5
"""How many times what an import has to be worth a module costs that is told although it cannot wait."""

AT_LOAD = "what it brings is used while the module loads"


@dataclass(frozen=True, kw_only=True)
class Investigation:
    """What was found out."""

    trace: Trace
    groups: tuple[Group, ...]
    recipes: tuple[RecipeLines, ...]
    """The same as lines of recipes."""
    kept: tuple[Kept, ...]
    """What costs much and cannot wait."""
    refused: Mapping[Wait, Reason]
    """Imports that cannot wait, as the rewrite or a trial has told, of those that were asked about."""
    ms: float
    """Processor time of all imports, from which the figures of single ones are; milliseconds."""
    before_ms: float
    """The same, measured in turns with ``after_ms``."""
    after_ms: float
    """Where all groups wait."""
    modules: int
    """How many are loaded, found in vain among them."""
    modules_after: int
    still: frozenset[str]
    """Modules that should not have been loaded any more and were."""


def investigate(trial: Trial, owners: Owners, runs: int, least: float, progress: Progress) -> Investigation:
    """Advice, tried. ``least`` is the milliseconds that an import has to be worth. Raises ``VerificationError``."""
    with progress.step("trace") as step:
        trace = trials.links(trial)
        before = trials.medians([trials.costs(trial) for _ in range(runs)])
        step.note(f"{counted(len(before), 'module')}, {sum(before.values()):,.0f} ms of imports")
    graph = graph_of(trace, before)
    refused = partial(_refused, trial, trace, graph, owners)
    never = Asked(refused)
    never.refuse({wait: Reason(module=wait.importer, line=line, why=AT_LOAD) for wait, line in needed(trace).items()})
    with progress.step("advise") as step:
        groups, after = _true(trial, trace, graph, never, least)
        step.note(counted(sum(len(group.waits) for group in groups), "import"))
    waits = _all(groups)
    costly = kept(trace, graph, groups, lambda waits: never.known(waits) | refused(waits), KEPT_LEAST * least)
    with progress.step("measure") as step:
        pairs = [(trials.costs(trial), trials.costs(trial, waits, trace)) for _ in range(runs if waits else 0)]
        first, then = (_middle([pair[at] for pair in pairs] or [before]) for at in (0, 1))
        step.note(f"{first:,.0f} → {then:,.0f} ms")
    gone = {name for group in groups for name in group.freed}
    return Investigation(
        trace=trace,
        groups=groups,
        recipes=by_package(trace, graph, waits, never.reasons, owners, trials.unread(trial, trace, waits)),
        kept=costly,
        refused=never.reasons,
        ms=sum(before.values()),
        before_ms=first,
        after_ms=then,
        modules=len(trace.modules),
        modules_after=len(after.modules),
        still=frozenset(gone & after.modules.keys()),
    )


def _middle(runs: Sequence[Mapping[str, float]]) -> float:
    return sum(trials.medians(runs).values())


def _all(groups: Sequence[Group]) -> frozenset[Wait]:
    return frozenset(wait for group in groups for wait in group.waits)


def _true(trial: Trial, trace: Trace, graph: Graph, never: Asked, least: float) -> tuple[tuple[Group, ...], Trace]:
    """Groups that were tried, with what is then imported: no import of them is asked for while the layer loads."""
    for _ in range(MOST_ROUNDS):
        groups = advise(graph, never, least)
        try:
            after = trials.links(trial, _all(groups), trace) if groups else trace
        except VerificationError as error:
            never.refuse(_breaking(trial, trace, groups, error))
            continue
        found = dict(_asked_for(after, _all(groups)))
        if not found:
            break
        never.refuse(found)
    return groups, after


def _asked_for(after: Trace, waits: Collection[Wait]) -> Iterator[tuple[Wait, Reason]]:
    """Imports that should wait and do not, since something uses them while the layer loads."""
    known = {(wait.importer, wait.module): wait for wait in waits}
    for edge in after.edges:
        for module in (edge.called, edge.importer):
            if wait := known.get((module, edge.module)):
                yield wait, Reason(module=edge.importer, line=edge.line, why="uses it while the layer loads")


def _breaking(trial: Trial, trace: Trace, groups: Sequence[Group], error: VerificationError) -> dict[Wait, Reason]:
    """The imports of the first group with which the function fails."""
    good, bad = 0, len(groups)
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            trials.links(trial, _all(groups[:middle]), trace)
            good = middle
        except VerificationError as other:
            bad, error = middle, other
    why = f"the function fails where it waits: {(error.details or (error.message,))[-1]}"
    return {wait: Reason(module=wait.importer, line=0, why=why) for wait in groups[bad - 1].waits}


def _refused(trial: Trial, trace: Trace, graph: Graph, owners: Owners, waits: Collection[Wait]) -> dict[Wait, Reason]:
    """Of some imports those that cannot wait, or that no recipe could have wait."""
    asked_for = set(graph.asked_by(ROOT))
    offered = asked_for.union(*map(parents, asked_for))
    found: dict[Wait, Reason] = {}
    for wait in waits:
        file = trace.modules[wait.importer].file
        line = next((one.first for one in trace.statements.get(wait.importer, ()) if one.module == wait.module), 0)
        if not owners.package(file):
            found[wait] = Reason(module=wait.importer, line=line, why="is in no package of the layer")
        elif wait.importer in offered and wait.module.startswith(f"{wait.importer}."):
            found[wait] = Reason(module=wait.importer, line=line, why="is what the function asked for brings itself")
    return found | trials.refusals(trial, trace, set(waits) - found.keys())
