"""A function primes itself before a snapshot, by AWS's own runner of hooks; the snapshot itself is played."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from program import program
from wheels import make_wheel

APP = """
import random
import sys
import one, two
import layerforge_prime
from awslambdaric import lambda_runtime_hooks_runner as lambdas

registered = layerforge_prime.register()
waiting = [name for name in ("one.far", "two.far") if name not in sys.modules]
lambdas.run_before_snapshot()
primed = [name for name in ("one.far", "two.far") if name in sys.modules]
snapshot, drawn = random.getstate(), set()
for _ in range(3):
    random.setstate(snapshot)
    lambdas.run_after_restore()
    drawn.add(random.random())

def handler(event, context):
    return {
        "registered": registered, "waiting": waiting, "primed": primed, "drawn": len(drawn),
        "warm": [two.WARM, one.use(), two.use()], "file": layerforge_prime.__file__,
    }
"""
NEAR = "from {0}.far import answer\n\nWARM = []\n\n\ndef use():\n    return answer()\n"
WARM = "import two\n\ntwo.WARM.append('two.far' in __import__('sys').modules)\n"


def a_layer(folder: Path, name: str, standin: str, more: str = "", warm: str = "") -> None:
    """The zip of a layer with one package, whose import of a module waits."""
    wheel = make_wheel(
        folder,
        name,
        files={f"{name}/__init__.py": NEAR.format(name).encode(), f"{name}/far.py": b"def answer():\n    return 42\n"},
    )
    recipe = folder / "recipes" / name
    recipe.mkdir(parents=True)
    defer = f'[defer]\n"{name}/__init__.py" = ["{name}.far"]\n'
    (recipe / "recipe.toml").write_text(
        f'schema = 2\n[package]\nname = "{name}"\nversions = ">=1,<2"\n{defer}[check]\nimports = ["{name}"]\n{more}'
    )
    if warm:
        (recipe / "prime.py").write_text(warm)
    run = program(folder, DOCKER_HOST=os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"))
    made = run(
        *("build", f"./{wheel.name}", "--recipes", "recipes", "--engine", "docker", "--image", standin, "--json")
    )
    assert made.code == 0, made.err
    [layer] = made.json["layers"]
    (folder / layer["path"]).rename(folder / f"{name}.zip")


@pytest.fixture
def folder(tmp_path: Path, standin: str) -> Path:
    a_layer(tmp_path, "one", standin)
    a_layer(tmp_path, "two", standin, '[prime]\nscript = "prime.py"\n', WARM)
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def test_a_function_with_two_layers_loads_what_both_have_wait_and_draws_other_numbers_after_each_restore(
    folder: Path, standin: str
) -> None:
    run = program(folder, DOCKER_HOST=os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"))
    words = ("one.zip", "two.zip", "--code", ".", "--handler", "app.handler", "--image", standin, "--json")
    done = run("run", *words)
    assert done.code == 0, done.err
    assert json.loads(done.out)["answer"] == {
        "registered": True,
        "waiting": ["one.far", "two.far"],
        "primed": ["one.far", "two.far"],
        "drawn": 3,
        "warm": [[True], 42, 42],
        "file": "/opt/python/layerforge_prime/__init__.py",
    }
    proved = run("verify", "one.zip", "two.zip", "--image", standin, "--json")
    assert proved.code == 0, proved.err
    assert "LF310" not in proved.out
