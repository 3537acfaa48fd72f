"""Layers of real packages from the configured index. The large ones run with ``--real``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from layerforge.build import interpreters
from layerforge.core.limits import DIRECT_UPLOAD_LIMIT
from layerforge.resolve.catalogue import catalogue

Build = Callable[..., dict[str, Any]]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Builds one layer and returns what ``--json`` says of it."""

    def run(*arguments: str) -> dict[str, Any]:
        env = {**os.environ, "LAYERFORGE_CACHE": str(tmp_path / "store")}
        argv = [
            sys.executable,
            "-m",
            "layerforge",
            "build",
            *arguments,
            "--engine",
            "host",
            "--json",
            "--output",
            str(tmp_path / "dist"),
        ]
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        [layer] = json.loads(done.stdout)["layers"]
        assert isinstance(layer, dict)
        return layer

    return run


def edits(layer: dict[str, Any], key: str) -> list[dict[str, Any]]:
    manifest = json.loads(Path(layer["path"]).with_suffix(".manifest.json").read_text())
    found = manifest[key]
    assert isinstance(found, list)
    return found


def needs(python: str) -> None:
    if interpreters.find(python) is None:
        pytest.skip(f"there is no CPython {python} here")


def test_a_package_that_no_recipe_mentions_is_built_run_and_clean(build: Build) -> None:
    needs("3.13")
    layer = build("markupsafe")
    assert layer["findings"] == []
    assert [one["name"] for one in layer["packages"]] == ["markupsafe"]
    assert {one["pass"] for one in layer["saved"]} >= {"prune", "strip", "bytecode"}


def test_numpys_tests_go_but_for_the_module_that_numpy_itself_imports(build: Build) -> None:
    needs("3.11")
    layer = build("numpy==2.2.6", "--python", "3.11")
    assert layer["findings"] == []
    with zipfile.ZipFile(layer["path"]) as made:
        assert "python/numpy/_core/tests/_natype.py" in made.namelist()
    [tests] = [one for one in edits(layer, "edits") if one["reason"] == "tests"]
    assert tests["bytes"] > 4_000_000


def test_a_wheel_whose_segments_were_moved_is_stripped_and_still_computes(build: Build, tmp_path: Path) -> None:
    needs("3.13")
    layer = build("numpy", "--compression", "fast")
    [strip] = [one for one in layer["saved"] if one["pass"] == "strip"]
    assert strip["bytes"] > 500_000
    assert layer["findings"] == []
    again = build("numpy", "--compression", "small")
    assert again["content_sha256"] == layer["content_sha256"]
    assert again["zip_bytes"] < layer["zip_bytes"]


@pytest.mark.usefixtures("real")
@pytest.mark.parametrize("python", ["3.12", "3.13"])
@pytest.mark.parametrize("arch", ["x86_64", "arm64"])
@pytest.mark.parametrize("name", [recipe.name for recipe in catalogue().all() if recipe.layer])
def test_every_recipe_gives_a_layer_without_findings(build: Build, name: str, arch: str, python: str) -> None:
    needs(python)
    assert build(name, "--arch", arch, "--python", python)["findings"] == []


@pytest.mark.usefixtures("real")
def test_scikit_learn_fits_a_direct_upload_without_sources(build: Build) -> None:
    needs("3.13")
    layer = build("scikit-learn", "--bytecode", "only", "--compression", "small")
    assert layer["findings"] == []
    assert layer["zip_bytes"] <= DIRECT_UPLOAD_LIMIT


@pytest.mark.usefixtures("real")
def test_requirements_for_another_machine_share_one_layer(build: Build) -> None:
    needs("3.12")
    layer = build("pandas>=3", "pyarrow", "--python", "3.12", "--arch", "arm64")
    assert layer["name"] == "pandas-pyarrow"
    assert layer["findings"] == []


@pytest.mark.usefixtures("real")
def test_a_library_that_lambda_lacks_is_named(tmp_path: Path) -> None:
    needs("3.13")
    argv = [sys.executable, "-m", "layerforge", "build", "lightgbm", "--engine", "host", "--output", str(tmp_path)]
    env = {**os.environ, "LAYERFORGE_CACHE": str(tmp_path / "store")}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 7
    assert "LF103" in done.stderr
    assert "libgomp.so.1" in done.stderr
