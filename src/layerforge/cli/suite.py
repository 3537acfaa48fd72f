"""``layerforge verify --suite``: a package's own tests against a layer. No command of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from layerforge.build.engine import Builder
from layerforge.build.errors import EngineError
from layerforge.cli import engines, output_files, terminal
from layerforge.cli.screen import Screen
from layerforge.core.errors import VerificationError
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Target
from layerforge.core.store.disk import DiskStore
from layerforge.core.text import counted
from layerforge.measure.suite import compare
from layerforge.measure.suite.compare import Proof
from layerforge.measure.suite.prepare import SuiteRequest
from layerforge.measure.suite.prove import prove
from layerforge.verify import verdict

MOST_FINDINGS = 30
"""How many of them are shown; the JSON has all."""

MOST_NAMES = 5


def builder(engine: str, image: str | None, target: Target, progress: Progress) -> Builder:
    """Where the tests run. Raises ``EngineError`` where there are no containers."""
    if engine == "host":
        raise EngineError(
            "a package's own tests run in containers only",
            hint="leave out `--engine host`; `layerforge doctor` says what is missing",
        )
    chosen = engines.choose("docker", image, target, None, progress).builder
    assert chosen is not None, "the container engine compiles"
    return chosen


def run(
    order: SuiteRequest, builder: Builder, store: DiskStore, progress: Progress, write: Path | None, *, as_json: bool
) -> None:
    """Proves a layer and shows the result. Raises ``VerificationError`` where the layer is worse than the wheels."""
    if write is not None:
        output_files.check(write, "suite.json")
    proof = prove(order, builder, store, progress)
    data = {
        "path": str(order.examination.path),
        **compare.data(proof),
        "findings": verdict.findings_json(proof.findings),
    }
    if write is not None:
        output_files.write(write, (json.dumps(data, indent=1) + "\n").encode())
    if as_json:
        terminal.print_json(data)
    show(terminal.report(taken=as_json), proof, data)
    if proof.findings:
        more = "" if write else "; --write FILE keeps all of them"
        raise VerificationError(
            f"{proof.package} does on {order.examination.path} what it does not on the index's wheels: "
            f"{counted(len(proof.findings), 'finding')}",
            hint=f"[check.excused] of a recipe takes what is meant, with a reason{more}",
        )


def show(out: Screen, proof: Proof, data: dict[str, Any]) -> None:
    """Counts by outcome on both sides, what is worth knowing, then findings."""
    layer, wheels = data["layer"]["counts"], data["wheels"]["counts"]
    rows = [(name, f"{layer.get(name, 0):,}", f"{wheels.get(name, 0):,}") for name in sorted({*layer, *wheels})]
    out.line()
    out.table(f"{proof.package} {proof.version}", ("tests", "layer", "wheels"), rows)
    compared = proof.compared
    for text, names in (
        ("fail on both sides", compared.both),
        ("fail on the wheels alone", compared.better),
        ("are skipped on the layer alone", compared.skipped),
        ("failed once and passed alone", proof.flaky),
        ("are excused by the recipe", tuple(proof.excused)),
        ("globs of [check.excused] excuse nothing", proof.unused),
    ):
        if names:
            more = " …" if len(names) > MOST_NAMES else ""
            listed = ", ".join(names[:MOST_NAMES]) + more
            out.line((f"  {len(names):,} {text}: {listed}", "dim"))
    terminal.verdict(out, proof.findings[:MOST_FINDINGS], ())
    if len(proof.findings) > MOST_FINDINGS:
        out.line(f"… and {len(proof.findings) - MOST_FINDINGS:,} more")
    if not proof.findings:
        out.line("no findings")
