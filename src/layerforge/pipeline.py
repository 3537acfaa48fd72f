"""The whole line, from what is asked for to a verified layer. The only module that knows the order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from layerforge.build.cost import Cost, cost
from layerforge.build.engine import Engine
from layerforge.build.options import Options, decided, settled, with_interpreter
from layerforge.build.plan import Built, Plan, Toolchain, plan
from layerforge.build.runtime_packages import ALONE, Provided, provided
from layerforge.build.session import Session, equipped
from layerforge.build.steps import build
from layerforge.build.task import StepContext
from layerforge.core.faults import writing
from layerforge.examine.examine import examine
from layerforge.layer import variables
from layerforge.layer.archive import archive
from layerforge.layer.assemble import assemble
from layerforge.layer.candidates import check_limit
from layerforge.layer.data_files import fetched, laid, with_data
from layerforge.layer.passes.run import optimize
from layerforge.layer.patches import patched
from layerforge.report.delivery import BuiltLayer, Layer, deliver, described, is_kept, keep, recall, refuse_unfit
from layerforge.report.manifest import Manifest, manifest
from layerforge.report.provenance import origins
from layerforge.resolve import build_environments, locking, sources
from layerforge.resolve.build_environments import EnvironmentResolver
from layerforge.resolve.compose import compose
from layerforge.resolve.lock import Pin
from layerforge.resolve.request import Request
from layerforge.verify import verifying
from layerforge.verify.rules_table import Expect
from layerforge.verify.verdict import Verdict, mark, summary


class Prepared(NamedTuple):
    """A plan, and what it is carried out with."""

    plan: Plan
    options: Options
    session: Session


def forge(request: Request, options: Options, session: Session) -> Layer:
    """Builds, verifies and delivers one layer; what was built before comes from the store."""
    return carry_out(*prepare(request, options, session))


def prepare(request: Request, options: Options, session: Session, *, fetches: bool = True) -> Prepared:
    """The plan of a request, and what it is carried out with. Without ``fetches`` no source is downloaded where locks
    say all.

    Raises ``UsageError`` where an interpreter is needed that neither this machine nor the image has.
    """
    options = with_interpreter(options, session)
    request, pins, session = composed(request, options, session)
    toolchain = None
    if session.builder is not None:
        environments = EnvironmentResolver(request=request, search=session.search, fetches=fetches)
        build_pins = build_environments.build_pins(environments, pins, options.target)
        toolchain = Toolchain(image=session.builder.image, build_pins=build_pins)
    target, interpreter = options.target, options.interpreter
    planned = plan(request.spec, target, pins, options.compression, interpreter, options.epoch, toolchain)
    return Prepared(replace(planned, indexes=request.listed.indexes), options, session)


def cost_of(prepared: Iterable[Prepared]) -> Cost:
    """What compiling for these layers will cost, for those that the store does not have as a whole."""
    found = list(prepared)
    wanted = [one.plan for one in found if not is_kept(one.plan, one.session.store)]
    return cost(wanted, found[0].session.store) if wanted else Cost(steps=())


def composed(request: Request, options: Options, session: Session) -> tuple[Request, tuple[Pin, ...], Session]:
    """The request with what the recipes of its locked packages say, these packages, and what their steps take."""
    image = session.builder is not None
    compiles = image and not options.wheels
    request = settled(request, options, compiles=compiles)
    chosen = locking.locked_pins(request, options.target, session.search)
    request, pins = replace(request, spec=replace(request.spec, left_out=chosen.left_out)), chosen.pins
    found = compose(request.spec, pins, request.catalogue, options.target, compiling=compiles, image=image)
    for line in found.said:
        session.progress.say(line)
    session = equipped(session, found.spec)
    spec = sources.substituted(decided(found.spec, options), session.folders, session.progress)
    return replace(request, spec=spec), pins, session


def carry_out(planned: Plan, options: Options, session: Session) -> Layer:
    """The layer of a plan: from the store, else built; verified and delivered."""
    layer = recall(planned, session.store, session.progress) or build_layer(planned, options, session)
    for line in variables.unsettled(planned.spec.env, layer.manifest.env):
        session.progress.say(line)
    verdict = judge(planned, layer, session) if options.verify else None
    refuse_unfit(layer, verdict, session.store)
    return deliver(planned, layer, verdict, options.output, session.progress)


def build_layer(planned: Plan, options: Options, session: Session) -> BuiltLayer:
    """Carries a plan out, and keeps the result."""
    with session.store.workspace() as workspace:
        # Before anything is compiled: what cannot be had is to be known in seconds.
        data = fetched(planned.spec.data, session.search, workspace)
        built = _built(planned, options, session, workspace)
        tree = with_data(assemble(planned, built, workspace, session.search), data)
        tree, changes, patches = patched(tree, planned.spec.patches, session.progress)
        tree, passes = optimize(tree, planned, options.interpreter, session.store, session.progress)
        check_limit(tree, planned)
        packed = archive(tree, planned.compression, planned.epoch, session.store, session.progress)
        results = (*changes, *passes)
        layer_manifest = manifest(planned, tree, results, packed, session.engine.name, patches, laid(data))
        found = origins(planned, session.builder, session.search, workspace, session.logs)
        layer = described(layer_manifest, tree, found, packed.data)
    keep(planned, layer, session.store)
    return layer


def _built(planned: Plan, options: Options, session: Session, workspace: Path) -> Built:
    """What the source steps of a plan give; nothing where nothing compiles."""
    if session.builder is None:
        return Built()
    context = StepContext(
        plan=planned, builder=session.builder, search=session.search, workspace=workspace, logs=session.logs
    )
    return build(context, options.jobs)


def judge(planned: Plan, layer: BuiltLayer, session: Session) -> Verdict:
    """The verdict on a layer. Where the same bytes ran well under the same checks before, they are not run again."""
    facts = verifying.about(planned, layer.manifest.sha256, session.engine)
    known = verifying.recall(facts, session.store)
    beside = ALONE
    if known is None:
        beside = provided(planned.spec, planned.target, session.engine, session.store, session.progress)
    with session.progress.step("verify") as step:
        if known:
            step.note(f"{summary(known)} (these bytes were verified before)", mark(known))
            return known
        mode, bad = planned.spec.bytecode.mode, layer.manifest.uncompilable
        spec = replace(planned.spec, env=layer.manifest.env)
        expect = Expect(target=planned.target, spec=spec, bytecode=mode, uncompilable=bad)
        with session.store.workspace() as workspace, writing(session.store.root):
            path = workspace / f"{planned.spec.name}.zip"
            path.write_bytes(layer.data)
            verdict = verify_zip(
                path, expect, session.engine, workspace, beside, unrun=beside.lacking, made=layer.manifest
            )
        if not beside.lacking:
            verifying.keep(facts, verdict, session.store)
        step.note(summary(verdict), mark(verdict))
    return verdict


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
