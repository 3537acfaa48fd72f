"""What plans will cost before any of it is spent: what is compiled, for how long, and what the store has already."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from layerforge.build import durations
from layerforge.build.durations import Compiled, Expected
from layerforge.build.plan import BUILT, LibraryStep, Plan, name_of
from layerforge.core.store.disk import DiskStore


class At(StrEnum):
    """Where the result of a step is."""

    NEAR = "near"
    """In the store of this machine."""
    FAR = "far"
    """In the store that the team shares."""
    MAKE = "make"
    """Nowhere: it is to be made."""


@dataclass(frozen=True, kw_only=True)
class StepCost:
    """What a library or package costs."""

    step: Compiled
    at: At
    """Where its result is."""
    expected: Expected | None
    """How long compiling it takes; ``None`` where nobody knows."""
    label: str = ""
    """The target, ``py313-arm64``, where what is made is for several."""

    @property
    def kept(self) -> bool:
        """Whether a store has it."""
        return self.at is not At.MAKE

    @property
    def name(self) -> str:
        """Name and version, and what it is for where that could be another target too."""
        name = f"{name_of(self.step)} {durations.version_of(self.step)}"
        return f"{name} for {self.label}" if self.label else name


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a run costs. What several of its layers share counts once."""

    steps: tuple[StepCost, ...]
    times: int = 1
    """How often all of it is made."""

    @property
    def compiled(self) -> tuple[StepCost, ...]:
        """What will be compiled."""
        return tuple(one for one in self.steps if not one.kept)

    @property
    def kept(self) -> tuple[StepCost, ...]:
        """What comes from the store."""
        return tuple(one for one in self.steps if one.kept)

    @property
    def unknown(self) -> tuple[StepCost, ...]:
        """What will be compiled, nobody knows for how long."""
        return tuple(one for one in self.compiled if one.expected is None)

    @property
    def seconds(self) -> float:
        """How long all that will take, without what is unknown.

        Each step uses every processor, so steps that run at the same time take as long as one after another would.
        """
        return self.times * sum(one.expected.duration.share for one in self.compiled if one.expected)


def cost(plans: Iterable[Plan], store: DiskStore, *, twice: bool = False) -> Cost:
    """The cost of plans whose layers are not in the store. Reads no result, however large.

    ``twice``: all is made two times, whatever the store has.
    """
    plans = list(plans)
    several = len({plan.target.label for plan in plans}) > 1
    steps = {
        step.key: StepCost(
            step=step,
            at=At.MAKE if twice else _at(store, step.key),
            expected=durations.expected(step, plan.target.arch, store),
            label=plan.target.label if several else "",
        )
        for plan in plans
        for step in plan.steps
        if isinstance(step, Compiled)
    }
    return Cost(steps=tuple(steps.values()), times=2 if twice else 1)


def _at(store: DiskStore, key: str) -> At:
    if store.lies_near(BUILT, key):
        return At.NEAR
    return At.FAR if store.holds(BUILT, key) else At.MAKE


def as_json(found: Cost) -> dict[str, Any]:
    """The cost as data for JSON."""
    return {
        "seconds": round(found.seconds, 1),
        "unknown": [name_of(one.step) for one in found.unknown],
        "steps": [_step_json(one) for one in found.steps],
    }


def _step_json(one: StepCost) -> dict[str, Any]:
    return {
        "step": "library" if isinstance(one.step, LibraryStep) else "compile",
        "name": name_of(one.step),
        "version": durations.version_of(one.step),
        "key": one.step.key,
        "in_store": one.kept,
        "at": str(one.at),
        "seconds": round(one.expected.duration.seconds, 1) if one.expected else None,
        "basis": str(one.expected.basis) if one.expected else None,
    }
