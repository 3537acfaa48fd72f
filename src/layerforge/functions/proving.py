"""Holds the layers of a function, as it has them all together, against every rule, and runs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from layerforge.build import elsewhere
from layerforge.build.runtime_packages import provided
from layerforge.build.session import Session
from layerforge.core.faults import writing
from layerforge.examine.examine import examine
from layerforge.functions import together
from layerforge.planning import Prepared
from layerforge.report.delivery import BuiltLayer
from layerforge.resolve.catalogue import Catalogue
from layerforge.resolve.compose import compose
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.layers_lock import LockedFunction, LockedLayer
from layerforge.verify import verifying
from layerforge.verify.rules_table import Expect
from layerforge.verify.verdict import Verdict, mark, summary


@dataclass(frozen=True, kw_only=True)
class MadeLayer:
    """A layer of a split that the store has."""

    locked: LockedLayer
    prepared: Prepared
    built: BuiltLayer


def proved(function: LockedFunction, layers: Sequence[MadeLayer], known: Catalogue) -> Verdict:
    """The verdict on a function's layers, in the order in which it has them. It is kept, and recalled where the same
    bytes did well before under the same checks.

    What the function carries and does not need is not imported: what that needs in turn may be in no layer of its own.
    """
    session = layers[0].prepared.session
    expect = _expected(function, layers, known)
    unneeded = sorted({pin.name for one in layers for pin in one.prepared.plan.pins} - {*function.packages})
    facts = [*_about(expect, layers, session), unneeded]
    with session.progress.step(f"verify {function.name}") as step:
        if (kept := verifying.recall(facts, session.store)) is not None:
            step.note(f"{summary(kept)} (these bytes were verified before)", mark(kept))
            return kept
        verdict = _judged(layers, expect, session, unneeded)
        step.note(summary(verdict), mark(verdict))
    if verdict.skipped != elsewhere.REFUSAL:
        verifying.keep(facts, verdict, session.store)
    return verdict


def _expected(function: LockedFunction, layers: Sequence[MadeLayer], known: Catalogue) -> Expect:
    """What a function's layers are held against: what the recipes say of the packages that it needs."""
    first = layers[0].prepared
    target, builder = first.plan.target, first.session.builder
    pins = [pin for one in layers for pin in one.prepared.plan.pins]
    needed = [pin for pin in pins if pin.name in function.packages]
    compiling = builder is not None and not first.options.wheels
    spec = LayerSpec(name=function.name, requires=function.packages)
    spec = compose(spec, needed, known, target, compiling=compiling, image=builder is not None).spec
    env = together.variables([(one.locked.name, one.built.manifest.env) for one in layers])
    code = together.compiled(one.built.manifest.bytecode for one in layers)
    spec = replace(spec, env=env, left_out=function.absent, bytecode=code)
    bad = frozenset(path for one in layers for path in one.built.manifest.uncompilable)
    return Expect(target=target, spec=spec, bytecode=first.plan.spec.bytecode.mode, uncompilable=bad)


def _about(expect: Expect, layers: Sequence[MadeLayer], session: Session) -> list[Any]:
    """All that decides the verdict, as data for JSON."""
    spec, first = expect.spec, layers[0]
    assert spec is not None
    own = verifying.about(first.prepared.plan, first.built.manifest.sha256, session.engine)
    sums = [one.built.manifest.sha256 for one in layers]
    return [own, sums, asdict(spec.check), dict(spec.env), [one.name for one in spec.left_out]]


def _judged(layers: Sequence[MadeLayer], expect: Expect, session: Session, unneeded: Sequence[str]) -> Verdict:
    assert expect.spec is not None
    beside = provided(expect.spec, expect.target, session.engine, session.store, session.progress)
    with session.store.workspace() as workspace, writing(session.store.root):
        parts = []
        for one in layers:
            path = workspace / f"{one.locked.name}.zip"
            path.write_bytes(one.built.data)
            parts.append(examine(path, expect.target))
        return together.verify_together(
            parts, expect, session.engine, workspace, beside, unrun=beside.lacking, unneeded=unneeded
        )
