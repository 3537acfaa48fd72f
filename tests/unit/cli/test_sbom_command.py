from __future__ import annotations

import json
from pathlib import Path

import pytest

import elves
import zips
from program import Command


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    """A layer of a package that says what it is, a module that does not, and a library that no package lists."""
    files = zips.sound() | {"python/alone.py": b"", "lib/libx.so.1": elves.image()}
    return zips.of(tmp_path / "layer.zip", files)


def test_an_sbom_goes_to_standard_output_and_what_it_lists_is_told(layerforge: Command, layer: Path) -> None:
    ran = layerforge("sbom", layer)
    assert ran.code == 0
    assert "pkg:pypi/pkg@1.0" in [one.get("purl") for one in ran.json["components"]]
    assert ran.err == "1 package, 1 top-level module without metadata, 1 native file of no package\n"


def test_an_sbom_is_written_where_it_is_wanted(layerforge: Command, layer: Path, tmp_path: Path) -> None:
    ran = layerforge("sbom", layer, "-o", "mine.json")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err.startswith("mine.json: 1 package")
    assert json.loads((tmp_path / "mine.json").read_text())["bomFormat"] == "CycloneDX"


def test_a_fuller_sbom_beside_the_zip_is_told_of_unless_it_is_the_one_written(layerforge: Command, layer: Path) -> None:
    beside = layer.with_suffix(".sbom.json")
    layerforge("sbom", layer, "-o", beside)
    told = "layer.sbom.json beside the zip, from its build, says more"
    assert told in layerforge("sbom", layer).err
    assert told not in layerforge("sbom", layer, "-o", beside).err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["absent.zip"], "absent.zip"),
        (["layer.zip", "-o", "layer.zip"], "take the place of a zip"),
        (["layer.zip", "-o", "absent/x.json"], "there is no folder absent"),
    ],
)
def test_an_sbom_that_cannot_be_made_or_written_is_refused(
    layerforge: Command, layer: Path, arguments: list[str], words: str
) -> None:
    ran = layerforge("sbom", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.err
    assert layer.exists()
