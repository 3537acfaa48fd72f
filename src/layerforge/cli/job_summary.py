"""The summary of a GitHub job that builds layers, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from layerforge.cli.github import findings
from layerforge.core.limits import LAMBDA_UNZIPPED_LIMIT
from layerforge.core.text import cell, megabytes
from layerforge.report import manifest
from layerforge.report.delivery import Layer


def layers(finished: Iterable[Layer]) -> str:
    """Finished layers as Markdown: sizes, what was saved, digests, then every finding."""
    finished = tuple(finished)
    head = "| layer | zip | unzipped | of Lambda's limit | saved | findings | sha256 |\n|---|--:|--:|--:|--:|--:|---|\n"
    return head + "".join(map(_row, finished)) + "\n" + "".join(map(_findings, finished))


def _row(layer: Layer) -> str:
    layer_manifest = layer.manifest
    saved = sum(row["bytes"] for row in manifest.saved(layer_manifest))
    cells = (
        f"`{layer.path.name}`",
        megabytes(layer_manifest.zip_bytes),
        megabytes(layer_manifest.unzipped_bytes),
        f"{layer_manifest.unzipped_bytes / LAMBDA_UNZIPPED_LIMIT:.0%}",
        megabytes(saved),
        str(len(layer.verdict.findings)) if layer.verdict else "not verified",
        f"`{layer_manifest.sha256}`",
    )
    return f"| {' | '.join(cells)} |\n"


def _findings(layer: Layer) -> str:
    found = layer.verdict.findings if layer.verdict else ()
    return f"**{cell(layer.path.name)}**\n\n{findings(found)}" if found else ""
