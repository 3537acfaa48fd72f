"""Does one job on whatever machine: a source step, or a layer that is made of what steps made, and verified."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from layerforge.build import elsewhere, interpreters, wire
from layerforge.build.engine import Builder, Engine
from layerforge.build.errors import EngineError
from layerforge.build.graph import Done
from layerforge.build.interpreters import Interpreter
from layerforge.build.plan import Plan
from layerforge.build.runtime_packages import ALONE, Provided, provided
from layerforge.build.session import Session
from layerforge.build.steps import carry_out, collected
from layerforge.build.task import StepContext
from layerforge.build.work import LayerWork, StepWork
from layerforge.core.errors import UsageError
from layerforge.core.faults import writing
from layerforge.core.store import disk
from layerforge.core.text import megabytes
from layerforge.core.watched import go_on
from layerforge.examine.examine import examine
from layerforge.layer import forming
from layerforge.layer.archive import Archive
from layerforge.layer.data_files import fetched
from layerforge.layer.forming import Bench
from layerforge.report.delivery import (
    BuiltLayer,
    carried_out,
    described,
    keep_record,
    keep_zip,
    made_ready,
    recall,
    refuse_unfit,
    refuse_unproved,
)
from layerforge.report.manifest import Manifest, manifest
from layerforge.report.provenance import origins
from layerforge.verify import verifying
from layerforge.verify.rules_table import Expect
from layerforge.verify.verdict import Verdict, mark, summary


def perform(
    task: str,
    session: Session,
    indexes: tuple[str, ...] = (),
    on_line: Callable[[str], None] = lambda _line: None,
    place: Callable[[], str] = lambda: "1 of 1",
    on_layer: Callable[[BuiltLayer], None] = lambda _layer: None,
) -> Done:
    """Does a job from its JSON: what it takes comes from the session's store, and what it makes goes there.

    ``indexes`` are options that say where wheels are looked for, ``on_line`` gets what a step writes, ``place`` gives
    the place of a step that takes long among those, and ``on_layer`` gets a layer that the store has now. Raises
    ``LayerforgeError`` where it fails.
    """
    started, work = time.monotonic(), wire.work_of(task)
    match work:
        case StepWork():
            note = _carried_out(work, session, indexes, on_line, place)
        case LayerWork():
            own = replace(work, plan=replace(work.plan, indexes=indexes))
            note = _made(own, session, on_layer)
    return Done(key=work.key, seconds=time.monotonic() - started, note=note)


def _carried_out(
    work: StepWork, session: Session, indexes: tuple[str, ...], on_line: Callable[[str], None], place: Callable[[], str]
) -> str:
    builder = _builder(session, work.build_packages, work.image)
    with session.store.workspace() as workspace:
        context = StepContext(
            builder=builder,
            search=session.search,
            workspace=workspace,
            logs=session.logs,
            indexes=indexes,
            clock=session.clock,
        )
        return carry_out(work, context, place, on_line)


def _made(work: LayerWork, session: Session, on_layer: Callable[[BuiltLayer], None]) -> str:
    """Has the store hold a layer, and the verdict on it where it is to be verified. Returns a note on it."""
    planned, progress = work.plan, session.progress
    layer = recall(planned, session.store)
    note = "from the store, " if layer else ""
    if layer is None:
        builder = _builder(session, planned.spec.build_packages, work.image) if work.image else session.builder
        layer = make(work, _interpreter(planned, session), replace(session, builder=builder))
    else:
        progress.say(built_before(layer))
    planned = carried_out(planned, layer.manifest)
    if work.verify and known_verdict(planned, layer.manifest.sha256, session) is None:
        beside = surroundings(planned, session)
        # What is not kept has to be found out where the layer is delivered; perhaps it can be had there.
        if not beside.lacking:
            refuse_unfit(layer, judge(planned, layer, beside, session), session.store)
    on_layer(layer)
    return f"{note}{megabytes(layer.manifest.zip_bytes)}"


def built_before(layer: BuiltLayer) -> str:
    """What is said of a layer that the store has."""
    return f"{layer.manifest.name} was built before: the store has it"


def _builder(session: Session, packages: tuple[str, ...], image: str) -> Builder:
    """What compiles in the image of that identity. Raises ``EngineError`` where this machine has none."""
    builder = session.builder
    if builder is None:
        raise EngineError(
            "a step is to be compiled, and this machine has no container engine with a build image",
            hint="`layerforge doctor` says what is missing here",
        )
    if builder.image.identity != image and packages:
        builder = builder.equipped(packages, session.progress)
    if builder.image.identity != image:
        raise EngineError(
            f"the build image {builder.image.reference} of this machine is another than that of the plan",
            hint="let all machines pull one image, which has all that recipes need, and name it with --image",
            details=(f"planned with {image}", f"here is {builder.image.identity}"),
        )
    return builder


def _interpreter(planned: Plan, session: Session) -> Interpreter | None:
    """The interpreter of a plan. Raises ``UsageError`` where this machine cannot have it."""
    if not planned.interpreter:
        return None
    python, found = planned.target.python, session.interpreter
    if found is None:
        found = interpreters.find_or_fetch(python, disk.pythons(), session.progress)
    if found is None and session.builder is not None:
        found = interpreters.from_image(session.builder, python, disk.pythons(), session.progress)
    if found is None:
        raise interpreters.missing(python)
    if found.version != planned.interpreter:
        raise UsageError(
            f"this machine compiles modules with CPython {found.version}, and the plan is for {planned.interpreter}",
            hint=f"install that one here with `uv python install {planned.interpreter}`",
            details=(str(found.path),),
        )
    return found


def make(work: LayerWork, interpreter: Interpreter | None, session: Session) -> BuiltLayer:
    """Makes a layer of what its steps made, and keeps it. Raises ``LackingError`` where the store has not all of it."""
    planned, progress = work.plan, session.progress
    # It takes a third of a second and is needed in the end; until then this process often waits for others.
    threading.Thread(target=made_ready).start()
    with ThreadPoolExecutor(1) as beside, session.store.workspace() as workspace:
        kept: dict[str, Future[None]] = {}

        def begin_to_keep(packed: Archive) -> None:
            if packed.sha256 not in kept:
                kept[packed.sha256] = beside.submit(keep_zip, packed.sha256, packed.data, session.store)

        bench = Bench(
            plan=planned,
            data=fetched(planned.spec.data, session.search, workspace),
            built=collected(planned, session.store, workspace, progress, work.made),
            interpreter=interpreter,
            search=session.search,
            workspace=workspace,
            on_likely=begin_to_keep,
        )
        made = forming.made(bench)
        begin_to_keep(made.packed)
        one = made.formed
        layer_manifest = manifest(
            one.plan, one.tree, one.results, made.packed, session.engine.name, one.patches, one.data, made.fitted
        )
        found = origins(one.plan, session.builder, session.search, workspace, session.logs)
        layer = described(layer_manifest, one.tree, found, made.packed.data)
    # What the image says of itself is left out where it was not let finish.
    go_on(progress)
    kept[layer_manifest.sha256].result()
    keep_record(planned, layer, session.store)
    return layer


def judge(planned: Plan, layer: BuiltLayer, beside: Provided, session: Session) -> Verdict:
    """The verdict on a layer that is run ``beside`` what Lambda has. It is kept where that could be had.

    Raises ``VerificationError`` for a layer that goes without what Lambda has to fit, where that is not to be had.
    """
    if beside.lacking:
        refuse_unproved(layer, beside.lacking)
    with session.progress.step("verify") as step:
        mode, bad = planned.spec.bytecode.mode, layer.manifest.uncompilable
        spec = replace(planned.spec, env=layer.manifest.env)
        expect = Expect(target=planned.target, spec=spec, bytecode=mode, uncompilable=bad)
        with session.store.workspace() as workspace, writing(session.store.root):
            path = workspace / f"{planned.spec.name}.zip"
            path.write_bytes(layer.data)
            verdict = verify_zip(
                path, expect, session.engine, workspace, beside, unrun=beside.lacking, made=layer.manifest
            )
        # What was not run here only since it is run elsewhere would stand for a verdict of there.
        if not beside.lacking and verdict.skipped != elsewhere.REFUSAL:
            facts = verifying.about(planned, layer.manifest.sha256, session.engine)
            verifying.keep(facts, verdict, session.store)
        step.note(summary(verdict), mark(verdict))
    return verdict


def surroundings(planned: Plan, session: Session) -> Provided:
    """What the layer of a plan is run beside."""
    return provided(planned.spec, planned.target, session.engine, session.store, session.progress)


def known_verdict(planned: Plan, sha256: str, session: Session) -> Verdict | None:
    """The verdict on a layer of these bytes under the same checks, where one is kept."""
    return verifying.recall(verifying.about(planned, sha256, session.engine), session.store)


def verify_zip(
    path: Path,
    expect: Expect,
    engine: Engine,
    workspace: Path,
    beside: Provided = ALONE,
    *,
    unrun: str = "",
    made: Manifest | None = None,
) -> Verdict:
    """The verdict on any zip, whoever made it, run ``beside`` what Lambda has; ``unrun`` is why its code is not to be
    run, ``made`` how it was made.
    """
    # A build that comes from the store needs none of what this imports.
    from layerforge.report.advice.advise import could_go, limited

    examination = examine(path, expect.target)
    advice = could_go(examination, expect.target, ours=expect.spec is not None, manifest=made)
    if expect.spec is not None:
        advice += limited(examination, expect.target, expect.spec.left_out)
    return verifying.verify(examination, expect, engine, workspace, advice=advice, unrun=unrun, runtime=beside.folder)
