"""What one job has to do, told so that any machine can do it with nothing but the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from layerforge.build.plan import LibraryStep, PackageStep, Plan, PlanStep, SourceStep, name_of, needs_of
from layerforge.core.errors import StepError
from layerforge.core.runtimes import Target
from layerforge.resolve.recipe import Source


@dataclass(frozen=True, kw_only=True)
class Input:
    """The result of another step, as a step takes it from the store."""

    name: str
    key: str
    library: bool
    """Whether it stands where compilers look; a package is installed into the build environment."""


@dataclass(frozen=True, kw_only=True)
class StepWork:
    """A source step by itself."""

    step: SourceStep
    target: Target
    epoch: int
    """Date that compilers are told, in unix seconds."""
    inputs: tuple[Input, ...]
    """Libraries that it needs, those included that its needs need, in the order in which compilers look; then the
    packages that it needs itself."""
    source: Source | None
    """What it is made from, which the store has; ``None`` where that is the image itself."""
    build_packages: tuple[str, ...]
    """Packages of the image's own system that it needs beside what the image has."""
    image: str
    """Identity of the image that it runs in, those packages included."""
    base_image: str = ""
    """Identity of the image that a machine has to have for that: the same without those packages."""

    @property
    def key(self) -> str:
        """Of its job, and of its result in the store."""
        return self.step.key


@dataclass(frozen=True, kw_only=True)
class LayerWork:
    """A layer to make of what its steps made, and to verify."""

    plan: Plan
    """Without what only the machine that planned it has: indexes with their passwords, and folders of recipes."""
    image: str
    """Identity of the image that its steps ran in; empty where nothing is compiled."""
    verify: bool
    base_image: str = ""
    """Identity of the image that it is run in, without what its steps needed beside; empty where the host does that."""
    made: tuple[str, ...] = ()
    """Keys of the steps that were made for it in the same call."""

    @property
    def key(self) -> str:
        """Of its job."""
        return layer_key(self.plan)


Work = StepWork | LayerWork
S = TypeVar("S", bound=PlanStep)


class LackingError(StepError):
    """The store has not, or no longer, what a job takes from it. ``keys`` are those of the steps that made it."""

    def __init__(
        self, message: str, *, hint: str = "", details: tuple[str, ...] = (), keys: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, hint=hint, details=details)
        self.keys = keys


def layer_key(plan: Plan) -> str:
    """The key of the job that makes the layer of a plan."""
    return f"layer-{plan.key}"


def work_of(plan: Plan, step: SourceStep, source: Source | None, image: str, base_image: str = "") -> StepWork:
    """A step of a plan by itself. ``image``: identity of what it runs in, which is made on ``base_image``."""
    return StepWork(
        step=_without_folders(step),
        target=plan.target,
        epoch=plan.epoch,
        inputs=tuple(inputs_of(plan, step)),
        source=source,
        build_packages=plan.spec.build_packages,
        image=image,
        base_image=base_image or image,
    )


def layer_work_of(
    plan: Plan, image: str, base_image: str = "", *, verify: bool, made: tuple[str, ...] = ()
) -> LayerWork:
    """The layer of a plan as work. ``image``: identity of what its steps run in, which is made on ``base_image``."""
    return LayerWork(
        plan=_bare(plan),
        image=image if sources_of(plan) else "",
        verify=verify,
        base_image=base_image or image,
        made=made,
    )


def _bare(plan: Plan) -> Plan:
    """A plan without what only the machine that made it has."""
    packages = tuple(replace(part, build_lock=None) for part in plan.spec.packages)
    return replace(
        plan,
        indexes=(),
        spec=replace(plan.spec, folder=None, packages=packages),
        steps=tuple(_without_folders(step) for step in plan.steps),
        without=_bare(plan.without) if plan.without else None,
    )


def _without_folders(step: S) -> S:
    """A step without the place of its package's lock, which has been read."""
    return replace(step, package=replace(step.package, build_lock=None)) if isinstance(step, PackageStep) else step


def sources_of(plan: Plan) -> dict[str, SourceStep]:
    """The source steps of a plan by name, in an order in which each finds what it needs."""
    return {name_of(step): step for step in plan.steps if isinstance(step, SourceStep)}


def inputs_of(plan: Plan, step: SourceStep) -> Iterator[Input]:
    """What a step of a plan takes from the store."""
    steps = sources_of(plan)
    for name in dict.fromkeys(_prefixes(step, steps)):
        yield Input(name=name, key=steps[name].key, library=True)
    for name in dict.fromkeys(needs_of(step)):
        if not isinstance(steps[name], LibraryStep):
            yield Input(name=name, key=steps[name].key, library=False)


def _prefixes(step: SourceStep, steps: Mapping[str, SourceStep]) -> Iterator[str]:
    """Libraries that a step needs, those included that its needs need; one may come twice."""
    for need in needs_of(step):
        yield from (name for name in _prefixes(steps[need], steps) if name != need)
        if isinstance(steps[need], LibraryStep):
            yield need
