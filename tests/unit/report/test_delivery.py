"""What the store says of a layer is believed only as far as it is about that layer."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fakes import FakeStore, a_manifest, target
from layerforge import __version__
from layerforge.build.interpreters import Interpreter
from layerforge.build.plan import Plan, plan
from layerforge.core import digest
from layerforge.core.runtimes import Arch
from layerforge.layer.fit_search import Fitted
from layerforge.report import delivery
from layerforge.report.delivery import BuiltLayer
from layerforge.resolve import lock
from layerforge.resolve.fit import Fit, Goal, Way
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import Bytecode, BytecodeMode, Compression

PINS = lock.parse(f"demo==1 --hash=sha256:{'a' * 64}", "x").pins
CPYTHON = Interpreter(path=Path("/usr/bin/python3.13"), version="3.13.0")
ZIP = b"the bytes of a zip"


def a_plan() -> Plan:
    return plan(LayerSpec(name="demo", requires=("demo",)), target(), PINS, Compression.FAST, CPYTHON, 0)


def kept(store: Any, **facts: Any) -> Plan:
    """A plan whose layer the store holds, with ``facts`` in the place of what its manifest should say."""
    made = a_plan()
    right: dict[str, Any] = {"key": made.key, "sha256": digest.sha256(ZIP), "layerforge": __version__}
    manifest = a_manifest(**{**right, **facts})
    delivery.keep(made, BuiltLayer(manifest=manifest, sbom="sbom", licences="licences", data=ZIP), store)
    return made


def recalled(store: Any, made: Plan) -> BuiltLayer | None:
    return delivery.recall(made, store)


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


FITTED = Fitted(fit=Fit(zipped=99), required=True, tries=(), taken=(Way.SMALL, Way.ONLY))


def fitting(store: Any, ways: tuple[Way, ...], **facts: Any) -> tuple[Plan, BuiltLayer | None]:
    """A plan whose layer may be made to fit in some ways, and what the store gives for one made in others."""
    made = replace(a_plan(), goal=Goal(fit=Fit(zipped=99), ways=ways))
    right: dict[str, Any] = {"key": made.key, "sha256": digest.sha256(ZIP), "layerforge": __version__, "fit": FITTED}
    right |= {"compression": Compression.SMALL, "bytecode": Bytecode(mode=BytecodeMode.ONLY)}
    delivery.keep(made, BuiltLayer(manifest=a_manifest(**(right | facts)), sbom="", licences="", data=ZIP), store)
    return made, delivery.recall(made, store)


def test_a_layer_that_was_made_to_fit_is_recalled_with_the_settings_that_were_chosen() -> None:
    store: Any = FakeStore()
    made, layer = fitting(store, tuple(Way))
    assert layer is not None
    assert layer.manifest.fit == FITTED
    done = delivery.carried_out(made, layer.manifest)
    assert (done.compression, done.spec.bytecode.mode) == (Compression.SMALL, BytecodeMode.ONLY)
    assert delivery.kept_plan(made, store) == done
    store.values.clear()
    assert delivery.kept_plan(made, store) == made


@pytest.mark.parametrize(
    ("ways", "facts"),
    [
        ((Way.SMALL,), {}),
        ((), {}),
        (tuple(Way), {"compression": Compression.FAST}),
        (tuple(Way), {"bytecode": Bytecode()}),
        (tuple(Way), {"fit": None}),
        (tuple(Way), {"fit": replace(FITTED, taken=(Way.SMALL, Way.RUNTIME, Way.ONLY))}),
    ],
)
def test_one_that_says_it_was_made_in_ways_that_the_plan_has_not_is_none_of_the_plan(
    ways: tuple[Way, ...], facts: dict[str, Any]
) -> None:
    _, layer = fitting(FakeStore(), ways, **facts)
    assert layer is None


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
