"""From a plan to the layer itself: its tree, optimised, and its zip; in several ways where it has to fit somewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path

from layerforge.build.interpreters import Interpreter
from layerforge.build.plan import Built, Plan
from layerforge.layer import archive as archives
from layerforge.layer import fit_search, misfit, provided
from layerforge.layer.ahead import Ahead, beside
from layerforge.layer.archive import Archive, Streams, archive
from layerforge.layer.assemble import assemble
from layerforge.layer.candidates import check_limit
from layerforge.layer.data_files import Fetched, LaidData, laid, with_data
from layerforge.layer.fit_search import Fitted
from layerforge.layer.passes.compile import begun
from layerforge.layer.passes.priming import with_priming
from layerforge.layer.passes.run import CONTENTS, MODULES, Passes, optimize
from layerforge.layer.passes.setting import PassResult
from layerforge.layer.patches import AppliedPatch, patched
from layerforge.layer.tree import Tree
from layerforge.layer.variants import without_parts
from layerforge.resolve.fit import Goal, Way
from layerforge.resolve.sources import Search

USUAL_RATIO = 3
"""Bytes of a layer by those of its zip."""


@dataclass(frozen=True, kw_only=True)
class Formed:
    """A layer as a tree, and what was done to it."""

    plan: Plan
    """With the settings that it was made with."""
    tree: Tree
    results: tuple[PassResult, ...]
    patches: tuple[AppliedPatch, ...]
    data: tuple[LaidData, ...]
    ahead: Ahead | None = None
    """Its modules that are compiled already."""
    streams: Streams = field(default_factory=dict)
    """Its files that are compressed already, with the plan's compression."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """A layer with its zip."""

    formed: Formed
    packed: Archive
    fitted: Fitted | None
    """How its settings were chosen; ``None`` where there was nothing to choose."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Makes the layer of a plan in several ways, what they share once. Satisfies ``fit_search.Measure``."""

    plan: Plan
    built: Built
    data: Sequence[Fetched]
    interpreter: Interpreter | None
    search: Search
    workspace: Path
    """What lies in it must outlive the layer's tree."""
    on_likely: Callable[[Archive], None] = lambda _archive: None
    """Gets the zip of a layer that most often is the last, before it is known whether another one is tried."""
    assembled: dict[bool, Formed] = field(default_factory=dict)
    """By whether it is without the runtime's packages. Their modules are not compiled."""
    compiled: dict[frozenset[Way], Formed] = field(default_factory=dict)
    packed: dict[tuple[Way, ...], Archive] = field(default_factory=dict)
    """The last one alone: each is as large as the layer."""
    shares: dict[tuple[Way, ...], float] = field(default_factory=dict)
    """What ``won`` has said."""
    samples: dict[tuple[Way, ...], Future[float]] = field(default_factory=dict)
    """What it will say of layers that are about to be packed."""

    def unzipped(self, ways: tuple[Way, ...]) -> int:
        """Bytes of the layer's files."""
        if ways:
            long = ", which takes minutes" if Way.MAX in ways else ""
            self.search.progress.say(f"trying {' '.join(ways)}{long}")
        return self.formed(ways).tree.size

    def zipped(self, ways: tuple[Way, ...]) -> int:
        """Bytes of the layer's zip."""
        return self.archive(ways).zipped

    def won(self, ways: tuple[Way, ...]) -> float:
        """The share of the layer's zip that ``small`` wins over ``fast``, by a sample."""
        sample = self.samples.get(ways)
        self.shares[ways] = sample.result() if sample else archives.won(self.formed(ways).tree)
        return self.shares[ways]

    def formed(self, ways: tuple[Way, ...]) -> Formed:
        """The layer as a tree."""
        planned = fit_search.settled(self.plan, ways)
        key = frozenset(ways) & {Way.RUNTIME, Way.ONLY}
        if key not in self.compiled:
            base = self._assembled(planned, runtime=Way.RUNTIME in key)
            tree, results = self._optimized(base.tree, planned, MODULES, base.ahead)
            self.compiled[key] = replace(base, tree=tree, results=(*base.results, *results))
        return replace(self.compiled[key], plan=planned)

    def archive(self, ways: tuple[Way, ...]) -> Archive:
        """The layer's zip."""
        if ways not in self.packed:
            self.packed.clear()
            made = self.formed(ways)
            compression, epoch = made.plan.compression, made.plan.epoch
            if _is_likely_too_large(made.tree, self.plan.goal):
                self.samples[ways] = beside(archives.won, made.tree)
            streams = made.streams if compression is self.plan.compression else {}
            self.packed[ways] = archive(made.tree, compression, epoch, self.search.store, self.search.progress, streams)
            # What others read is put there once it is certain.
            if not self.search.store.shared and not (self.plan.goal and self.plan.goal.required):
                self.on_likely(self.packed[ways])
        return self.packed[ways]

    def _assembled(self, planned: Plan, *, runtime: bool) -> Formed:
        if runtime not in self.assembled:
            folder = self.workspace / "without" if runtime else self.workspace
            folder.mkdir(exist_ok=True)
            data = [one for one in self.data if one.data in planned.spec.data]
            tree = with_data(assemble(planned, self.built, folder, self.search), data)
            tree, changes, patches = patched(tree, planned.spec.patches, self.search.progress)
            tree, parts = without_parts(tree, planned.spec.variant, self.search.progress)
            tree = with_priming(tree, planned.spec, planned.target)
            ahead = self._begun(tree, planned)
            tree, results = self._optimized(tree, planned, CONTENTS)
            self.assembled[runtime] = Formed(
                plan=planned,
                tree=tree,
                results=(*changes, *parts, *results),
                patches=patches,
                data=laid(data),
                ahead=ahead,
                streams=archives.begun(tree, self.plan.compression, self.search.store),
            )
        return self.assembled[runtime]

    def _begun(self, tree: Tree, planned: Plan) -> Ahead | None:
        search = self.search
        return begun(tree, planned.spec, planned.target, self.interpreter, search.store, search.progress)

    def _optimized(
        self, tree: Tree, planned: Plan, passes: Passes, ahead: Ahead | None = None
    ) -> tuple[Tree, tuple[PassResult, ...]]:
        return optimize(tree, planned, self.interpreter, self.search.store, self.search.progress, passes, ahead)


def _is_likely_too_large(tree: Tree, goal: Goal | None) -> bool:
    """Whether it is about to be asked what ``small`` would win, by what files take that are packed."""
    if goal is None or goal.required or goal.fit.zipped is None or Way.SMALL not in goal.ways:
        return False
    return tree.size > USUAL_RATIO * goal.fit.zipped


def made(bench: Bench) -> Made:
    """The layer of a plan, with settings that have it fit where it has to.

    Raises ``VerificationError`` for a layer above Lambda's limit, or one that fits with no settings.
    """
    goal = bench.plan.goal
    fitted = _fitted(bench, goal) if goal else None
    ways = fitted.taken if fitted else ()
    formed = bench.formed(ways)
    if fitted and not fitted.fits and fitted.required:
        nearest = bench.formed(fitted.smallest.ways)
        zipped = None if fitted.smallest.zipped is None else bench.archive(fitted.smallest.ways).data
        raise misfit.refusal(fitted, nearest.plan, nearest.tree, zipped)
    check_limit(formed.tree, formed.plan)
    # Nothing was chosen where the first zip is a direct upload.
    chosen = fitted if fitted and (fitted.required or len(fitted.tries) > 1 or not fitted.fits) else None
    return Made(formed=formed, packed=bench.archive(ways), fitted=chosen)


def _fitted(bench: Bench, goal: Goal) -> Fitted | None:
    planned = bench.plan
    refused = ""
    if planned.without and Way.RUNTIME in goal.ways:
        refused = provided.refusal(bench.formed(()).tree, planned)
    found = fit_search.sought(goal, bench, refused)
    return replace(found, won=bench.shares.get(found.taken))
