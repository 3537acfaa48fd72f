"""What the store says of a layer is believed only as far as it is about that layer."""

import datetime
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from fakes import FakeEngine, FakeProgress, FakeStore, a_manifest, target
from keys import assert_decided_by
from layerforge import __version__, pipeline
from layerforge.build.interpreters import Interpreter
from layerforge.build.plan import Plan, plan
from layerforge.core import digest
from layerforge.core.runtimes import Arch
from layerforge.report import delivery
from layerforge.report.delivery import BuiltLayer
from layerforge.report.manifest import Manifest
from layerforge.resolve import lock
from layerforge.resolve.recipe import Budget, Bytecode, BytecodeMode, Check, Compression, Recipe
from layerforge.verify.verdict import Verdict

PINS = lock.parse(f"demo==1 --hash=sha256:{'a' * 64}", "x").pins
CPYTHON = Interpreter(path=Path("/usr/bin/python3.13"), version="3.13.0")
ZIP = b"the bytes of a zip"


def a_plan() -> Plan:
    return plan(Recipe(name="demo", requires=("demo",)), target(), PINS, Compression.FAST, CPYTHON, 0)


def kept(store: Any, **facts: Any) -> Plan:
    """A plan whose layer the store holds, with ``facts`` in the place of what its manifest should say."""
    made = a_plan()
    right: dict[str, Any] = {"key": made.key, "sha256": digest.sha256(ZIP), "layerforge": __version__}
    manifest = a_manifest(**{**right, **facts})
    delivery.keep(made, BuiltLayer(manifest=manifest, sbom="sbom", licences="licences", data=ZIP), store)
    return made


def recalled(store: Any, made: Plan) -> BuiltLayer | None:
    return delivery.recall(made, store, FakeProgress())


def test_a_layer_that_was_kept_is_recalled() -> None:
    store = FakeStore()
    found = recalled(store, kept(store))
    assert found is not None
    assert (found.data, found.sbom, found.licences) == (ZIP, "sbom", "licences")


@pytest.mark.parametrize(
    "facts",
    [
        {"key": "another"},
        {"name": "another"},
        {"python": "3.12"},
        {"arch": Arch.ARM64},
        {"interpreter": ""},
        {"compression": Compression.MAX},
        {"bytecode": Bytecode(mode=BytecodeMode.NONE)},
        {"layerforge": "0"},
        {"sha256": "a" * 64},
    ],
)
def test_a_manifest_of_another_layer_is_none_of_the_plan(facts: dict[str, Any]) -> None:
    store = FakeStore()
    assert recalled(store, kept(store, **facts)) is None


def test_another_zip_under_the_digest_of_the_right_one_is_not_delivered() -> None:
    store = FakeStore()
    made = kept(store)
    store.values["archive", digest.sha256(ZIP)] = b"a foreign zip"
    assert recalled(store, made) is None


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        b'{"manifest": 1, "sbom": "", "licences": ""}',
        b'{"manifest": "[]", "sbom": "", "licences": ""}',
        b'{"manifest": "{}", "sbom": [], "licences": ""}',
    ],
)
def test_a_record_of_another_form_is_none(record: bytes) -> None:
    store = FakeStore()
    made = kept(store)
    store.values["layer", made.key] = record
    assert recalled(store, made) is None


# --- verdicts

CLEAN = Verdict(engine="fake", skipped="", findings=(), notes=("a note",))


def stored(**facts: Any) -> bytes:
    return json.dumps({"about": ["this"], "verdict": asdict(CLEAN), **facts}).encode()


def test_a_verdict_comes_back_as_it_was_kept() -> None:
    assert pipeline.said_before(stored(), digest.of_json(["this"])) == CLEAN


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
    assert pipeline.said_before(value, digest.of_json(["this"])) is None


def test_what_was_said_of_other_bytes_is_not_said_of_these() -> None:
    made, engine = a_plan(), FakeEngine(outcomes=[])
    forged = BuiltLayer(manifest=a_manifest(sha256=digest.sha256(ZIP)), sbom="", licences="", data=ZIP)
    other = replace(forged, manifest=a_manifest(sha256="b" * 64))
    facts = pipeline.about(made, forged, engine)
    assert facts != pipeline.about(made, other, engine)
    assert digest.of_json(json.loads(json.dumps(facts))) == digest.of_json(facts)


class Alike(FakeEngine):
    """An engine whose identity does not depend on its name."""

    @property
    def identity(self) -> str:
        return self.refuses


@dataclass(frozen=True, kw_only=True)
class Asked:
    """All that a verdict is about."""

    plan: Plan
    manifest: Manifest
    engine: str = "fake"
    identity: str = "1"

    @property
    def key(self) -> str:
        forged = BuiltLayer(manifest=self.manifest, sbom="", licences="", data=ZIP)
        engine = Alike(outcomes=[], name=self.engine, refuses=self.identity)
        return digest.of_json(pipeline.about(self.plan, forged, engine))


def test_each_thing_that_a_verdict_depends_on_changes_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    base = Asked(plan=a_plan(), manifest=a_manifest())
    manifest = replace(base.manifest, sha256="c" * 64)
    parts = {"plan": replace(base.plan, interpreter="3.13.1"), "manifest": manifest, "engine": "b", "identity": "2"}
    assert_decided_by(lambda asked: asked.key, base, parts)
    first = base.key
    monkeypatch.setattr(pipeline, "__version__", "another")
    assert base.key != first


def test_of_a_plan_target_interpreter_and_what_the_recipe_checks_change_a_verdicts_key() -> None:
    base = Asked(plan=a_plan(), manifest=a_manifest())
    recipe = base.plan.recipe
    parts = {
        "target": target("3.12"),
        "interpreter": "3.13.1",
        "recipe": replace(recipe, check=Check(imports=("a",))),
    }
    # What these decide is in the bytes, whose digest is in the key.
    never = {"compression": Compression.MAX, "steps": (), "epoch": 1, "key": "another", "indexes": ("--no-index",)}
    assert_decided_by(lambda plan: replace(base, plan=plan).key, base.plan, parts, never)
    assert_decided_by(
        lambda check: replace(base, plan=replace(base.plan, recipe=replace(recipe, check=check))).key,
        Check(),
        {"imports": ("a",), "script": "1", "single": ("a",), "excused": {"a": "b"}},
    )
    assert_decided_by(
        lambda budget: replace(base, plan=replace(base.plan, recipe=replace(recipe, budget=budget))).key,
        Budget(),
        {"zipped": 1, "unzipped": 1},
    )
    arm = replace(base, plan=replace(base.plan, target=target(arch=Arch.ARM64)))
    assert arm.key != base.key


def test_a_verdict_holds_for_a_month() -> None:
    before = datetime.datetime.now(datetime.UTC)
    facts = pipeline.about(a_plan(), BuiltLayer(manifest=a_manifest(), sbom="", licences="", data=ZIP), FakeEngine([]))
    after = datetime.datetime.now(datetime.UTC)
    assert facts[0][0] in {f"{moment:%Y-%m}" for moment in (before, after)}
