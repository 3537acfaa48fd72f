"""Programs of a layer, started as a function starts them: by their name on PATH, in the runtime's image."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from layerforge.build import interpreters
from layerforge.examine.unpack import unpack
from program import program
from wheels import make_wheel, record_row

# How Lambda runs a function: nothing to write to but /tmp, no rights, no network.
CONFINED = ["--network=none", "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--user=993:990", "--memory=1769m"]

DATA = "demo-1.0.data/scripts"
SERVER = """
import sys, threading, urllib.request, wsgiref.simple_server

def app(environ, start):
    start("200 OK", [])
    return [b"served by a program of the layer"]

def main():
    if sys.argv[1:] == ["--version"]:
        return print("demo 1.0")
    with wsgiref.simple_server.make_server("127.0.0.1", 8000, app) as server:
        threading.Thread(target=server.handle_request).start()
        print(urllib.request.urlopen("http://127.0.0.1:8000/").read().decode())
"""
TOLD = """#!python -u
'''Says it.'''
from __future__ import annotations
import demo.server
print(__doc__, demo.server.__file__)
"""
FILES = {
    "demo/__init__.py": b"",
    "demo/server.py": SERVER.encode(),
    "demo-1.0.dist-info/entry_points.txt": b"[console_scripts]\nserve = demo.server:main\n",
    f"{DATA}/told": TOLD.encode(),
    f"{DATA}/by-name": b"#!/usr/bin/env python3\nimport demo\nprint('found', demo.__name__)\n",
    f"{DATA}/plain": b'#!/bin/sh\nserve "$@"\n',
    f"{DATA}/gem": b"#!/usr/bin/ruby\n",
}
PROGRAMS = [
    (("serve", "--version"), "demo 1.0"),
    (("serve",), "served by a program of the layer"),
    (("told",), "Says it. /opt/python/demo/server.py"),
    (("by-name",), "found demo"),
    (("plain", "--version"), "demo 1.0"),
]


@pytest.fixture
def layer(tmp_path: Path, index: Path) -> Path:
    """The folder of a layer with programs, as Lambda unpacks it."""
    if interpreters.find("3.13") is None:
        pytest.skip("there is no CPython 3.13 here")
    make_wheel(index, files=FILES)
    built = program(tmp_path)("build", "demo", "--engine", "host", "--python", "3.13", "--json")
    assert built.code == 0, built.err
    assert "left out, since Lambda lacks what starts them: bin/gem (/usr/bin/ruby)" in built.err
    [made] = built.json["layers"]
    assert made["findings"] == []
    unpack(tmp_path / "dist/demo-py313-x86_64.zip", tmp_path / "opt")
    # pytest's own folders are closed to others, but a mount opens only what is mounted.
    (tmp_path / "opt").chmod(0o755)
    return tmp_path / "opt"


def test_the_programs_of_a_layer_run_when_they_are_started_by_name(layer: Path, standin: str) -> None:
    assert {path.name for path in (layer / "bin").iterdir()} == {"serve", "told", "by-name", "plain"}
    record = (layer / "python/demo-1.0.dist-info/RECORD").read_text()
    assert all(record_row(f"../bin/{path.name}", path.read_bytes()) in record for path in (layer / "bin").iterdir())
    for command, said in PROGRAMS:
        # What a function's own process gives to those that it starts, and what a shell in a container does.
        for variables in (["--env=PYTHONPATH=/var/runtime"], []):
            run = ["docker", "run", "--rm", *CONFINED, f"--volume={layer}:/opt:ro", *variables, "--entrypoint="]
            argv = [*run, standin, "/bin/sh", "-c", '"$@"', "sh", *command]
            ran = subprocess.run(argv, capture_output=True, text=True, check=False)
            assert (ran.returncode, ran.stdout.strip()) == (0, said), ran.stderr
