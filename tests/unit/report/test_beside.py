from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from fakes import target
from layerforge.core.runtimes import Arch
from layerforge.examine.guess import guess_target
from layerforge.report import beside as beside_zip
from layerforge.report import manifest
from layerforge.report.beside import Beside, beside, expected
from layerforge.report.manifest import Manifest
from layerforge.report.sbom.reading import read_sbom
from layerforge.verify.rules_table import Expect
from unit.report.page.samples import MANIFEST, SBOM, VERDICT
from zips import an_examination


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    """A place for a zip with everything beside it."""
    (tmp_path / "demo.manifest.json").write_text(manifest.manifest_json(MANIFEST, VERDICT))
    (tmp_path / "demo.sbom.json").write_text(json.dumps(SBOM))
    (tmp_path / "demo.coldstart.json").write_text('{"imports": []}')
    return tmp_path / "demo.zip"


def test_what_is_about_the_same_bytes_is_taken(layer: Path) -> None:
    found = beside(layer, "ab")
    assert found.manifest == MANIFEST
    assert found.verdict == VERDICT
    assert found.sbom == read_sbom("demo.sbom.json", json.dumps(SBOM))
    assert found.coldstart is not None
    assert found.refused == ()


def test_what_is_about_another_zip_is_left_out_and_said(layer: Path) -> None:
    found = beside(layer, "ef")
    assert (found.manifest, found.verdict, found.sbom) == (None, None, None)
    assert [line.partition(" is ")[0] for line in found.refused] == ["demo.manifest.json", "demo.sbom.json"]


def test_a_zip_alone_has_nothing_beside_it(tmp_path: Path) -> None:
    assert beside(tmp_path / "demo.zip", "ab") == Beside()


@pytest.mark.parametrize(
    "text", ["", "[]", "3", "{}", '{"verified": 3}', '{"metadata": [], "components": 1}', "\udcff"]
)
def test_damaged_files_are_left_out_and_said(layer: Path, text: str) -> None:
    for tail in (".manifest.json", ".sbom.json", ".coldstart.json"):
        layer.with_suffix(tail).write_bytes(text.encode("utf-8", "surrogateescape"))
    found = beside(layer, "ab")
    assert found.manifest is None
    assert found.coldstart is None
    assert {line.partition(" ")[0] for line in found.refused} >= {"demo.manifest.json", "demo.coldstart.json"}


def test_an_sbom_whose_names_are_no_text_is_left_out_and_said(layer: Path) -> None:
    layer.with_suffix(".sbom.json").write_text('{"components": [{"name": 5}]}')
    found = beside(layer, "ab")
    assert found.sbom is None
    assert any("Expected `str`, got `int`" in line for line in found.refused)


def test_a_folder_in_place_of_a_file_is_said(layer: Path) -> None:
    layer.with_suffix(".sbom.json").unlink()
    layer.with_suffix(".sbom.json").mkdir()
    assert beside(layer, "ab").refused == ("demo.sbom.json cannot be read: Is a directory",)


def test_a_layer_that_was_not_verified_has_no_verdict(layer: Path) -> None:
    layer.with_suffix(".manifest.json").write_text(manifest.manifest_json(MANIFEST))
    assert beside(layer, "ab") == replace(beside(layer, "ab"), manifest=MANIFEST, verdict=None)


def test_components_of_an_sbom_come_with_the_libraries_inside_them() -> None:
    [demo, library] = read_sbom("demo.sbom.json", json.dumps(SBOM)).components
    assert (demo.ref, demo.licences, demo.depth) == ("pkg:pypi/demo@1.0", ("MIT", "0BSD", "Mine"), 0)
    assert (library.name, library.path, library.depth) == ("libx.so", "python/demo.libs/libx.so", 1)


# --- the manifest alone


def told(path: Path, sha256: str = "ab") -> tuple[Manifest | None, list[str]]:
    """The manifest of a zip, and what is said of it."""
    said: list[str] = []
    return beside_zip.manifest(an_examination(path=path, sha256=sha256), said.append), said


def test_the_manifest_of_the_same_bytes_is_taken_without_a_word(layer: Path) -> None:
    assert told(layer) == (MANIFEST, [])


def test_without_a_manifest_nothing_is_said(tmp_path: Path) -> None:
    assert told(tmp_path / "demo.zip") == (None, [])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"schema": 3}, "its schema is 3, and this layerforge reads schema 2"),
        ({"schema": 1}, "its schema is 1, and this layerforge reads schema 2"),
        ({"requires": [5]}, "Expected `str`, got `int`"),
        ({"sha256": "ef"}, "demo.manifest.json does not belong to demo.zip"),
    ],
)
def test_a_manifest_that_is_not_taken_is_told_of(layer: Path, change: dict[str, object], says: str) -> None:
    path = layer.with_suffix(".manifest.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    found, said = told(layer)
    assert found is None
    assert len(said) == 1
    assert says in said[0]


def test_a_zip_is_for_what_it_is_told_to_be_else_what_its_manifest_says_else_what_its_files_suggest() -> None:
    seen = an_examination()
    made = replace(MANIFEST, python="3.12", arch=Arch.ARM64)
    assert beside_zip.target_of(seen, made).label == "py312-arm64"
    assert beside_zip.target_of(seen, made, "3.11").label == "py311-arm64"
    assert beside_zip.target_of(seen, made, None, "x86_64").label == "py312-x86_64"
    assert beside_zip.target_of(seen, None) == guess_target(seen)


def test_a_layer_is_held_against_what_its_manifest_promises() -> None:
    expect = expected(MANIFEST, target())
    spec = expect.spec
    assert spec is not None
    assert (spec.name, spec.requires, spec.budget) == (MANIFEST.name, MANIFEST.requires, MANIFEST.budget)
    assert (spec.bytecode, spec.check) == (MANIFEST.bytecode, MANIFEST.check)
    assert (expect.bytecode, expect.uncompilable) == (MANIFEST.bytecode.mode, MANIFEST.uncompilable)
    assert expected(None, target()) == Expect(target=target())
    assert expected(None, target()).spec is None


def test_a_file_that_cannot_be_opened_is_said_with_the_reason(layer: Path) -> None:
    (layer.parent / "demo.sbom.json").unlink()
    (layer.parent / "demo.sbom.json").mkdir()
    [refused] = beside(layer, "ab").refused
    assert refused.startswith("demo.sbom.json cannot be read: ")
