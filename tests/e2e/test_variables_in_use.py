"""Variables of the function, from a recipe to whatever runs the layer or says how to use it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from program import LABEL, PYTHON, Command, program
from wheels import make_wheel

MODULE = b"""\
import os
with open(os.environ["WORDED_DATA"] + "/words.txt") as file:
    WORDS = file.read().split()
assert "WORDED_MORE" not in os.environ
"""
"""Reads its data at import, from where the variable says."""

RECIPE = """\
schema = 2
[package]
name = "worded"
versions = ">=1,<2"
[env]
WORDED_DATA = "/opt/python/worded/data"
WORDED_MORE = "/opt/share/worded"
[check]
script = "check.py"
"""
CHECK = 'import worded\nassert worded.WORDS == ["one", "two"]\n'


@pytest.fixture
def layerforge(index: Path, tmp_path: Path) -> Command:
    make_wheel(index, "worded", files={"worded/__init__.py": MODULE, "worded/data/words.txt": b"one two\n"})
    folder = tmp_path / "recipes/worded"
    folder.mkdir(parents=True)
    (folder / "recipe.toml").write_text(RECIPE)
    (folder / "check.py").write_text(CHECK)
    return program(tmp_path)


def test_a_module_that_reads_a_variable_at_import_has_it_wherever_the_layer_runs(
    layerforge: Command, tmp_path: Path
) -> None:
    words = ("build", "worded", "--recipes", "recipes", "--python", PYTHON)
    built = layerforge(*words, "--json")
    assert built.code == 0, built.err
    told = "WORDED_DATA=/opt/python/worded/data"
    assert f"the function's variables: {told}\n" in built.err
    assert "WORDED_MORE is not set: the layer has nothing at /opt/share/worded" in built.err
    env = {"WORDED_DATA": "/opt/python/worded/data"}
    [layer] = built.json["layers"]
    assert (layer["env"], layer["findings"]) == (env, [])
    assert "WORDED_MORE is not set" in layerforge(*words).err  # from the store

    zipped = Path(layer["path"])
    assert json.loads((tmp_path / zipped).with_suffix(".manifest.json").read_text())["env"] == env
    sbom = json.loads((tmp_path / zipped).with_suffix(".sbom.json").read_text())
    assert {"name": "layerforge:env:WORDED_DATA", "value": env["WORDED_DATA"]} in sbom["metadata"]["properties"]
    verified = layerforge("verify", zipped, "--json")
    assert (verified.code, verified.json["findings"]) == (0, []), verified.err
    assert told in layerforge("inspect", zipped).out
    assert layerforge("inspect", zipped, "--json").json["env"] == env
    assert '"WORDED_DATA": "/opt/python/worded/data"' in layerforge("snippet", zipped, "--for", "sam").out


def test_a_zip_without_its_manifest_has_no_variables(layerforge: Command, tmp_path: Path) -> None:
    assert layerforge("build", "worded", "--recipes", "recipes", "--python", PYTHON).code == 0
    (tmp_path / f"dist/worded-{LABEL}.manifest.json").unlink()
    verified = layerforge("verify", f"dist/worded-{LABEL}.zip", "--json")
    assert verified.code == 7
    assert "WORDED_DATA" in verified.json["findings"][0]["message"]
