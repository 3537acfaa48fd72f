"""A package's own tests in containers: one fails on the layer alone, one is excused, one ends the interpreter."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from layerforge.build import interpreters
from wheels import digest, make_wheel

NAME = "layerforge-tiny-suite"
FILES = {
    "tiny_suite/__init__.py": b'"""Doc."""\nfrom pathlib import Path\nHERE = Path(__file__).parent\n',
    "tiny_suite/needed.txt": b"1",
    "tiny_suite/meant.txt": b"1",
}
TESTS = {
    "tiny_suite/tests/__init__.py": b"",
    "tiny_suite/tests/data/x.txt": b"42",
    "tiny_suite/tests/test_tiny.py": b"""
import os
import socket
from pathlib import Path

import pytest
import tiny_suite

WHOLE = (tiny_suite.HERE / "needed.txt").exists()

def test_good():
    assert tiny_suite.__file__.startswith("/opt/python/")
    assert (Path(__file__).parent / "data/x.txt").read_text() == "42"

def test_needs_a_file():
    assert WHOLE

def test_is_excused():
    assert (tiny_suite.HERE / "meant.txt").exists()

def test_crashes():
    if not WHOLE:
        os.abort()

@pytest.mark.parametrize("number", range(2 if WHOLE else 1))
def test_is_gone(number): pass

def test_fails_everywhere():
    socket.create_connection(("192.0.2.1", 80), timeout=2)

def test_is_flaky():
    assert WHOLE or os.environ.get("PYTEST_XDIST_WORKER") is None

""",
}
RECIPE = f"""
schema = 2
[package]
name = "{NAME}"
versions = "==1.*"
[layer]
requires = ["{NAME}"]
[prune]
remove = ["tiny_suite/needed.txt", "tiny_suite/meant.txt"]
[check.excused]
"tiny_suite/tests/test_tiny.py::test_is_excused" = "the file is left out"
"""


@dataclass(frozen=True)
class Place:
    """A layer, an index with its package, and the program that verifies it."""

    folder: Path
    argv: list[str]
    env: dict[str, str]

    def verify(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        argv = [*self.argv, "--suite", NAME, "--jobs", "2", "--json", *arguments]
        return subprocess.run(argv, env=self.env, cwd=self.folder, capture_output=True, text=True, check=False)


def sdist(path: Path) -> None:
    info = f"Metadata-Version: 2.2\nName: {NAME}\nVersion: 1.0\n".encode()
    project = f'[project]\nname = "{NAME}"\nversion = "1.0"\n'.encode()
    with tarfile.open(path, "w:gz") as tar:
        for name, data in {**FILES, **TESTS, "PKG-INFO": info, "pyproject.toml": project}.items():
            row = tarfile.TarInfo(f"{path.name.removesuffix('.tar.gz')}/{name}")
            row.size = len(data)
            tar.addfile(row, io.BytesIO(data))


@pytest.fixture
def place(tmp_path: Path, standin: str) -> Callable[[str], Place]:
    if interpreters.find("3.13") is None:
        pytest.skip("there is no CPython 3.13 here")
    wheel = make_wheel(tmp_path / "index", NAME, "1.0", FILES)
    sdist(tmp_path / "index/layerforge_tiny_suite-1.0.tar.gz")
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "recipe.toml").write_text(RECIPE)
    hashes = [digest(wheel), digest(tmp_path / "index/layerforge_tiny_suite-1.0.tar.gz")]
    (tmp_path / NAME / "requirements.lock").write_text(f"{NAME}==1.0 --hash={hashes[0]} --hash={hashes[1]}\n")
    env = {**os.environ, "LAYERFORGE_CACHE": str(tmp_path / "store"), "UV_FIND_LINKS": str(tmp_path / "index")}
    program = [sys.executable, "-m", "layerforge"]

    def make(bytecode: str) -> Place:
        argv = [*program, "build", f"./{NAME}", "--engine", "host", "--bytecode", bytecode]
        built = subprocess.run(argv, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert built.returncode == 0, built.stderr
        return Place(tmp_path, [*program, "verify", f"dist/{NAME}-py313-x86_64.zip", "--image", standin], env)

    return make


@pytest.mark.parametrize("bytecode", ["beside", "only"])
def test_a_layer_is_held_against_its_packages_own_tests(place: Callable[[str], Place], bytecode: str) -> None:
    made = place(bytecode)
    done = made.verify("--write", "result.json")
    assert done.returncode == 7, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    file = "tiny_suite/tests/test_tiny.py"
    assert {row["id"]: row["outcome"] for row in result["only_on_layer"]} == {
        f"{file}::test_crashes": "crashed",
        f"{file}::test_needs_a_file": "failed",
    }
    assert result["excused"] == [{"id": f"{file}::test_is_excused", "reason": "the file is left out"}]
    assert (result["gone"], result["flaky"]) == ([f"{file}::test_is_gone[1]"], [f"{file}::test_is_flaky"])
    assert result["both"] == [f"{file}::test_fails_everywhere"]
    assert result["wheels"]["counts"] == {"failed": 1, "passed": 7}
    assert [row["rule"] for row in result["findings"]] == ["LF405", "LF405", "LF406"]
    assert json.loads((made.folder / "result.json").read_text()) == result
    again = made.verify("--select", f"{file}::test_good")
    assert again.returncode == 0, again.stderr


def test_a_suite_that_is_interrupted_leaves_no_container(place: Callable[[str], Place]) -> None:
    made = place("beside")
    argv = [*made.argv, "--suite", NAME, "--jobs", "1"]
    child = subprocess.Popen(argv, env=made.env, cwd=made.folder, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    while "install" not in child.stderr.readline():
        pass
    while child.poll() is None and not own_containers(child.pid):
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    said = child.communicate()[1]
    assert child.returncode == 130, said
    assert own_containers(child.pid) == []


def own_containers(pid: int) -> list[str]:
    argv = ["docker", "ps", "--all", "--quiet", "--filter", f"label=layerforge.pid={pid}"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
