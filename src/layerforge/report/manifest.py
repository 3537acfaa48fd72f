"""The manifest that stands beside a finished layer: how it was made and what it is, written and read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from layerforge import __version__
from layerforge.build.plan import Plan
from layerforge.core import guarded
from layerforge.core.runtimes import Arch
from layerforge.layer.archive import Archive
from layerforge.layer.data_files import LaidData
from layerforge.layer.fit_search import Fitted
from layerforge.layer.passes.deferring import Deferral, deferrals
from layerforge.layer.passes.setting import UNCOMPILABLE, LeftAlone, PassResult
from layerforge.layer.patches import AppliedPatch
from layerforge.layer.tree import Package, Tree
from layerforge.layer.variables import settled
from layerforge.resolve import recipe_values
from layerforge.resolve.left_out import LeftOut
from layerforge.resolve.recipe import Budget, Bytecode, Check, Compression
from layerforge.resolve.variant import Variant
from layerforge.verify.verdict import Verdict, verdict_data

SCHEMA = 2
"""Of the file, raised when what stands in it means something else."""


@dataclass(frozen=True, kw_only=True)
class EditGroup:
    """The edits of one pass that share a reason."""

    name: str
    """Of the pass."""
    reason: str
    bytes: int
    """Unzipped bytes saved."""
    files: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What stands beside a layer: how it was made and what it is. Holds no date and no path of a machine."""

    name: str
    python: str
    arch: Arch
    engine: str
    interpreter: str
    compression: Compression
    bytecode: Bytecode
    budget: Budget
    check: Check
    env: Mapping[str, str]
    """Variables that a function with the layer has to have, of those that recipes set."""
    requires: tuple[str, ...]
    left_out: tuple[LeftOut, ...] = ()
    """What is not in the layer on purpose."""
    sha256: str
    content_sha256: str
    zip_bytes: int
    unzipped_bytes: int
    packages: tuple[Package, ...]
    edits: tuple[EditGroup, ...]
    left: tuple[LeftAlone, ...]
    key: str
    """Of the plan."""
    layerforge: str
    """Version that made the layer."""
    patches: tuple[AppliedPatch, ...] = ()
    """Changes of packages' files by their recipes."""
    deferred: tuple[Deferral, ...] = ()
    """Imports that wait until something uses them."""
    data: tuple[LaidData, ...] = ()
    """Files that no wheel carries."""
    fit: Fitted | None = None
    """How settings were chosen; ``None`` where there was nothing to choose."""
    variant: Variant | None = None
    """What the layer is without; ``None`` where its packages are whole."""

    @property
    def uncompilable(self) -> frozenset[str]:
        """Sources that no bytecode can be made of."""
        return frozenset(left.path for left in self.left if left.reason.startswith(UNCOMPILABLE))


def manifest(
    plan: Plan,
    tree: Tree,
    passes: tuple[PassResult, ...],
    archive: Archive,
    engine: str,
    patches: tuple[AppliedPatch, ...] = (),
    data: tuple[LaidData, ...] = (),
    fit: Fitted | None = None,
) -> Manifest:
    """The manifest of a layer."""
    return Manifest(
        name=plan.spec.name,
        python=plan.target.python,
        arch=plan.target.arch,
        engine=engine,
        interpreter=plan.interpreter,
        compression=plan.compression,
        bytecode=plan.spec.bytecode,
        budget=plan.spec.budget,
        check=plan.spec.check,
        env=settled(plan.spec.env, tree),
        requires=plan.spec.requires,
        left_out=plan.spec.left_out,
        sha256=archive.sha256,
        content_sha256=archive.content_sha256,
        zip_bytes=archive.zipped,
        unzipped_bytes=archive.unzipped,
        packages=tree.packages,
        edits=tuple(group for result in passes for group in groups(result)),
        left=tuple(sorted((left for result in passes for left in result.left), key=lambda left: -left.bytes)),
        key=plan.key,
        layerforge=__version__,
        patches=patches,
        deferred=deferrals(plan.spec.bytecode),
        data=data,
        fit=fit,
        variant=plan.spec.variant,
    )


def groups(result: PassResult) -> Iterator[EditGroup]:
    """The edits of a pass by their reason, the one that saves most first."""
    by_reason: dict[str, list[tuple[str, int]]] = {}
    for edit in result.edits:
        by_reason.setdefault(edit.reason, []).append((edit.path, edit.saved))
    for reason, edits in sorted(by_reason.items(), key=lambda item: -sum(saved for _, saved in item[1])):
        paths = tuple(sorted(path for path, _ in edits))
        yield EditGroup(name=result.name, reason=reason, bytes=sum(saved for _, saved in edits), files=paths)


def saved(layer_manifest: Manifest) -> list[dict[str, Any]]:
    """Bytes and files by pass, in the order of the passes."""
    totals: dict[str, dict[str, Any]] = {}
    for group in layer_manifest.edits:
        row = totals.setdefault(group.name, {"pass": group.name, "bytes": 0, "files": 0})
        row["bytes"] += group.bytes
        row["files"] += len(group.files)
    return list(totals.values())


def manifest_json(layer_manifest: Manifest, verdict: Verdict | None = None) -> str:
    """The manifest as a file. ``verdict`` is ``None`` where nothing was verified."""
    data = {
        "schema": SCHEMA,
        **asdict(layer_manifest),
        "saved": saved(layer_manifest),
        "verified": verdict and verdict_data(verdict),
    }
    return json.dumps(data, indent=1, sort_keys=True) + "\n"


@dataclass(frozen=True, kw_only=True)
class ManifestFile:
    """What a manifest's file holds: how the layer was made, and what its verification found."""

    manifest: Manifest
    verdict: Verdict | None
    """``None`` where it was not verified."""

    @property
    def sha256(self) -> str:
        """Of the zip that it is about."""
        return self.manifest.sha256


@dataclass(frozen=True, kw_only=True)
class _Verified:
    verified: Verdict | None = None


def read_manifest(text: str) -> Manifest:
    """A manifest from its file. Raises ``guarded.Unreadable`` where it is none."""
    found = guarded.file_as(text, Manifest, SCHEMA, oldest=SCHEMA)
    if wrong := recipe_values.function_variables(found.env):
        raise guarded.Unreadable(f"env {wrong}")
    return found


def read_manifest_file(text: str) -> ManifestFile:
    """All of a manifest's file. Raises ``guarded.Unreadable`` where it is none."""
    return ManifestFile(manifest=read_manifest(text), verdict=guarded.json_as(text, _Verified).verified)
