"""What the store says of a layer is believed only as far as it is about that layer."""

from pathlib import Path
from typing import Any

import pytest

from fakes import FakeStore, a_manifest, target
from layerforge import __version__
from layerforge.build.interpreters import Interpreter
from layerforge.build.plan import Plan, plan
from layerforge.core import digest
from layerforge.core.runtimes import Arch
from layerforge.report import delivery
from layerforge.report.delivery import BuiltLayer
from layerforge.resolve import lock
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
