"""Real packages that have to fit: each kind of setting is taken once. The large one runs with ``--real``."""

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
from layerforge.core.limits import DIRECT_UPLOAD_LIMIT, LAMBDA_UNZIPPED_LIMIT

Build = Callable[..., subprocess.CompletedProcess[str]]
SMALL, RUNTIME, ONLY = "--compression small", "--leave-out runtime", "--bytecode only"


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Runs a build of wheels on this machine, which keeps what it makes."""
    if interpreters.find("3.13") is None:
        pytest.skip("there is no CPython 3.13 here")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "LAYERFORGE_CACHE": str(tmp_path / "store"), "NO_COLOR": "1"}
        argv = [sys.executable, "-m", "layerforge", "build", *arguments, "--wheels", "--engine", "host", "--json"]
        return subprocess.run([*argv, "--output", str(tmp_path / "dist")], env=env, capture_output=True, text=True)

    return run


def made(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    [layer] = json.loads(done.stdout)["layers"]
    assert isinstance(layer, dict)
    assert layer["findings"] == []
    return layer


def size(layer: dict[str, Any], *ways: str) -> int:
    """Bytes of the zip that a try gave."""
    [found] = [one["zipped"] for one in layer["fit"]["tries"] if one["ways"] == [*ways]]
    assert isinstance(found, int)
    return found


def test_numpy_is_compressed_well_and_then_goes_without_sources_as_far_as_it_has_to(build: Build) -> None:
    plain = made(build("numpy"))["zip_bytes"]
    small = made(build("numpy", "--fit", f"{plain - 1} bytes"))
    assert small["fit"]["taken"] == [SMALL]
    assert 0.94 * plain < small["zip_bytes"] < 0.99 * plain
    only = made(build("numpy", "--fit", f"{small['zip_bytes'] - 1} bytes"))
    assert only["fit"]["taken"] == [SMALL, ONLY]
    assert size(only, SMALL) == small["zip_bytes"]
    with zipfile.ZipFile(only["path"]) as layer:
        assert "python/numpy/__init__.pyc" in layer.namelist()
    explicit = made(build("numpy", *f"{SMALL} {ONLY}".split()))
    assert (explicit["sha256"], explicit["fit"]) == (only["sha256"], None)


def test_boto3_goes_where_lambda_has_it_and_stays_where_a_version_is_asked_for(build: Build) -> None:
    layer = made(build("requests", "boto3", "--fit", "3MB"))
    assert layer["fit"]["taken"] == [SMALL, RUNTIME]
    assert {one["name"] for one in layer["left_out"]} >= {"boto3", "botocore", "urllib3"}
    assert size(layer, SMALL) > 15_000_000
    assert layer["zip_bytes"] < 3_000_000
    done = build("requests", "boto3>=1.30", "--fit", "3MB")
    assert done.returncode == 7
    assert "boto3>=1.30 is asked for, and the runtime may have another" in done.stderr
    assert "add `--leave-out boto3` to the command, and make boto3 a layer of its own" in done.stderr
    assert made(build("requests", "boto3>=1.30", "--fit", "3MB", "--leave-out", "boto3"))["zip_bytes"] < 3_000_000


def test_room_for_a_function_is_made(build: Build) -> None:
    plain = made(build("markupsafe", "jinja2"))
    room = LAMBDA_UNZIPPED_LIMIT - plain["unzipped_bytes"] + 1
    layer = made(build("markupsafe", "jinja2", "--fit", f"room={room} bytes"))
    assert layer["fit"]["taken"] == [ONLY]
    assert layer["unzipped_bytes"] + room <= LAMBDA_UNZIPPED_LIMIT


@pytest.mark.usefixtures("real")
def test_scikit_learn_from_wheels_becomes_a_direct_upload(build: Build) -> None:
    layer = made(build("scikit-learn", "--fit", "direct"))
    assert layer["fit"]["taken"] == [SMALL, ONLY]
    assert size(layer) > DIRECT_UPLOAD_LIMIT > layer["zip_bytes"]
