"""A package's own tests as proof of a layer: what fails on the layer and passes on the index's wheels is a finding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from packaging.utils import canonicalize_name

from layerforge.build.engine import Builder
from layerforge.core.errors import StepError, UsageError
from layerforge.core.progress import Progress
from layerforge.core.store.disk import DiskStore
from layerforge.core.text import counted
from layerforge.examine.examination import Examination
from layerforge.layer.distributions import Distribution
from layerforge.measure.suite.compare import Proof, compare, excuses, unused, without
from layerforge.measure.suite.prepare import PreparedSuite, SuiteRequest, prepare
from layerforge.measure.suite.pytest_run import End, SuiteRun, TestEnvironment, counts, dump, load, run_alone, run_suite

MOST_ALONE = 300
"""Tests that are run once more alone, at most."""


def find_package(examination: Examination, name: str) -> Distribution:
    """The distribution of a layer that ``name`` means. Raises ``UsageError`` that names those it holds."""
    wanted = canonicalize_name(name)
    held = {one.name: one for one in examination.distributions}
    if wanted not in held:
        raise UsageError(
            f"{examination.path} does not hold {name}",
            hint=f"it holds {', '.join(sorted(held))}" if held else "no package in it has a .dist-info folder",
        )
    return held[wanted]


def prove(order: SuiteRequest, builder: Builder, store: DiskStore, progress: Progress) -> Proof:
    """Runs the tests of a package on the index's wheels and on the layer, and compares.

    Raises ``StepError`` where they do not even run on the wheels, ``LockError`` where sources or wheels cannot be had.
    """
    with store.workspace() as workspace:
        ready = prepare(order, builder, store, progress, workspace)
        wheels = _on_wheels(ready, store, progress)
        name = f"{ready.name}-layer-{ready.key[:12]}"
        with progress.step("layer") as step:
            layer = run_suite(
                on_layer(order, ready), name, ready.layer, ready.arguments, workspace / "layer-work", step
            )
            step.note(_summary(layer))
        return _judge(order, ready, layer, wheels, progress)


def on_layer(order: SuiteRequest, ready: PreparedSuite) -> TestEnvironment:
    """The environment of the layer's side: with the function's variables."""
    return replace(ready.room, settings={**order.env, **ready.room.settings})


def _on_wheels(ready: PreparedSuite, store: DiskStore, progress: Progress) -> SuiteRun:
    """The run on the index's wheels, from the store where the same was run before."""
    with progress.step("wheels") as step:
        if (kept := store.get("suite", ready.key)) and (run := load(kept)):
            step.note(f"{_summary(run)} (run before)")
            return run
        run = run_suite(
            ready.room,
            f"{ready.name}-wheels-{ready.key[:12]}",
            ready.wheels,
            ready.arguments,
            ready.workspace / "wheels-work",
            step,
        )
        if not any("::" in name for name in run.tests):
            raise _nothing_ran(ready, run)
        if not run.ending:
            store.put("suite", ready.key, dump(run))
        step.note(_summary(run))
    if run.ending:
        progress.warn(f"of the index's wheels, {run.ending}; what was not run there is not held against the layer")
    return run


def _nothing_ran(ready: PreparedSuite, run: SuiteRun) -> StepError | UsageError:
    if not run.ending:
        return UsageError(f"no test of {ready.name} is chosen", hint="`--select` takes paths, and words as `pytest -k`")
    return StepError(
        f"the tests of {ready.name} do not run on the index's wheels: {run.ending}",
        hint=f"the whole log: {ready.room.logs / f'{ready.name}-wheels-{ready.key[:12]}.log'}",
        details=tuple(line for line in run.log.splitlines()[-25:] if line.strip()),
    )


def _summary(run: SuiteRun) -> str:
    found = counts(run.tests.values())
    text = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(found.items(), key=lambda row: -row[1]))
    return f"{text}; {run.ending}" if run.ending else text or "no tests"


def _judge(order: SuiteRequest, ready: PreparedSuite, layer: SuiteRun, wheels: SuiteRun, progress: Progress) -> Proof:
    compared = compare(layer, wheels)
    blamed = (*compared.worse, *compared.gone)
    excused = excuses((*blamed, *compared.skipped), order.excused)
    compared = without(compared, excused)
    alone = _alone(on_layer(order, ready), ready, compared.worse, progress)
    flaky = tuple(name for name in compared.worse if name in alone.tests and not alone.tests[name].failing)
    spent = {"wheels": wheels.seconds, "layer": layer.seconds, "alone": alone.seconds}
    return Proof(
        package=order.package.name,
        version=order.package.version,
        image=ready.room.builder.image,
        selection=order.selection,
        layer=layer,
        wheels=wheels,
        compared=without(compared, flaky),
        excused=excused,
        unused=() if order.selection else unused(excused, order.excused, {*layer.tests, *wheels.tests}),
        flaky=flaky,
        alone=alone.tests,
        seconds=spent,
    )


def _alone(room: TestEnvironment, ready: PreparedSuite, names: Sequence[str], progress: Progress) -> SuiteRun:
    """Runs tests that failed on the layer once more, each alone."""
    chosen = [name for name in names if "::" in name][:MOST_ALONE]
    if len(chosen) == MOST_ALONE:
        progress.warn(f"only the first {MOST_ALONE} tests that failed are run once more")
    if not chosen:
        return SuiteRun(tests=dict[str, End](), seconds=0.0, total=0)
    with progress.step("alone") as step:
        name = f"{ready.name}-alone-{ready.key[:12]}"
        run = run_alone(room, name, ready.layer, chosen, ready.workspace / "alone-work", step)
        step.note(f"{counted(len(chosen), 'test')} once more: {_summary(run)}")
    return run
