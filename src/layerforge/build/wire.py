"""Work and errors as JSON, as they go from one machine to another, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from layerforge import __version__
from layerforge.build.errors import ClusterError, EngineError
from layerforge.build.plan import LibraryStep, PackageStep, Plan, PlanStep, SystemStep, WheelStep
from layerforge.build.work import Input, LackingError, LayerWork, StepWork, Work
from layerforge.core import guarded, runtimes
from layerforge.core.errors import LayerforgeError, StepError, StoreError, UsageError, VerificationError
from layerforge.core.findings import Finding
from layerforge.core.runtimes import Arch, Target
from layerforge.core.store.far import ConflictError
from layerforge.core.store.objects import FarReadOnlyError, FarStoreError
from layerforge.resolve.errors import LockError, RecipeError
from layerforge.resolve.fit import Goal
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import Compression, Source

SCHEMA = 2
"""Raised whenever the same JSON would mean something else."""

MOST_DETAILS = 60
"""Lines of evidence that are sent; the whole log lies in the store."""

LONGEST_DETAIL = 1000
"""Characters of such a line."""

ERRORS: Mapping[str, type[LayerforgeError]] = {
    kind.__name__: kind
    for kind in (
        ClusterError,
        ConflictError,
        EngineError,
        FarReadOnlyError,
        FarStoreError,
        LackingError,
        LockError,
        RecipeError,
        StepError,
        StoreError,
        UsageError,
        VerificationError,
    )
}
"""What a job may end in, by name."""


@dataclass(frozen=True, kw_only=True)
class _Where:
    """A target. Its runtime stands in every layerforge's own table."""

    python: str
    arch: Arch


@dataclass(frozen=True, kw_only=True)
class _Step:
    """A step of a plan: one of these."""

    wheel: WheelStep | None = None
    library: LibraryStep | None = None
    package: PackageStep | None = None
    system: SystemStep | None = None


@dataclass(frozen=True, kw_only=True)
class _Plan:
    spec: LayerSpec
    target: _Where
    compression: Compression
    interpreter: str
    steps: tuple[_Step, ...]
    epoch: int
    key: str
    goal: Goal | None = None
    without: _Plan | None = None


@dataclass(frozen=True, kw_only=True)
class _StepWork:
    step: _Step
    target: _Where
    epoch: int
    inputs: tuple[Input, ...]
    source: Source | None
    build_packages: tuple[str, ...]
    image: str
    base_image: str


@dataclass(frozen=True, kw_only=True)
class _LayerWork:
    plan: _Plan
    image: str
    base_image: str
    verify: bool
    made: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Letter:
    """What goes over the wire: one of the two."""

    schema: int
    layerforge: str
    step: _StepWork | None = None
    layer: _LayerWork | None = None


@dataclass(frozen=True, kw_only=True)
class _Error:
    """An error that goes over the wire."""

    kind: str
    message: str
    hint: str = ""
    details: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    keys: tuple[str, ...] = ()


def text_of(work: Work) -> str:
    """Work as JSON, the same for the same work."""
    match work:
        case StepWork():
            letter = _Letter(schema=SCHEMA, layerforge=__version__, step=_step_work(work))
        case LayerWork():
            letter = _Letter(schema=SCHEMA, layerforge=__version__, layer=_layer_work(work))
    return json.dumps(msgspec.to_builtins(letter))


def work_of(text: str) -> Work:
    """The work that a text tells. Raises ``UsageError`` where it is another layerforge's, or no work."""
    try:
        value = guarded.json_value(text)
        _refuse_others(value)
        letter = guarded.file_as(text, _Letter, SCHEMA)
        return _opened(letter)
    except guarded.Unreadable as error:
        raise UsageError(
            "the job that this machine got cannot be understood",
            hint="let the same layerforge run on all machines",
            details=(str(error),),
        ) from error


def _opened(letter: _Letter) -> Work:
    match letter.step, letter.layer:
        case _StepWork() as step, None:
            return _of_step(step)
        case None, _LayerWork() as layer:
            return _of_layer(layer)
    raise guarded.Unreadable("it is neither a step nor a layer")


def _refuse_others(value: Any) -> None:
    """Raises ``UsageError`` for work that another layerforge told."""
    schema = value.get("schema") if isinstance(value, dict) else None
    if type(schema) is int and schema > SCHEMA:
        raise UsageError(
            f"this machine's layerforge {__version__} is older than the one that hands out the jobs",
            hint="install the newer layerforge here too, and start the worker again",
            details=(f"the job's schema is {schema}, and this layerforge reads {SCHEMA}",),
        )
    other = value.get("layerforge") if isinstance(value, dict) else None
    if isinstance(other, str) and other != __version__ and value.get("layer") is not None:
        # Bytes of a layer may differ from version to version; what is compiled does not depend on it.
        raise UsageError(
            f"layers are made by one layerforge: the job is of {other}, and this machine has {__version__}",
            hint=f"install layerforge {other} here, and start the worker again",
        )


def told(error: LayerforgeError) -> str:
    """An error as JSON. One of a class that no job ends in becomes one of the nearest class that it is of."""
    kind = next((one.__name__ for one in type(error).__mro__ if ERRORS.get(one.__name__) is one), StepError.__name__)
    letter = _Error(
        kind=kind,
        message=error.message,
        hint=error.hint,
        details=tuple(line[:LONGEST_DETAIL] for line in error.details[-MOST_DETAILS:]),
        findings=error.findings if isinstance(error, VerificationError) else (),
        keys=error.keys if isinstance(error, LackingError) else (),
    )
    return json.dumps(msgspec.to_builtins(letter))


def error_of(text: str) -> LayerforgeError:
    """The error that a text tells. What cannot be understood is a ``StepError`` that says so."""
    try:
        letter = guarded.json_as(text, _Error)
        kind = ERRORS.get(letter.kind, StepError)
    except guarded.Unreadable as error:
        return StepError(
            "a job failed, and what the machine says of that cannot be understood",
            hint="let the same layerforge run on all machines",
            details=(str(error),),
        )
    if kind is VerificationError:
        return VerificationError(letter.message, hint=letter.hint, details=letter.details, findings=letter.findings)
    if kind is LackingError:
        return LackingError(letter.message, hint=letter.hint, details=letter.details, keys=letter.keys)
    return kind(letter.message, hint=letter.hint, details=letter.details)


def _where(target: Target) -> _Where:
    return _Where(python=target.python, arch=target.arch)


def _target(where: _Where) -> Target:
    return runtimes.target(where.python, str(where.arch))


def _tagged(step: PlanStep) -> _Step:
    match step:
        case WheelStep():
            return _Step(wheel=step)
        case LibraryStep():
            return _Step(library=step)
        case PackageStep():
            return _Step(package=step)
        case SystemStep():
            return _Step(system=step)


def _untagged(step: _Step) -> PlanStep:
    found = [one for one in (step.wheel, step.library, step.package, step.system) if one is not None]
    if len(found) != 1:
        raise guarded.Unreadable(f"a step of it is {len(found)} steps")
    return found[0]


def _step_work(work: StepWork) -> _StepWork:
    return _StepWork(
        step=_tagged(work.step),
        target=_where(work.target),
        epoch=work.epoch,
        inputs=work.inputs,
        source=work.source,
        build_packages=work.build_packages,
        image=work.image,
        base_image=work.base_image,
    )


def _of_step(work: _StepWork) -> StepWork:
    step = _untagged(work.step)
    if isinstance(step, WheelStep):
        raise guarded.Unreadable("a wheel is nothing to carry out")
    return StepWork(
        step=step,
        target=_target(work.target),
        epoch=work.epoch,
        inputs=work.inputs,
        source=work.source,
        build_packages=work.build_packages,
        image=work.image,
        base_image=work.base_image,
    )


def _layer_work(work: LayerWork) -> _LayerWork:
    return _LayerWork(
        plan=_told_plan(work.plan),
        image=work.image,
        base_image=work.base_image,
        verify=work.verify,
        made=work.made,
    )


def _told_plan(plan: Plan) -> _Plan:
    return _Plan(
        spec=plan.spec,
        target=_where(plan.target),
        compression=plan.compression,
        interpreter=plan.interpreter,
        steps=tuple(map(_tagged, plan.steps)),
        epoch=plan.epoch,
        key=plan.key,
        goal=plan.goal,
        without=_told_plan(plan.without) if plan.without else None,
    )


def _of_layer(work: _LayerWork) -> LayerWork:
    return LayerWork(
        plan=_plan(work.plan), image=work.image, base_image=work.base_image, verify=work.verify, made=work.made
    )


def _plan(plan: _Plan) -> Plan:
    return Plan(
        spec=plan.spec,
        target=_target(plan.target),
        compression=plan.compression,
        interpreter=plan.interpreter,
        steps=tuple(map(_untagged, plan.steps)),
        epoch=plan.epoch,
        key=plan.key,
        goal=plan.goal,
        without=_plan(plan.without) if plan.without else None,
    )
