"""The graph that the bundled recipes give, copied until it is as large as that of a few hundred recipes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from layerforge.build import plan
from layerforge.build.engine import Image
from layerforge.build.graph import Demand, Job, in_order, longest_ways
from layerforge.build.plan import LibraryStep, PackageStep, SourceStep, SystemStep, Toolchain
from layerforge.core import digest, runtimes
from layerforge.core.runtimes import Arch, Target
from layerforge.resolve import lock, recipe_file
from layerforge.resolve.catalogue import catalogue
from layerforge.resolve.compose import compose
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import Recipe

LAYERS = 1600
"""Of how many layers the whole graph is, at least."""
_IMAGE = Image(reference="simulated", digest="sha256:" + "0" * 64, arch=Arch.X86_64)
_SYSTEM_MINUTES = 0.1
"""How long taking libraries out of an image takes."""
_LAYER_MINUTES = 0.5
"""How long making and verifying a layer takes, more or less."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A step or a layer of the real graph."""

    key: str
    title: str
    needs: tuple[str, ...]
    minutes: float
    layer: bool = False


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Jobs that sleep, and what they are made of."""

    jobs: tuple[Job, ...]
    layers: int

    @property
    def work(self) -> float:
        """Seconds of all jobs together."""
        return sum(job.seconds for job in self.jobs)

    @property
    def longest(self) -> float:
        """Seconds of the longest way through it, which no number of workers shortens."""
        return max(longest_ways(self.jobs).values())

    def ideal(self, workers: int) -> float:
        """The fewest seconds that so many workers, each with one job at a time, could take."""
        return max(self.work / workers, self.longest)


def _targets(recipe: Recipe) -> Iterator[Target]:
    found = lock.parse((recipe.folder / recipe_file.LOCK).read_text("utf-8"), recipe.name)
    for python in runtimes.runtimes():
        if not lock.older(python, found.oldest_python):
            yield from (runtimes.target(python, str(arch)) for arch in Arch)


def _minutes(step: SourceStep) -> float:
    match step:
        case LibraryStep():
            return step.library.minutes
        case PackageStep():
            return step.package.minutes
        case SystemStep():
            return _SYSTEM_MINUTES


def _of_layer(recipe: Recipe, target: Target) -> Iterator[Row]:
    """The source steps of a layer, and the layer itself, as a build that compiles plans them."""
    assert recipe.layer is not None, "those alone are asked for"
    asked = LayerSpec(name=recipe.name, requires=recipe.layer.requires, folder=recipe.folder)
    pins = lock.applicable(lock.parse((recipe.folder / recipe_file.LOCK).read_text("utf-8"), recipe.name), target)
    spec = compose(asked, pins, catalogue(), target, compiling=True, image=True).spec
    image = replace(_IMAGE, arch=target.arch)
    steps = plan.source_steps(spec, target, pins, 0, Toolchain(image=image, build_pins={}))
    keys = {plan.name_of(step): step.key for step in steps}
    for step in steps:
        name = plan.name_of(step)
        needs = tuple(keys[need] for need in plan.needs_of(step))
        yield Row(key=step.key, title=f"{name} {target.label}", needs=needs, minutes=_minutes(step))
    key = digest.of_json(["layer", recipe.name, target.label])
    title = f"{recipe.name}-{target.label}"
    yield Row(key=key, title=title, needs=tuple(keys.values()), minutes=_LAYER_MINUTES, layer=True)


@cache
def rows() -> tuple[Row, ...]:
    """The real graph of the bundled recipes, for each Python and processor that their locks are for; each step once."""
    layers = [recipe for recipe in catalogue().all() if recipe.layer]
    found: dict[str, Row] = {}
    for recipe in layers:
        for target in _targets(recipe):
            found |= {row.key: row for row in _of_layer(recipe, target)}
    return tuple(found.values())


def _first(layers: int) -> tuple[Row, ...]:
    """The rows of the first so many layers, which come after all that they need."""
    found, at = rows(), 0
    while at < len(found) and sum(row.layer for row in found[:at]) < layers:
        at += 1
    return found[:at]


def graph(work: float, layers: int = LAYERS, salt: str = "") -> Graph:
    """Copies of the real graph with at least so many layers, whose jobs take ``work`` seconds together.

    ``salt`` sets apart the keys of one run from those of another.
    """
    once = _first(layers)
    copies = -(-layers // sum(row.layer for row in once))
    scale = work / (copies * sum(row.minutes for row in once))
    jobs = [_job(row, copy, salt, row.minutes * scale) for copy in range(copies) for row in once]
    return Graph(jobs=tuple(jobs), layers=copies * sum(row.layer for row in once))


def _job(row: Row, copy: int, salt: str, seconds: float) -> Job:
    def own(key: str) -> str:
        return digest.of_json([key, copy, salt])

    needs = tuple(own(need) for need in row.needs)
    return Job(
        key=own(row.key),
        title=f"{row.title} ({copy})",
        needs=needs,
        # Steps for arm64 too: nothing of them runs here.
        demand=Demand(arch=Arch.X86_64),
        seconds=seconds,
        task=json.dumps({"seconds": seconds, "needs": needs}),
    )


def expected(jobs: Sequence[Job]) -> Mapping[str, bytes]:
    """By key, what the value of each job has to be."""
    values: dict[str, bytes] = {}
    for job in in_order(jobs):
        values[job.key] = value(job.key, [values[need] for need in job.needs])
    return values


def value(key: str, inputs: Sequence[bytes]) -> bytes:
    """What a job makes: a function of its key and of the contents of all that it needs."""
    own = digest.of_json([key, [digest.sha256(one) for one in inputs]]).encode()
    return own * 32
