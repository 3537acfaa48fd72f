"""The manifest that stands beside a finished layer, and what else is shown of one, as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from layerforge import __version__, guarded
from layerforge.model import (
    Archive,
    EditGroup,
    Finding,
    Manifest,
    PassResult,
    Plan,
    Tree,
    Verdict,
)


def manifest(plan: Plan, tree: Tree, passes: tuple[PassResult, ...], archive: Archive, engine: str) -> Manifest:
    """The manifest of a layer."""
    return Manifest(
        name=plan.recipe.name,
        python=plan.target.python,
        arch=plan.target.arch,
        engine=engine,
        interpreter=plan.interpreter,
        compression=plan.compression,
        bytecode=plan.recipe.bytecode,
        budget=plan.recipe.budget,
        check=plan.recipe.check,
        requires=plan.recipe.requires,
        sha256=archive.sha256,
        content_sha256=archive.content_sha256,
        zip_bytes=archive.zipped,
        unzipped_bytes=archive.unzipped,
        packages=tree.packages,
        edits=tuple(group for result in passes for group in groups(result)),
        left=tuple(left for result in passes for left in result.left),
        key=plan.key,
        layerforge=__version__,
    )


def groups(result: PassResult) -> Iterator[EditGroup]:
    """The edits of a pass by their reason, the one that saves most first."""
    by_reason: dict[str, list[tuple[str, int]]] = {}
    for edit in result.edits:
        by_reason.setdefault(edit.reason, []).append((edit.path, edit.saved))
    for reason, edits in sorted(by_reason.items(), key=lambda item: -sum(saved for _, saved in item[1])):
        paths = tuple(sorted(path for path, _ in edits))
        yield EditGroup(name=result.name, reason=reason, bytes=sum(saved for _, saved in edits), files=paths)


def saved(made: Manifest) -> list[dict[str, Any]]:
    """Bytes and files by pass, in the order of the passes."""
    totals: dict[str, dict[str, Any]] = {}
    for group in made.edits:
        row = totals.setdefault(group.name, {"pass": group.name, "bytes": 0, "files": 0})
        row["bytes"] += group.bytes
        row["files"] += len(group.files)
    return list(totals.values())


def manifest_json(made: Manifest, verdict: Verdict | None = None) -> str:
    """The manifest as a file. ``verdict`` is ``None`` where nothing was verified."""
    data = {"schema": 1, **asdict(made), "saved": saved(made), "verified": verdict and verdict_data(verdict)}
    return json.dumps(data, indent=1, sort_keys=True) + "\n"


def verdict_data(verdict: Verdict) -> dict[str, Any]:
    """A verdict as data for JSON, without what is another in the next run: notes depend on the date, figures vary."""
    return {"engine": verdict.engine, "skipped": verdict.skipped, "findings": findings_json(verdict.findings)}


def run_data(verdict: Verdict) -> dict[str, Any]:
    """A verdict as data for JSON, with all that belongs to the run that it came from."""
    return {**verdict_data(verdict), "figures": asdict(verdict.figures), "notes": list(verdict.notes)}


@dataclass(frozen=True, kw_only=True)
class Made:
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


def findings_json(findings: Iterable[Finding]) -> list[dict[str, str]]:
    """Findings as data for JSON."""
    return [{key: str(value) for key, value in asdict(finding).items()} for finding in findings]


def read_manifest(text: str) -> Manifest:
    """A manifest from its file. Raises ``guarded.Unreadable`` where it is none."""
    return guarded.json_as(text, Manifest)


def read_made(text: str) -> Made:
    """All of a manifest's file. Raises ``guarded.Unreadable`` where it is none."""
    data = guarded.json_value(text)
    return Made(manifest=guarded.as_(data, Manifest), verdict=guarded.as_(data, _Verified).verified)
