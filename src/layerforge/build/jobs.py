"""The source steps of plans as jobs: those whose results the store lacks, each once."""

from __future__ import annotations

from collections.abc import Collection

from layerforge.build import durations, wire
from layerforge.build.durations import Compiled
from layerforge.build.engine import Image
from layerforge.build.graph import Demand, Job
from layerforge.build.plan import BUILT, LibraryStep, PackageStep, Plan, SourceStep, SystemStep, name_of, needs_of
from layerforge.build.work import inputs_of, sources_of, work_of
from layerforge.core.store.protocol import Store
from layerforge.resolve import sdists, sources
from layerforge.resolve.recipe import Source
from layerforge.resolve.sources import Search

MEMORY = 3 * 2**30
"""Bytes that a step is expected to take. It may take more, up to its container's limit, where they are free."""

_COPIED = 5.0
"""Seconds that taking libraries out of an image is expected to take, with the container's start."""


def lacking(plan: Plan, store: Store, again: Collection[str] = ()) -> dict[str, SourceStep]:
    """The source steps of a plan by key whose results the store has not, or that are among the keys ``again``."""
    found = {step.key: step for step in sources_of(plan).values()}
    return {key: step for key, step in found.items() if key in again or not store.holds(BUILT, key)}


def step_job(plan: Plan, step: SourceStep, image: Image | None, wanted: Collection[str], search: Search) -> Job:
    """A source step of a plan as a job that waits for those of the keys ``wanted`` that it needs.

    What it is made from is downloaded, and kept where every machine finds it. ``image``: what it runs in.
    Raises ``LockError`` where its source cannot be had.
    """
    identity, base = identities(image)
    steps = sources_of(plan)
    needs = dict.fromkeys([*(one.key for one in inputs_of(plan, step)), *(steps[name].key for name in needs_of(step))])
    return Job(
        key=step.key,
        title=title_of(step),
        needs=tuple(key for key in needs if key in wanted),
        demand=Demand(arch=plan.target.arch, image=base, memory=MEMORY),
        seconds=_seconds(plan, step, search.store),
        task=wire.text_of(work_of(plan, step, _source(plan, step, search), identity, base)),
    )


def identities(image: Image | None) -> tuple[str, str]:
    """Of an image, and of the one that it was made on; empty where there is none."""
    return (image.identity, image.base or image.identity) if image else ("", "")


def title_of(step: SourceStep) -> str:
    """``openblas 0.3.30``."""
    return f"{name_of(step)} {durations.version_of(step)}" if isinstance(step, Compiled) else name_of(step)


def _seconds(plan: Plan, step: SourceStep, store: Store) -> float:
    if not isinstance(step, Compiled):
        return _COPIED
    expected = durations.expected(step, plan.target.arch, store)
    return expected.duration.seconds if expected else 0.0


def _source(plan: Plan, step: SourceStep, search: Search) -> Source | None:
    """What a step is made from, once the store has it; ``None`` where that is the image itself."""
    match step:
        case LibraryStep():
            source = step.library.source
        case PackageStep():
            source = sdists.find(step.pin, plan.target, search, plan.indexes)
        case SystemStep():
            return None
    sources.keep(source, search)
    return source
