"""The verdict on an examined layer: every rule, then its check where it can be run; and verdicts that are kept."""

from __future__ import annotations

import datetime
import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from layerforge import __version__
from layerforge.build.engine import Engine
from layerforge.build.plan import Plan
from layerforge.core import digest, guarded
from layerforge.core.findings import Finding
from layerforge.core.paths import PRIME
from layerforge.core.store.protocol import Store
from layerforge.examine.examination import Examination
from layerforge.examine.unpack import unpack
from layerforge.layer.passes.deferring import deferrals
from layerforge.layer.passes.priming import is_shared
from layerforge.resolve.recipe import Check, CheckScript
from layerforge.verify import rules
from layerforge.verify.imports import imports_of
from layerforge.verify.notes import notes
from layerforge.verify.rules_table import Expect
from layerforge.verify.run_check import Checked, nothing_proved, run_check
from layerforge.verify.verdict import Figures, Verdict, errors_of

CHECK_SECONDS = 300.0
"""How long a layer's own check may take."""

KIND = "verdict"

_PRIMES = f"""\
import {PRIME}

failed = {PRIME}.prime()
assert not failed, "; ".join(failed)
"""


@dataclass(frozen=True, kw_only=True)
class KeptVerdict:
    """What the store holds of a verdict: what it is about, and the verdict."""

    about: list[Any]
    verdict: Verdict


def verify(
    examination: Examination,
    expect: Expect,
    engine: Engine,
    workspace: Path,
    *,
    advice: tuple[str, ...],
    unrun: str,
    runtime: Path | None = None,
    known: tuple[Finding, ...] = (),
    unneeded: Collection[str] = (),
) -> Verdict:
    """Holds any layer against every rule, then runs its check where ``engine`` can and ``unrun`` gives no reason
    against it. ``advice`` goes with the notes; ``runtime`` is where packages of Lambda's own Python lie; ``known`` are
    findings of whoever has looked at it before, and ``unneeded`` packages that are not imported.
    """
    findings = (*known, *(_with_ways(one, advice) for one in rules.judge(examination, expect)))
    skipped = engine.refusal(expect.target) or unrun
    if errors_of(findings):
        skipped = "the rules found errors"
    checked = Checked(findings=(), notes=(), figures=Figures())
    if not skipped:
        unpack(examination.path, workspace / "opt")
        check, env = (expect.spec.check, expect.spec.env) if expect.spec else (Check(), {})
        proving = replace(examination, members=tuple(one for one in examination.members if one.package not in unneeded))
        imports = imports_of(proving, check.imports, check.covered)
        opt, out = workspace / "opt", expect.spec.left_out if expect.spec else ()
        checked = run_check(
            engine,
            expect.target,
            opt,
            imports,
            (*check.scripts, *_priming(examination)),
            CHECK_SECONDS,
            env=env,
            runtime=runtime,
            left_out=out,
            waiting=deferrals(expect.spec.bytecode) if expect.spec else (),
        )
        if not imports.names and not check.scripts:
            findings += nothing_proved(proving)
    return Verdict(
        engine="" if skipped else engine.name,
        skipped=skipped,
        findings=findings + checked.findings,
        notes=(*notes(examination, expect), *advice, *checked.notes),
        figures=checked.figures,
    )


def _priming(examination: Examination) -> tuple[CheckScript, ...]:
    """What proves that a layer can be primed before a snapshot, where it is made for that."""
    there = any(map(is_shared, examination.by_path))
    return (CheckScript(package=PRIME, text=_PRIMES),) if there else ()


def _with_ways(finding: Finding, advice: tuple[str, ...]) -> Finding:
    """A finding on a layer that is too large, with what could go of this one before what helps any."""
    return replace(finding, hint="; ".join((*advice, finding.hint))) if finding.rule == "LF301" else finding


def about(plan: Plan, sha256: str, engine: Engine) -> list[Any]:
    """All that decides the verdict on a layer of these bytes, as data for JSON."""
    # Once a month anew: some of what is said of a layer depends on the date.
    month = datetime.datetime.now(datetime.UTC).strftime("%Y-%m")
    return [
        [month, __version__, sha256, plan.target.label, plan.interpreter, engine.name],
        [engine.identity, asdict(plan.spec.check), asdict(plan.spec.budget), dict(plan.spec.env)],
        [one.name for one in plan.spec.left_out],
    ]


def keep(facts: list[Any], verdict: Verdict, store: Store) -> None:
    """Keeps a verdict, unless it has errors: whoever meets these wants them looked at anew."""
    if not errors_of(verdict.findings):
        value = json.dumps({"about": facts, "verdict": asdict(verdict)}).encode()
        store.put(KIND, digest.of_json(facts), value)


def recall(facts: list[Any], store: Store) -> Verdict | None:
    """The verdict that is kept for these facts; ``None`` where there is none, or one that is about something else."""
    key = digest.of_json(facts)
    kept = store.get(KIND, key)
    try:
        found = guarded.json_as(kept, KeptVerdict) if kept else None
    except guarded.Unreadable:
        return None
    if not found or digest.of_json(found.about) != key or errors_of(found.verdict.findings):
        return None
    return found.verdict
