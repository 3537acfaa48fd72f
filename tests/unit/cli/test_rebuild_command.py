"""``layerforge rebuild`` of a zip of packages from an index that is a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from program import LABEL, PYTHON, Command
from wheels import make_wheel

ALONE = ("--engine", "host", "--no-coldstart", "--python", PYTHON)


@pytest.fixture
def mine(index: Path, tmp_path: Path) -> Path:
    """A zip that holds a package as ``pip install --target`` leaves it."""
    make_wheel(index, "demo", "2.0")
    wheel = make_wheel(index, "demo", "1.0")
    return wheel.rename(tmp_path / "mine.zip")


def test_a_zip_is_built_again_in_its_own_versions(layerforge: Command, mine: Path, index: Path) -> None:
    make_wheel(index, "demo", "1.0")
    ran = layerforge("rebuild", mine, *ALONE, "--json")
    assert ran.code == 0, ran.err
    assert [(one["name"], one["version"]) for one in ran.json["layer"]["packages"]] == [("demo", "1.0")]
    assert ran.json["layer"]["path"] == f"dist/mine-{LABEL}.zip"


def test_a_rebuilt_layer_fits_where_that_is_asked_for(layerforge: Command, mine: Path, index: Path) -> None:
    make_wheel(index, "demo", "1.0")
    assert layerforge("rebuild", mine, *ALONE, "--fit", "1MB").code == 0
    ran = layerforge("rebuild", mine, *ALONE, "--fit", "1kB")
    assert ran.code == 7
    assert "does not fit 1.0 kB" in ran.err


@pytest.mark.parametrize("option", [["--no-project"], ["--build-here"], ["--prerelease", "allow"]])
def test_options_that_would_change_nothing_of_a_rebuild_are_none_of_its(
    option: list[str], layerforge: Command, mine: Path
) -> None:
    ran = layerforge("rebuild", mine, *option)
    assert ran.code == 2
    assert "No such option" in ran.err
