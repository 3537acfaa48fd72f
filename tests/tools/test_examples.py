"""The examples are what their tools take, and name what layerforge makes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from layerforge.core import runtimes
from layerforge.resolve.catalogue import catalogue
from toolbox import Tools

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/template.yaml"))


def test_there_are_examples() -> None:
    assert EXAMPLES


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_a_template_is_sound_and_takes_the_zip_that_the_example_builds(
    folder: Path, tools: Tools, tmp_path: Path
) -> None:
    [found] = tools.ask("sam", [(folder / "template.yaml").read_text("utf-8")], tmp_path / "work")
    assert found["problems"] == []
    [zipped] = found["uploaded"][:1]
    name, python, arch = re.fullmatch(r"dist/([\w-]+)-py(\d+)-(\w+)\.zip", zipped).groups()  # type: ignore[union-attr]
    assert catalogue().target(name) is not None
    assert f"layerforge build {name}" in (folder / "README.md").read_text("utf-8")
    assert runtimes.target(f"3.{python[1:]}", arch).label in zipped
    [layer] = found["made"]
    assert (layer["CompatibleRuntimes"], layer["CompatibleArchitectures"]) == ([f"python3.{python[1:]}"], [arch])
    assert len(found["layers"]) == 1


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_an_examples_event_is_json(folder: Path) -> None:
    assert json.loads((folder / "event.json").read_text("utf-8"))
