"""A kept verdict is believed only as far as it is about that layer."""

import datetime
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import zips
from fakes import FakeEngine, FakeStore, target
from keys import assert_decided_by
from layerforge.build.engine import Outcome
from layerforge.build.interpreters import Interpreter
from layerforge.build.plan import Plan, plan
from layerforge.core import digest
from layerforge.core.findings import Finding, Severity
from layerforge.core.runtimes import Arch
from layerforge.examine import examine
from layerforge.resolve import lock
from layerforge.resolve.fit import Fit, Goal
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import Budget, Check, CheckScript, Compression
from layerforge.verify import verifying
from layerforge.verify.rules_table import Expect
from layerforge.verify.verdict import Verdict

PINS = lock.parse(f"demo==1 --hash=sha256:{'a' * 64}", "x").pins
CPYTHON = Interpreter(path=Path("/usr/bin/python3.13"), version="3.13.0")


def a_plan() -> Plan:
    return plan(LayerSpec(name="demo", requires=("demo",)), target(), PINS, Compression.FAST, CPYTHON, 0)


CLEAN = Verdict(engine="fake", skipped="", findings=(), notes=("a note",))


def stored(**facts: Any) -> bytes:
    return json.dumps({"about": ["this"], "verdict": asdict(CLEAN), **facts}).encode()


def recalled_verdict(value: bytes) -> Verdict | None:
    return verifying.recall(["this"], FakeStore(values={(verifying.KIND, digest.of_json(["this"])): value}))


def test_a_verdict_comes_back_as_it_was_kept() -> None:
    assert recalled_verdict(stored()) == CLEAN


@pytest.mark.parametrize(
    "value",
    [
        b"[]",
        b"{}",
        b"\xff",
        stored(about=["that"]),
        stored(about="this"),
        stored(verdict=[]),
        stored(verdict={**asdict(CLEAN), "engine": 1}),
        stored(verdict={**asdict(CLEAN), "findings": [{"rule": "LF101"}]}),
        stored(
            verdict={
                **asdict(CLEAN),
                "findings": [{"rule": "LF101", "severity": "error", "path": "", "message": "m", "hint": "h"}],
            }
        ),
    ],
)
def test_a_verdict_of_another_form_or_about_something_else_is_none(value: bytes) -> None:
    assert recalled_verdict(value) is None


def test_what_was_said_of_other_bytes_is_not_said_of_these() -> None:
    made, engine = a_plan(), FakeEngine(outcomes=[])
    facts = verifying.about(made, "a" * 64, engine)
    assert facts != verifying.about(made, "b" * 64, engine)
    assert digest.of_json(json.loads(json.dumps(facts))) == digest.of_json(facts)


def test_only_a_verdict_without_errors_is_kept() -> None:
    store = FakeStore()
    bad = Finding(rule="LF101", severity=Severity.ERROR, path="", message="m", hint="h")
    verifying.keep(["this"], replace(CLEAN, findings=(bad,)), store)
    assert store.values == {}
    verifying.keep(["this"], CLEAN, store)
    assert verifying.recall(["this"], store) == CLEAN


class Alike(FakeEngine):
    """An engine whose identity does not depend on its name."""

    @property
    def identity(self) -> str:
        return self.refuses


@dataclass(frozen=True, kw_only=True)
class Asked:
    """All that a verdict is about."""

    plan: Plan
    sha256: str = "a" * 64
    engine: str = "fake"
    identity: str = "1"

    @property
    def key(self) -> str:
        engine = Alike(outcomes=[], name=self.engine, refuses=self.identity)
        return digest.of_json(verifying.about(self.plan, self.sha256, engine))


def test_each_thing_that_a_verdict_depends_on_changes_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    base = Asked(plan=a_plan())
    parts = {"plan": replace(base.plan, interpreter="3.13.1"), "sha256": "c" * 64, "engine": "b", "identity": "2"}
    assert_decided_by(lambda asked: asked.key, base, parts)
    first = base.key
    monkeypatch.setattr(verifying, "__version__", "another")
    assert base.key != first


def test_of_a_plan_target_interpreter_and_what_the_recipe_checks_change_a_verdicts_key() -> None:
    base = Asked(plan=a_plan())
    spec = base.plan.spec
    parts = {
        "target": target("3.12"),
        "interpreter": "3.13.1",
        "spec": replace(spec, check=Check(imports=("a",))),
    }
    # What these decide is in the bytes, whose digest is in the key.
    never: dict[str, Any] = {
        "compression": Compression.MAX,
        "steps": (),
        "epoch": 1,
        "key": "another",
        "indexes": ("--no-index",),
    }
    never |= {"goal": Goal(fit=Fit(zipped=9)), "without": a_plan()}
    assert_decided_by(lambda plan: replace(base, plan=plan).key, base.plan, parts, never)
    assert_decided_by(
        lambda check: replace(base, plan=replace(base.plan, spec=replace(spec, check=check))).key,
        Check(),
        {
            "imports": ("a",),
            "covered": ("a",),
            "scripts": (CheckScript(package="a", text="1"),),
            "single": ("a",),
            "excused": {"a": "b"},
        },
    )
    assert_decided_by(
        lambda budget: replace(base, plan=replace(base.plan, spec=replace(spec, budget=budget))).key,
        Budget(),
        {"zipped": 1, "unzipped": 1},
    )
    arm = replace(base, plan=replace(base.plan, target=target(arch=Arch.ARM64)))
    assert arm.key != base.key


def test_the_variables_that_a_layer_runs_with_change_a_verdicts_key() -> None:
    base = Asked(plan=a_plan())
    spec = replace(base.plan.spec, env={"DEMO_DATA": "/opt/share/demo"})
    assert replace(base, plan=replace(base.plan, spec=spec)).key != base.key


def test_a_layer_runs_with_the_variables_of_its_function(tmp_path: Path) -> None:
    engine = FakeEngine(outcomes=[Outcome(status=0, output="", seconds=1.0)])
    seen = examine.examine(zips.of(tmp_path / "pkg.zip", zips.sound()))
    spec = LayerSpec(name="demo", requires=("demo",), env={"DEMO_DATA": "/opt/share/demo"})
    expect = Expect(target=target("3.11"), spec=spec)
    verifying.verify(seen, expect, engine, tmp_path / "work", advice=(), unrun="")
    assert [job.env for job in engine.jobs] == [{"DEMO_DATA": "/opt/share/demo"}]


def test_a_verdict_holds_for_a_month() -> None:
    before = datetime.datetime.now(datetime.UTC)
    facts = verifying.about(a_plan(), "a" * 64, FakeEngine([]))
    after = datetime.datetime.now(datetime.UTC)
    assert facts[0][0] in {f"{moment:%Y-%m}" for moment in (before, after)}
