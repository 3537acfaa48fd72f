"""A package's own tests as proof of a layer: what fails on the layer and passes on the index's wheels is a finding."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.utils import canonicalize_name

from layerforge import digest, lock, resolve, sources, uvtool
from layerforge.errors import LockError, StepError, UsageError
from layerforge.examine import unpack
from layerforge.examine.metadata import recorded as listed
from layerforge.model import Builder, Distribution, Examination, Pin, Progress, Target
from layerforge.progress import counted
from layerforge.store import DiskStore, writing
from layerforge.suite import facts, trees
from layerforge.suite.comparing import Proof, compare, data, excuses, unused, without
from layerforge.suite.running import (
    INI,
    OPT,
    OPTIONS,
    End,
    Room,
    Run,
    counts,
    dump,
    environment,
    load,
    make_driver,
    plugin,
    run_alone,
    run_suite,
)
from layerforge.suite.trees import Tests

__all__ = ["Order", "Proof", "data", "find_package", "prove"]

SCHEMA = 1
"""Of what the store keeps of runs."""
MOST_ALONE = 300
"""Tests that are run once more alone, at most."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to prove, and how."""

    examination: Examination
    target: Target
    package: Distribution
    excused: Mapping[str, str]
    """Reason by glob of a test's id."""
    selection: tuple[str, ...]
    """Folders, files or ids of tests below the folder that packages lie in, or expressions as ``pytest -k`` takes."""
    jobs: int
    seconds: float
    """How long each side may take."""


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


def prove(order: Order, builder: Builder, store: DiskStore, progress: Progress) -> Proof:
    """Runs the tests of a package on the index's wheels and on the layer, and compares.

    Raises ``StepError`` where they do not even run on the wheels, ``LockError`` where sources or wheels cannot be had.
    """
    with store.workspace() as workspace:
        ready = _prepare(order, builder, store, progress, workspace)
        wheels = _on_wheels(ready, store, progress)
        name = f"{ready.name}-layer-{ready.key[:12]}"
        with progress.step("layer") as step:
            layer = run_suite(ready.room, name, ready.layer, ready.arguments, workspace / "layer-work", step)
            step.note(_summary(layer))
        return _judge(order, ready, layer, wheels, progress)


# --- getting ready


@dataclass(frozen=True, kw_only=True)
class Ready:
    """Everything that both runs need."""

    room: Room
    layer: Path
    wheels: Path
    arguments: tuple[str, ...]
    """What to collect."""
    workspace: Path
    name: str
    key: str
    """Digest of all that decides how the suite ends on the wheels."""


def _prepare(order: Order, builder: Builder, store: DiskStore, progress: Progress, workspace: Path) -> Ready:
    package, target, held = order.package, order.target, order.examination.distributions
    site = package.info.rpartition("/")[0]
    layer, wheels, env = (workspace / name for name in ("layer", "wheels", "env"))
    locked = beside(order.examination.path, target)
    pins = wheel_pins(held, locked, target)
    known = next(pin for pin in pins if pin.name == package.name)
    sdist = uvtool.find_sdist(replace(known, hashes=locked.get(package.name, known).hashes), target)
    with writing(store.root):
        (workspace / "sdist").mkdir()
        source = sources.unpack(sources.fetch(sdist, store, (), progress), package.name, workspace / "sdist")
        unpack(order.examination.path, layer)
    with progress.step("install") as step:
        uvtool.install(lock.render(pins), target, wheels / site, lambda _line: None)
        step.note(f"{counted(len(pins), 'wheel')} of the index, to compare with")
    needed = facts.tools(package, facts.metadata_of(wheels / site, package), held, target, progress)
    facts.install(needed, held, target, env)
    tests = _add_tests(order, source, layer, wheels, site, progress)
    room = _room(order, builder, tests, site, env, make_driver(workspace / "driver"), store.place("logs"))
    arguments = _arguments(order.selection, tests, wheels / room.root, room.root)
    hashes = [sdist.sha256, *(pin.hashes for pin in (*pins, *needed))]
    run = [SCHEMA, builder.image.digest, target.label, plugin(), INI, OPTIONS, environment(room)]
    key = digest.of([package.name, hashes, run, arguments, sorted(tests.files)])
    return Ready(
        room=room, layer=layer, wheels=wheels, arguments=arguments, workspace=workspace, name=package.name, key=key
    )


def _room(order: Order, builder: Builder, tests: Tests, site: str, env: Path, driver: Path, logs: Path) -> Room:
    known = facts.FACTS.get(order.package.name)
    return Room(
        builder=builder,
        python=order.target.python,
        site=site,
        root=trees.BESIDE if tests.beside else site,
        env=env,
        settings=known.env if known else {},
        driver=driver,
        jobs=order.jobs,
        seconds=order.seconds,
        logs=logs,
    )


def beside(zip_file: Path, target: Target) -> dict[str, Pin]:
    """The pins of the lock beside a zip, by name; none where there is no lock."""
    file = zip_file.with_suffix(".lock")
    if not file.is_file():
        return {}
    text = resolve.read(file, "build the layer anew, or remove that file: then the index alone says what is compared")
    return {pin.name: pin for pin in lock.applicable(lock.parse(text, file.name), target)}


def wheel_pins(held: Iterable[Distribution], locked: Mapping[str, Pin], target: Target) -> tuple[Pin, ...]:
    """The index's wheels of the versions that a layer holds; of the hashes that are locked, where any are.

    Raises ``LockError`` where the index has none of them, or others than those that are locked.
    """
    text = uvtool.compile_lock(uvtool.Asked(source="\n".join(f"{one.name}=={one.version}" for one in held)), target)
    return tuple(_within(pin, locked.get(pin.name)) for pin in lock.parse(text, "the layer's packages").pins)


def _within(pin: Pin, locked: Pin | None) -> Pin:
    """A pin with those of its hashes that the lock allows."""
    if locked is None or locked.version != pin.version:
        return pin
    hashes = tuple(one for one in pin.hashes if one in locked.hashes)
    if not hashes:
        raise LockError(
            f"the index has other files of {pin.name} {pin.version} than the lock beside the layer",
            hint="find out why they changed",
        )
    return replace(pin, hashes=hashes)


def _add_tests(order: Order, source: Path, layer: Path, wheels: Path, site: str, progress: Progress) -> Tests:
    """Puts the tests into both trees; into the layer's also what they alone use."""
    name = order.package.name
    info = order.package.info.rpartition("/")[2]
    files = facts.recorded(wheels / site, name) or [path.removeprefix(f"{site}/") for path in listed(order.package)]
    own = [path for path in files if not path.startswith(info)]
    tests = trees.tests_of(source, wheels / site, own, name)
    more = {} if tests.beside else trees.helpers(tests, wheels / site, own, layer / site)
    place = trees.BESIDE if tests.beside else site
    trees.add(tests.files, wheels / place)
    added = trees.add(tests.files, layer / place)
    trees.add(more, layer / site)
    progress.say(f"{counted(added, 'file')} of tests added to the layer, and {counted(len(more), 'module')} for them")
    for path in more:
        progress.say(f"  from the wheel: {path}")
    return tests


def _arguments(selection: Sequence[str], tests: Tests, tree: Path, root: str) -> tuple[str, ...]:
    """What pytest is told to collect. Raises ``UsageError`` for a path that is not there."""
    paths = [one for one in selection if "/" in one or "::" in one or (one and (tree / one).exists())]
    for path in paths:
        file = path.partition("::")[0]
        if not file or file.startswith("/") or ".." in file.split("/") or not (tree / file).exists():
            raise UsageError(
                f"there is no {file or path} among the tests",
                hint=f"paths are below {', '.join(tests.roots)}, such as {tests.roots[0]}/tests",
            )
    words = [f"({_expression(one)})" for one in selection if one not in paths]
    expression = ("-k", " and ".join(words)) if words else ()
    return (*expression, *(f"{OPT}/{root}/{path}" for path in paths or tests.roots))


def _expression(text: str) -> str:
    """The text itself. Raises ``UsageError`` where it is no expression, which pytest would find out in every worker."""
    words = re.sub(r"[^\s()]+", lambda word: word[0] if word[0] in {"and", "or", "not"} else "x", text)
    try:
        # With `~`, a word right before a parenthesis is no call, but as wrong as it is to pytest.
        ast.parse(words.strip().replace("(", "~("), mode="eval")
    except SyntaxError as error:
        raise UsageError(
            f"{text!r} is neither a path among the tests nor an expression",
            hint="expressions are words with and, or, not and parentheses, as `pytest -k` takes them",
        ) from error
    return text


# --- running


def _on_wheels(ready: Ready, store: DiskStore, progress: Progress) -> Run:
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


def _nothing_ran(ready: Ready, run: Run) -> StepError | UsageError:
    if not run.ending:
        return UsageError(f"no test of {ready.name} is chosen", hint="`--select` takes paths, and words as `pytest -k`")
    return StepError(
        f"the tests of {ready.name} do not run on the index's wheels: {run.ending}",
        hint=f"the whole log: {ready.room.logs / f'{ready.name}-wheels-{ready.key[:12]}.log'}",
        details=tuple(line for line in run.log.splitlines()[-25:] if line.strip()),
    )


def _summary(run: Run) -> str:
    found = counts(run.tests.values())
    text = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(found.items(), key=lambda row: -row[1]))
    return f"{text}; {run.ending}" if run.ending else text or "no tests"


def _judge(order: Order, ready: Ready, layer: Run, wheels: Run, progress: Progress) -> Proof:
    compared = compare(layer, wheels)
    blamed = (*compared.worse, *compared.gone)
    excused = excuses((*blamed, *compared.skipped), order.excused)
    compared = without(compared, excused)
    alone = _alone(ready, compared.worse, progress)
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


def _alone(ready: Ready, names: Sequence[str], progress: Progress) -> Run:
    """Runs tests that failed on the layer once more, each alone."""
    chosen = [name for name in names if "::" in name][:MOST_ALONE]
    if len(chosen) == MOST_ALONE:
        progress.warn(f"only the first {MOST_ALONE} tests that failed are run once more")
    if not chosen:
        return Run(tests=dict[str, End](), seconds=0.0, total=0)
    with progress.step("alone") as step:
        name = f"{ready.name}-alone-{ready.key[:12]}"
        run = run_alone(ready.room, name, ready.layer, chosen, ready.workspace / "alone-work", step)
        step.note(f"{counted(len(chosen), 'test')} once more: {_summary(run)}")
    return run
