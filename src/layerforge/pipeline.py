"""The whole line, from what is asked for to a verified layer. The only module that knows the order."""

from __future__ import annotations

import datetime
import json
import posixpath
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from layerforge import (
    __version__,
    digest,
    guarded,
    interpreters,
    isolate,
    licences,
    lock,
    report,
    resolve,
    sources,
    verify,
)
from layerforge.archive import archive
from layerforge.assemble import assemble
from layerforge.build import Workshop, build
from layerforge.errors import LockError, VerificationError
from layerforge.examine import directory, examine, unpack
from layerforge.filing import write_atomically, write_together
from layerforge.licences import Licensed
from layerforge.model import (
    SYSTEM,
    Budget,
    Builder,
    Built,
    BytecodeMode,
    Check,
    Compression,
    Docstrings,
    Engine,
    Examination,
    Figures,
    Finding,
    Interpreter,
    Manifest,
    Mark,
    Plan,
    Progress,
    Recipe,
    Severity,
    SourcePackage,
    Target,
    Tree,
    Verdict,
)
from layerforge.optimize import optimize
from layerforge.origins import Origins, origins
from layerforge.plan import Toolchain, plan
from layerforge.progress import counted, megabytes
from layerforge.resolve import Request
from layerforge.sources import Search
from layerforge.store import DiskStore, pythons, writing

CHECK_SECONDS = 300.0
"""How long a layer's own check may take."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the command line decides for every layer of one run. ``None`` leaves it to the recipe."""

    target: Target
    interpreter: Interpreter | None
    """A CPython of the target's minor version; ``None`` where this machine has none."""
    compression: Compression
    output: Path
    epoch: int
    bytecode: BytecodeMode | None = None
    docstrings: Docstrings | None = None
    verify: bool = True
    from_source: tuple[str, ...] = ()
    """Packages to compile, beyond the recipe's."""
    sources: Path | None = None
    """Folder with source archives that need not be downloaded."""
    jobs: int = 1
    """Source steps that run at the same time."""


@dataclass(frozen=True, kw_only=True)
class Forged:
    """A layer that is built but neither verified nor delivered. Its bytes are those of the zip."""

    manifest: Manifest
    sbom: str
    licences: str
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Record:
    """What the store holds of a layer beside its zip, each as the text of a file."""

    manifest: str
    sbom: str
    licences: str


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What the store holds of a verdict: what it is about, and the verdict."""

    about: list[Any]
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A delivered layer."""

    path: Path
    manifest: Manifest
    verdict: Verdict | None
    """``None`` where nothing was verified."""


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
    found = resolve.locked(request, options.target, search)
    pins = resolve.pins(request, found, options.target)
    if not pins:
        raise LockError(
            f"nothing is required on Python {options.target.python} for {options.target.arch}",
            hint="is the file empty, or do all its markers name other systems?",
        )
    toolchain = None
    if builder is not None:
        bench = isolate.Bench(request=request, store=store, folders=folders, progress=progress, fetches=fetches)
        build_pins = isolate.build_pins(bench, pins, options.target, unlocked)
        toolchain = Toolchain(image=builder.image, build_pins=build_pins)
    made = plan(
        request.recipe, options.target, pins, options.compression, options.interpreter, options.epoch, toolchain
    )
    return replace(made, indexes=request.listed.indexes)


def overridden(recipe: Recipe, options: Options, compiled: tuple[str, ...] = ()) -> Recipe:
    """The recipe with what the command line says of its bytecode, and with what else is compiled."""
    code, known = recipe.bytecode, {part.name for part in recipe.packages}
    names = [name for name in dict.fromkeys((*options.from_source, *compiled)) if name not in known]
    more = tuple(SourcePackage(name=name) for name in names)
    code = replace(code, mode=options.bytecode or code.mode, docstrings=options.docstrings or code.docstrings)
    return replace(recipe, bytecode=code, packages=(*recipe.packages, *more))


def from_wheels(recipe: Recipe) -> Recipe:
    """The recipe where nothing can be compiled: what it promises of the compiled layer is not asked of the wheels."""
    if not recipe.packages and not recipe.libraries:
        return recipe
    check = replace(recipe.check, single=())
    return replace(recipe, libraries=(), packages=(), system=(), arch_system={}, budget=Budget(), check=check)


def carry_out(
    made: Plan, options: Options, engine: Engine, builder: Builder | None, store: DiskStore, progress: Progress
) -> Forged:
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


def described(manifest: Manifest, tree: Tree, found: Origins, data: bytes) -> Forged:
    """A layer with what stands beside it: SBOM and licences."""
    # A build that comes from the store needs none of what this imports, and takes half a second in all.
    from layerforge import sbom

    texts = (*licences.of_tree(tree), *found.texts)
    parts = [Licensed(name=one.name, version=one.version, licence=one.licence) for one in manifest.packages]
    if taken := sorted(posixpath.basename(file.path) for file in tree.files if file.package == SYSTEM):
        parts.append(Licensed(name=SYSTEM, version="", licence=f"taken from the build image: {', '.join(taken)}"))
    bundle = licences.bundle(manifest.name, parts, texts)
    return Forged(manifest=manifest, sbom=sbom.of_build(manifest, tree, found), licences=bundle, data=data)


def source_folders(options: Options, builder: Builder | None, store: DiskStore) -> tuple[Path, ...]:
    """Where archives lie that need no download: the user's folder, then the one that the build image carries."""
    folders = (options.sources,) if options.sources else ()
    if builder is None or not builder.image.sources:
        return folders
    carried = store.place("image-sources") / digest.of([builder.image.digest, builder.image.sources])
    with writing(store.root):
        if not carried.is_dir():
            builder.copy_out(builder.image.sources, carried)
    return (*folders, carried)


def workshop(
    made: Plan, options: Options, builder: Builder, store: DiskStore, progress: Progress, workspace: Path
) -> Workshop:
    """What the source steps of a plan share. Their logs outlive the build."""
    return Workshop(
        plan=made,
        builder=builder,
        store=store,
        progress=progress,
        workspace=workspace,
        logs=store.place("logs"),
        sources=source_folders(options, builder, store),
    )


def keep(made: Plan, forged: Forged, store: DiskStore) -> None:
    """Stores a layer under its plan's key: first the zip, so that the record never names one that is not there."""
    store.put("archive", forged.manifest.sha256, forged.data)
    text = report.manifest_json(forged.manifest)
    record = Record(manifest=text, sbom=forged.sbom, licences=forged.licences)
    store.put("layer", made.key, json.dumps(asdict(record)).encode())


def recall(made: Plan, store: DiskStore, progress: Progress) -> Forged | None:
    """The layer that the same plan gave before; ``None`` where the store does not hold all of it."""
    record = store.get("layer", made.key)
    if record is None:
        return None
    try:
        kept = guarded.json_as(record, Record)
        manifest = report.read_manifest(kept.manifest)
    except guarded.Unreadable:
        return None  # written by another version
    if not promised(made, manifest):
        return None
    data = store.get("archive", manifest.sha256)
    if data is None or digest.sha256(data) != manifest.sha256:
        return None
    progress.say(f"{manifest.name} was built before: the store has it")
    # What a layer is held against does not decide its bytes, so it may have changed since.
    current = replace(manifest, budget=made.recipe.budget, check=made.recipe.check)
    return Forged(manifest=current, sbom=kept.sbom, licences=kept.licences, data=data)


def promised(made: Plan, manifest: Manifest) -> bool:
    """Whether a stored manifest is of the layer that the plan is for."""
    code = made.recipe.bytecode
    wanted = (made.key, made.recipe.name, made.target.python, made.target.arch, made.interpreter, made.compression)
    found = (manifest.key, manifest.name, manifest.python, manifest.arch, manifest.interpreter, manifest.compression)
    return (*found, manifest.bytecode, manifest.layerforge) == (*wanted, code, __version__)


def judge(made: Plan, forged: Forged, engine: Engine, store: DiskStore, progress: Progress) -> Verdict:
    """The verdict on a layer. Where the same bytes ran well under the same checks before, they are not run again."""
    facts = about(made, forged, engine)
    key = digest.of(facts)
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


def about(made: Plan, forged: Forged, engine: Engine) -> list[Any]:
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
    return found.verdict if digest.of(found.about) == key and not errors_of(found.verdict) else None


def errors_of(verdict: Verdict) -> list[Finding]:
    """The findings that keep a layer from being written."""
    return [finding for finding in verdict.findings if finding.severity is Severity.ERROR]


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
    expect = verify.Expect(target=target, recipe=recipe, bytecode=mode, uncompilable=uncompilable)
    findings = verify.judge(examination, expect)
    skipped = engine.refusal(target) or unrun
    checked = verify.Checked(findings=(), notes=(), figures=Figures())
    if any(finding.severity is Severity.ERROR for finding in findings):
        skipped = "the rules found errors"
    if not skipped:
        opt = workspace / "opt"
        unpack(path, opt)
        check = recipe.check if recipe else Check()
        imports = verify.Imports(needed=check.imports) if check.imports else verify.imports_of(examination)
        checked = verify.run_check(engine, target, opt, imports, check.script, CHECK_SECONDS)
        if not imports.names and not check.script:
            findings += verify.nothing_proved(examination)
    return Verdict(
        engine="" if skipped else engine.name,
        skipped=skipped,
        findings=findings + checked.findings,
        notes=(*verify.notes(examination, expect), *could_go(examination, expect), *checked.notes),
        figures=checked.figures,
    )


def could_go(examination: Examination, expect: verify.Expect) -> tuple[str, ...]:
    """What could be left out of a layer, as ``inspect`` advises it."""
    # A build that comes from the store needs none of what this imports.
    from layerforge import advice

    with directory.reader(examination.path) as read:
        ground = advice.Ground(target=expect.target, examination=examination, read=read)
        return advice.notes(ground, ours=expect.recipe is not None)


def mark(verdict: Verdict) -> Mark:
    """How well a layer did: only one that ran, and that nothing is wrong with, did well."""
    if errors_of(verdict):
        return Mark.BAD
    if verdict.skipped:
        return Mark.UNDONE
    return Mark.DOUBTFUL if verdict.findings else Mark.GOOD


def summary(verdict: Verdict) -> str:
    """``no findings; run on docker; init 1,119 ms, peak 109.0 MB, import 950 ms (910 ms CPU)``."""
    errors = len(errors_of(verdict))
    warnings = len(verdict.findings) - errors
    found = f"{counted(errors, 'error')}, {counted(warnings, 'warning')}" if verdict.findings else "no findings"
    ran = f"not run: {verdict.skipped}" if verdict.skipped else f"run on {verdict.engine}"
    return "; ".join(part for part in (found, ran, measured(verdict.figures)) if part)


def measured(figures: Figures) -> str:
    """``init 1,119 ms, peak 109.0 MB, import 950 ms (910 ms CPU)``; empty where nothing was measured."""
    init, peak = figures.init_ms, figures.peak_memory
    wall, cpu = figures.import_seconds, figures.import_cpu_seconds
    parts = (
        "" if init is None else f"init {init:,.0f} ms",
        "" if peak is None else f"peak {megabytes(peak)}",
        "" if wall is None or cpu is None else f"import {wall * 1000:,.0f} ms ({cpu * 1000:,.0f} ms CPU)",
    )
    return ", ".join(filter(None, parts))


def refuse_unfit(forged: Forged, verdict: Verdict | None, store: DiskStore) -> None:
    """Raises ``VerificationError`` for a layer with errors, which is set aside where it can be looked at."""
    errors = errors_of(verdict) if verdict else []
    if not errors:
        return
    made = forged.manifest
    aside = store.place("refused") / f"{made.name}-py{made.python.replace('.', '')}-{made.arch}.zip"
    with writing(store.root):
        write_atomically(aside, forged.data)
    raise VerificationError(
        f"the layer {made.name} is not fit for Lambda, so it was not written",
        hint=f"docs/rules.md explains each rule; look at the layer with `layerforge inspect {aside}`",
        details=tuple(describe(finding) for finding in errors),
        findings=tuple(errors),
    )


def describe(finding: Finding) -> str:
    """A finding on one line."""
    where = f" {finding.path}:" if finding.path else ""
    return f"{finding.rule}{where} {finding.message} ({finding.hint})"


def deliver(made: Plan, forged: Forged, verdict: Verdict | None, output: Path, progress: Progress) -> Layer:
    """Writes the zip and what stands beside it: all or none."""
    stem = f"{made.recipe.name}-{made.target.label}"
    files = {
        f"{stem}.manifest.json": report.manifest_json(forged.manifest, verdict).encode(),
        f"{stem}.sbom.json": forged.sbom.encode(),
        f"{stem}.licences.txt": forged.licences.encode("utf-8", "replace"),
        f"{stem}.lock": lock.written(made.pins).encode(),
        f"{stem}.zip": forged.data,
    }
    with progress.step("write") as step, writing(output):
        output.mkdir(parents=True, exist_ok=True)
        write_together(output, files)
        step.note(f"{output / stem}.zip")
    return Layer(path=output / f"{stem}.zip", manifest=forged.manifest, verdict=verdict)
