"""A finished layer with what stands beside it: kept in the store, found there again, and written."""

from __future__ import annotations

import json
import posixpath
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from layerforge import __version__
from layerforge.build.plan import SYSTEM, Plan
from layerforge.core import digest, guarded
from layerforge.core.errors import VerificationError
from layerforge.core.faults import writing
from layerforge.core.filing import write_atomically, write_together
from layerforge.core.progress import Progress
from layerforge.core.store.disk import DiskStore
from layerforge.layer import fit_search, licences
from layerforge.layer.licences import Licensed
from layerforge.layer.tree import Tree
from layerforge.report.manifest import Manifest, manifest_json, read_manifest
from layerforge.report.provenance import Origins
from layerforge.resolve import lock
from layerforge.resolve.fit import Way
from layerforge.resolve.left_out import Why
from layerforge.verify.verdict import Verdict, describe, errors_of

ZIP = "archive"
"""Kind of the zips, by their SHA-256."""

LAYER = "layer"
"""Kind of what stands beside a layer's zip, by the key of its plan."""

BYTES = "layer-bytes"
"""Kind of what says which zip a plan gives: its SHA-256, and nothing that may differ from machine to machine."""


@dataclass(frozen=True, kw_only=True)
class BuiltLayer:
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
class Layer:
    """A delivered layer."""

    path: Path
    manifest: Manifest
    verdict: Verdict | None
    """``None`` where nothing was verified."""


def made_ready() -> None:
    """Imports what ``described`` takes, so that it need not wait for that."""
    from layerforge.report.sbom import of_build  # noqa: F401


def described(manifest: Manifest, tree: Tree, found: Origins, data: bytes) -> BuiltLayer:
    """A layer with what stands beside it: SBOM and licences."""
    # A build that comes from the store needs none of what this imports, and takes half a second in all.
    from layerforge.report.sbom.of_build import of_build

    texts = (*licences.of_tree(tree), *found.texts)
    parts = [Licensed(name=one.name, version=one.version, licence=one.licence) for one in manifest.packages]
    if taken := sorted(posixpath.basename(file.path) for file in tree.files if file.package == SYSTEM):
        parts.append(Licensed(name=SYSTEM, version="", licence=f"taken from the build image: {', '.join(taken)}"))
    bundle = licences.bundle(manifest.name, parts, texts)
    return BuiltLayer(manifest=manifest, sbom=of_build(manifest, tree, found), licences=bundle, data=data)


def keep_zip(sha256: str, data: bytes, store: DiskStore) -> None:
    """Stores the zip of a layer."""
    store.put(ZIP, sha256, data)


def keep(plan: Plan, layer: BuiltLayer, store: DiskStore) -> None:
    """Stores a layer under its plan's key: first the zip, so that the record never names one that is not there."""
    keep_zip(layer.manifest.sha256, layer.data, store)
    keep_record(plan, layer, store)


def keep_record(plan: Plan, layer: BuiltLayer, store: DiskStore) -> None:
    """Stores what stands beside a zip that is kept, under the key of its plan."""
    # What a manifest says may differ from machine to machine; this may not.
    store.put(BYTES, plan.key, layer.manifest.sha256.encode())
    text = manifest_json(layer.manifest)
    record = Record(manifest=text, sbom=layer.sbom, licences=layer.licences)
    store.put(LAYER, plan.key, json.dumps(asdict(record)).encode())


def recall(plan: Plan, store: DiskStore) -> BuiltLayer | None:
    """The layer that the same plan gave before; ``None`` where the store does not hold all of it."""
    found = _recorded(plan, store)
    if found is None:
        return None
    kept, manifest = found
    data = store.get(ZIP, manifest.sha256)
    if data is None or digest.sha256(data) != manifest.sha256:
        return None
    # What a layer is held against does not decide its bytes, so it may have changed since.
    spec = carried_out(plan, manifest).spec
    current = replace(manifest, budget=spec.budget, check=spec.check)
    return BuiltLayer(manifest=current, sbom=kept.sbom, licences=kept.licences, data=data)


def kept_digest(plan: Plan, store: DiskStore) -> str:
    """SHA-256 of the zip of a plan's layer that the store holds, which is not read for that; empty where none is."""
    found = _recorded(plan, store)
    return found[1].sha256 if found is not None and store.holds(ZIP, found[1].sha256) else ""


def kept_plan(plan: Plan, store: DiskStore) -> Plan:
    """The plan with the settings of its layer that the store holds; as it is where none is."""
    found = _recorded(plan, store) if plan.goal else None
    return carried_out(plan, found[1]) if found else plan


def _recorded(plan: Plan, store: DiskStore) -> tuple[Record, Manifest] | None:
    """What the store holds of a plan's layer beside its zip."""
    record = store.get(LAYER, plan.key)
    if record is None:
        return None
    try:
        kept = guarded.json_as(record, Record)
        manifest = read_manifest(kept.manifest)
    except guarded.Unreadable:
        return None  # written by another version
    # Where two machines disagree on the bytes, a store that a team shares raises the alarm here.
    told = store.get(BYTES, plan.key)
    agrees = told is None or told == manifest.sha256.encode()
    return (kept, manifest) if agrees and promised(plan, manifest) else None


def promised(plan: Plan, manifest: Manifest) -> bool:
    """Whether a stored manifest is of the layer that the plan is for."""
    if not fit_search.allowed(plan, manifest.fit.taken if manifest.fit else ()):
        return False
    plan = carried_out(plan, manifest)
    code = plan.spec.bytecode
    wanted = (plan.key, plan.spec.name, plan.target.python, plan.target.arch, plan.interpreter, plan.compression)
    found = (manifest.key, manifest.name, manifest.python, manifest.arch, manifest.interpreter, manifest.compression)
    return (*found, manifest.bytecode, manifest.layerforge) == (*wanted, code, __version__)


def carried_out(plan: Plan, manifest: Manifest) -> Plan:
    """The plan with the settings that its layer was made with."""
    return fit_search.settled(plan, manifest.fit.taken if manifest.fit else ())


def refuse_unfit(layer: BuiltLayer, verdict: Verdict | None, store: DiskStore) -> None:
    """Raises ``VerificationError`` for a layer with errors, which is set aside where it can be looked at."""
    errors = errors_of(verdict.findings) if verdict else []
    if not errors:
        return
    manifest = layer.manifest
    aside = store.place("refused") / f"{manifest.name}-py{manifest.python.replace('.', '')}-{manifest.arch}.zip"
    with writing(store.root):
        write_atomically(aside, layer.data)
    raise VerificationError(
        f"the layer {manifest.name} is not fit for Lambda, so it was not written",
        hint=f"docs/rules.md explains each rule; look at the layer with `layerforge inspect {aside}`{_kept(manifest)}",
        details=tuple(describe(finding) for finding in errors),
        findings=tuple(errors),
    )


def refuse_unproved(layer: BuiltLayer, why: str) -> None:
    """Raises ``VerificationError`` for a layer that is without the runtime's packages since it has to fit, and that was
    not run beside them.
    """
    if way := _kept(layer.manifest):
        name = layer.manifest.name
        raise VerificationError(
            f"the layer {name} goes without what Lambda's own Python has, to fit, and was not run: {why}",
            hint=f"give it a larger limit{way}",
        )


def _kept(manifest: Manifest) -> str:
    """How to keep what was left out for the layer to fit, which may be what is wrong with it."""
    if manifest.fit is None or Way.RUNTIME not in manifest.fit.taken:
        return ""
    own = next(one for one in manifest.left_out if one.why is Why.RUNTIME)
    major = own.version.partition(".")[0]
    return f'; the runtime\'s own packages were left out to fit, and "{own.name}>={major}" as a requirement keeps them'


def deliver(plan: Plan, layer: BuiltLayer, verdict: Verdict | None, output: Path, progress: Progress) -> Layer:
    """Writes the zip and what stands beside it: all or none."""
    path = output / f"{stem(plan)}.zip"
    with progress.step("write") as step, writing(output):
        output.mkdir(parents=True, exist_ok=True)
        write_together(output, files_of(plan, layer, verdict))
        step.note(str(path))
    return Layer(path=path, manifest=layer.manifest, verdict=verdict)


def stem(plan: Plan) -> str:
    """What the names of a layer's files begin with: ``numpy-py313-x86_64``."""
    return f"{plan.spec.name}-{plan.target.label}"


def files_of(plan: Plan, layer: BuiltLayer, verdict: Verdict | None = None) -> dict[str, bytes]:
    """The files of a layer by name, the zip last."""
    return {
        f"{stem(plan)}.manifest.json": manifest_json(layer.manifest, verdict).encode(),
        f"{stem(plan)}.sbom.json": layer.sbom.encode(),
        f"{stem(plan)}.licences.txt": layer.licences.encode("utf-8", "replace"),
        f"{stem(plan)}.lock": lock.render_portable(plan.pins).encode(),
        f"{stem(plan)}.zip": layer.data,
    }
