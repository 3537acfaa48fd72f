"""A layer without the runtime's own packages, run in the runtime's image, which has them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from layerforge.build import interpreters
from program import program
from wheels import make_wheel

DEMO = b"""
import boto3, six
assert boto3.__file__ == "/var/runtime/boto3/__init__.py", boto3.__file__
assert six.__file__ == "/var/runtime/six.py", six.__file__
REGION = boto3.Session().region_name
"""


def test_a_layer_without_the_runtimes_packages_runs_on_those_of_the_image(
    tmp_path: Path, index: Path, standin: str
) -> None:
    if interpreters.find("3.13") is None:
        pytest.skip("there is no CPython 3.13 here")
    make_wheel(index, files={"demo/__init__.py": DEMO}, requires=["boto3", "only-its"])
    make_wheel(index, "boto3", "1.0", {"boto3/__init__.py": b"raise ImportError('the wrong one')\n"}, requires=["six"])
    make_wheel(index, "six", "1.0", {"six.py": b"raise ImportError('the wrong one')\n"})
    make_wheel(index, "only-its", "1.0", {"only_its.py": b""})
    where = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    run = program(tmp_path, DOCKER_HOST=where)
    made = ("demo", "--engine", "docker", "--image", standin, "--wheels", "--leave-out", "runtime")
    built = run("build", *made, "--json")
    assert built.code == 0, built.err
    [layer] = built.json["layers"]
    assert [one["name"] for one in layer["packages"]] == ["demo", "only-its"]
    assert [one["name"] for one in layer["left_out"]] == ["boto3", "six"]
    zip_file = tmp_path / layer["path"]
    verified = run("verify", zip_file, "--engine", "docker", "--image", standin, "--json")
    assert (verified.code, verified.json["findings"], verified.json["engine"]) == (0, [], "docker")
    cold = run("coldstart", zip_file, "--image", standin, "--runs", "1", "--memory", "1769", "--json")
    assert cold.code == 0, cold.err
