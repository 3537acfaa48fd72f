"""The whole line, from what is asked for to a verified layer. The only module that knows the order."""

from __future__ import annotations

import datetime
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from layerforge import __version__
from layerforge.build import interpreters
from layerforge.build.engine import Builder, Engine
from layerforge.build.image_sources import source_folders
from layerforge.build.options import Options, from_wheels, overridden
from layerforge.build.plan import Built, Plan, Toolchain, plan
from layerforge.build.steps import build
from layerforge.build.task import StepContext
from layerforge.core import digest, guarded
from layerforge.core.faults import writing
from layerforge.core.findings import Severity
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Target
from layerforge.core.store.disk import DiskStore, pythons
from layerforge.examine import zip_content
from layerforge.examine.examination import Examination
from layerforge.examine.examine import examine
from layerforge.examine.unpack import unpack
from layerforge.layer.archive import archive
from layerforge.layer.assemble import assemble
from layerforge.layer.passes.run import optimize
from layerforge.report import manifest as report
from layerforge.report.delivery import BuiltLayer, Layer, deliver, described, keep, recall, refuse_unfit
from layerforge.report.provenance import origins
from layerforge.resolve import build_environments, locking, sources
from layerforge.resolve.errors import LockError
from layerforge.resolve.recipe import BytecodeMode, Check, Recipe
from layerforge.resolve.request import Request
from layerforge.resolve.sources import Search
from layerforge.verify import rules
from layerforge.verify.imports import Imports, imports_of
from layerforge.verify.notes import notes
from layerforge.verify.rules_table import Expect
from layerforge.verify.run_check import Checked, nothing_proved, run_check
from layerforge.verify.verdict import Figures, Verdict, errors_of, mark, summary

CHECK_SECONDS = 300.0
"""How long a layer's own check may take."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What the store holds of a verdict: what it is about, and the verdict."""

    about: list[Any]
    verdict: Verdict


def forge(
    request: Request, options: Options, engine: Engine, builder: Builder | None, store: DiskStore, progress: Progress
) -> Layer:
    """Builds, verifies and delivers one layer; what was built before comes from the store.

    Without a ``builder`` every package comes from its wheel.
    """
    options, builder = ready(request.recipe, options, builder, progress)
    made = prepare(request, options, builder, store, progress)
    forged = recall(made, store, progress) or carry_out(made, options, engine, builder, store, progress)
    verdict = judge(made, forged, engine, store, progress) if options.verify else None
    refuse_unfit(forged, verdict, store)
    return deliver(made, forged, verdict, options.output, progress)


def ready(
    recipe: Recipe, options: Options, builder: Builder | None, progress: Progress
) -> tuple[Options, Builder | None]:
    """Options and builder with what a recipe's steps and its bytecode need of the engine's image."""
    builder = equipped(recipe, builder, progress)
    return interpreted(options, recipe, builder, progress), builder


def equipped(recipe: Recipe, builder: Builder | None, progress: Progress) -> Builder | None:
    """The builder with the packages of its image's system that a recipe's steps need."""
    if builder is None or not recipe.build_packages:
        return builder
    return builder.equipped(recipe.build_packages, progress)


def interpreted(options: Options, recipe: Recipe, builder: Builder | None, progress: Progress) -> Options:
    """The options with the interpreter of the engine's image, where one is needed and this machine has none."""
    mode = options.bytecode or recipe.bytecode.mode
    if options.interpreter is not None or builder is None or mode is BytecodeMode.NONE:
        return options
    found = interpreters.from_image(builder, options.target.python, pythons(), progress)
    return replace(options, interpreter=found)


def prepare(
    request: Request,
    options: Options,
    builder: Builder | None,
    store: DiskStore,
    progress: Progress,
    *,
    fetches: bool = True,
) -> Plan:
    """The plan of a request, for what ``ready`` gives. Without ``fetches`` no source is downloaded where locks say all.

    Raises ``UsageError`` where it needs an interpreter that this machine lacks.
    """
    recipe = overridden(request.recipe, options, request.listed.compiled)
    if builder is None:
        recipe = from_wheels(recipe)
    if options.interpreter is None and recipe.bytecode.mode is not BytecodeMode.NONE:
        raise interpreters.missing(options.target.python)
    folders = source_folders(options, builder, store)
    # The recipe's build.lock knows nothing of what the command line adds.
    unlocked = frozenset(part.name for part in recipe.packages) - {part.name for part in request.recipe.packages}
    request = replace(request, recipe=sources.substituted(recipe, folders, progress))
    search = Search(store=store, folders=folders, progress=progress)
    found = locking.locked(request, options.target, search)
    pins = locking.pins(request, found, options.target)
    if not pins:
        raise LockError(
            f"nothing is required on Python {options.target.python} for {options.target.arch}",
            hint="is the file empty, or do all its markers name other systems?",
        )
    toolchain = None
    if builder is not None:
        bench = build_environments.EnvironmentResolver(
            request=request, store=store, folders=folders, progress=progress, fetches=fetches
        )
        build_pins = build_environments.build_pins(bench, pins, options.target, unlocked)
        toolchain = Toolchain(image=builder.image, build_pins=build_pins)
    made = plan(
        request.recipe, options.target, pins, options.compression, options.interpreter, options.epoch, toolchain
    )
    return replace(made, indexes=request.listed.indexes)


def carry_out(
    made: Plan, options: Options, engine: Engine, builder: Builder | None, store: DiskStore, progress: Progress
) -> BuiltLayer:
    """Carries a plan out, and keeps the result."""
    with store.workspace() as workspace:
        built = Built()
        if builder is not None:
            built = build(workshop(made, options, builder, store, progress, workspace), options.jobs)
        tree = assemble(made, built, workspace, progress)
        tree, passes = optimize(tree, made, options.interpreter, store, progress)
        packed = archive(tree, made.compression, made.epoch, store, progress)
        manifest = report.manifest(made, tree, passes, packed, engine.name)
        search = Search(store=store, folders=source_folders(options, builder, store), progress=progress)
        found = origins(made, builder, search, workspace, store.place("logs"))
        forged = described(manifest, tree, found, packed.data)
    keep(made, forged, store)
    return forged


def workshop(
    made: Plan, options: Options, builder: Builder, store: DiskStore, progress: Progress, workspace: Path
) -> StepContext:
    """What the source steps of a plan share. Their logs outlive the build."""
    return StepContext(
        plan=made,
        builder=builder,
        store=store,
        progress=progress,
        workspace=workspace,
        logs=store.place("logs"),
        sources=source_folders(options, builder, store),
    )


def judge(made: Plan, forged: BuiltLayer, engine: Engine, store: DiskStore, progress: Progress) -> Verdict:
    """The verdict on a layer. Where the same bytes ran well under the same checks before, they are not run again."""
    facts = about(made, forged, engine)
    key = digest.of_json(facts)
    with progress.step("verify") as step:
        if (kept := store.get("verdict", key)) and (known := said_before(kept, key)):
            step.note(f"{summary(known)} (these bytes were verified before)", mark(known))
            return known
        with store.workspace() as workspace, writing(store.root):
            path = workspace / f"{made.recipe.name}.zip"
            path.write_bytes(forged.data)
            bad = forged.manifest.uncompilable
            verdict = verify_zip(path, made.target, made.recipe, engine, workspace, uncompilable=bad)
        if not errors_of(verdict):
            store.put("verdict", key, json.dumps({"about": facts, "verdict": asdict(verdict)}).encode())
        step.note(summary(verdict), mark(verdict))
    return verdict


def about(made: Plan, forged: BuiltLayer, engine: Engine) -> list[Any]:
    """All that decides a verdict, as data for JSON."""
    # Once a month anew: some of what is said of a layer depends on the date.
    month = datetime.datetime.now(datetime.UTC).strftime("%Y-%m")
    return [
        [month, __version__, forged.manifest.sha256, made.target.label, made.interpreter, engine.name],
        [engine.identity, asdict(made.recipe.check), asdict(made.recipe.budget)],
    ]


def said_before(kept: bytes, key: str) -> Verdict | None:
    """The verdict that is stored under a key; ``None`` where it is about something else, or is none that is stored."""
    try:
        found = guarded.json_as(kept, Judged)
    except guarded.Unreadable:
        return None
    return found.verdict if digest.of_json(found.about) == key and not errors_of(found.verdict) else None


def verify_zip(
    path: Path,
    target: Target,
    recipe: Recipe | None,
    engine: Engine,
    workspace: Path,
    *,
    uncompilable: frozenset[str] = frozenset(),
    unrun: str = "",
) -> Verdict:
    """Holds any layer zip against every rule, then runs its check where ``engine`` can and ``unrun`` gives no reason
    against it.
    """
    examination = examine(path, target)
    mode = recipe.bytecode.mode if recipe else None
    expect = Expect(target=target, recipe=recipe, bytecode=mode, uncompilable=uncompilable)
    findings = rules.judge(examination, expect)
    skipped = engine.refusal(target) or unrun
    checked = Checked(findings=(), notes=(), figures=Figures())
    if any(finding.severity is Severity.ERROR for finding in findings):
        skipped = "the rules found errors"
    if not skipped:
        opt = workspace / "opt"
        unpack(path, opt)
        check = recipe.check if recipe else Check()
        imports = Imports(needed=check.imports) if check.imports else imports_of(examination)
        checked = run_check(engine, target, opt, imports, check.script, CHECK_SECONDS)
        if not imports.names and not check.script:
            findings += nothing_proved(examination)
    return Verdict(
        engine="" if skipped else engine.name,
        skipped=skipped,
        findings=findings + checked.findings,
        notes=(*notes(examination, expect), *could_go(examination, expect), *checked.notes),
        figures=checked.figures,
    )


def could_go(examination: Examination, expect: Expect) -> tuple[str, ...]:
    """What could be left out of a layer, as ``inspect`` advises it."""
    # A build that comes from the store needs none of what this imports.
    from layerforge.report.advice.advise import notes
    from layerforge.report.advice.evidence import LayerEvidence

    with zip_content.reader(examination.path) as read:
        ground = LayerEvidence(target=expect.target, examination=examination, read=read)
        return notes(ground, ours=expect.recipe is not None)
