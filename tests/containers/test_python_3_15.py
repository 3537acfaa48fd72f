"""Python 3.15 as it is: its bytecode, its lazy imports, and layers that run on it."""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from fakes import FakeStore
from layerforge.build.interpreters import PROBE, Interpreter
from layerforge.core.runtimes import runtimes
from layerforge.layer import compiler, tree
from layerforge.layer.compiler import Module
from layerforge.layer.pyc import PycState, facts
from program import Command, program
from wheels import make_wheel

RUNTIME = runtimes()["3.15"]

DEMO = {
    "demo/__init__.py": b'''"""A package."""
from __future__ import annotations
import json
from . import unused, used
from .deep import VALUE as value
try:
    import csv
except ImportError:
    csv = None
from .everything import *
def answer():
    return used.NUMBER + value
''',
    "demo/unused.py": b"raise RuntimeError('it was loaded')\n",
    "demo/used.py": b"NUMBER = 40\n",
    "demo/deep/__init__.py": b"VALUE = 2\n",
    "demo/everything.py": b"NAME = 'everything'\n",
}

LOADED = """
import json, sys
sys.path.insert(0, sys.argv[1])
before = set(sys.modules)
import demo
first = sorted(name for name in set(sys.modules) - before if name.partition(".")[0] in {"demo", "json", "csv"})
answer = demo.answer()
then = sorted(name for name in sys.modules if name.partition(".")[0] == "demo")
print(json.dumps({"first": first, "answer": answer, "then": then, "name": demo.NAME, "doc": demo.__doc__}))
"""


@pytest.fixture(scope="module")
def interpreter(python_315: Path) -> Interpreter:
    done = subprocess.run([python_315, "-I", "-S", "-c", PROBE], capture_output=True, check=True)
    found = json.loads(done.stdout)
    assert (found["implementation"], found["magic"], found["abi"]) == ("cpython", RUNTIME.magic, "")
    return Interpreter(path=python_315, version=found["version"])


def compiled(modules: Iterable[Module], interpreter: Interpreter, *, jobs: int) -> dict[str, bytes | None]:
    modules = list(modules)
    found = compiler.compile_all(modules, interpreter=interpreter, store=FakeStore(), jobs=jobs)
    return {module.filename: one.pyc for module, one in zip(modules, found, strict=True)}


def test_the_bytes_of_its_modules_are_the_same_in_any_order_and_say_where_they_belong(
    interpreter: Interpreter,
) -> None:
    library = interpreter.path.parents[1] / "lib/python3.15"
    paths = [path for path in sorted(library.rglob("*.py")) if "test" not in path.parts]
    assert len(paths) > 400
    modules = [
        Module(
            filename=f"/opt/python/{path.relative_to(library)}",
            source=tree.blob(path.read_bytes()),
            drop_docstrings=number % 2 == 0,
            optimize=number % 3,
            lazy=number % 4 == 0,
        )
        for number, path in enumerate(paths)
    ]
    once = compiled(modules, interpreter, jobs=1)
    assert once == compiled(random.Random(15).sample(modules, len(modules)), interpreter, jobs=3)
    for filename, data in once.items():
        assert data is not None, filename
        found = facts(data, magic=RUNTIME.magic, source=None)
        assert (found.state, found.filename) == (PycState.VALID, filename)


@pytest.mark.parametrize("lazy", [True, False], ids=["lazy", "eager"])
def test_what_is_lazy_is_loaded_when_it_is_used_and_not_before(
    interpreter: Interpreter, tmp_path: Path, *, lazy: bool
) -> None:
    sources = DEMO if lazy else DEMO | {"demo/unused.py": b""}
    modules = [
        Module(filename=f"/opt/python/{path}", source=tree.blob(text), lazy=lazy) for path, text in sources.items()
    ]
    for filename, data in compiled(modules, interpreter, jobs=1).items():
        path = tmp_path / Path(filename).relative_to("/opt/python").with_suffix(".pyc")
        path.parent.mkdir(parents=True, exist_ok=True)
        assert data is not None, filename
        path.write_bytes(data)
    done = subprocess.run([interpreter.path, "-I", "-c", LOADED, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    every = ["demo", "demo.deep", "demo.everything", "demo.unused", "demo.used"]
    assert (found["answer"], found["name"], found["doc"]) == (42, "everything", "A package.")
    assert {"demo", "demo.everything", "csv"} <= set(found["first"])
    assert set(every) & set(found["first"]) == ({"demo", "demo.everything"} if lazy else set(every))
    assert found["then"] == ([one for one in every if one != "demo.unused"] if lazy else every)


@pytest.fixture
def run(tmp_path: Path, python_315: Path) -> Command:
    """The program, on a machine that has this interpreter and an engine."""
    path = f"{python_315.parent}{os.pathsep}{os.environ['PATH']}"
    return program(tmp_path, PATH=path, DOCKER_HOST=os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"))


def built(run: Command, standin_315: str, *options: str) -> Any:
    words = ("--python", "3.15", "--wheels", "--image", standin_315, *options, "--json")
    done = run("build", "demo", *words)
    assert done.code == 0, done.err
    assert done.err.count("AWS has not announced it") == 1
    [layer] = done.json["layers"]
    assert (layer["python"], layer["engine"], layer["findings"]) == ("3.15", "docker", [])
    return layer


def test_a_layer_whose_recipe_makes_imports_lazy_loads_what_is_used(
    run: Command, standin_315: str, index: Path, tmp_path: Path
) -> None:
    make_wheel(index, files=DEMO | {"demo/unused.py": b""})
    recipe = tmp_path / "recipes/demo/recipe.toml"
    recipe.parent.mkdir(parents=True)
    text = (
        'schema = 2\n[package]\nname = "demo"\nversions = ">=1,<2"\n[check]\nimports = ["demo"]\nscript = "check.py"\n'
    )
    recipe.write_text(f'{text}[bytecode]\nlazy = ["demo/__init__.py"]\n')
    asks = 'import sys, demo\nassert demo.answer() == 42\nassert "demo.unused" not in sys.modules, "it was loaded"\n'
    (recipe.parent / "check.py").write_text(asks)
    built(run, standin_315, "--recipes", "recipes")
    # Without it the module that nobody uses is loaded.
    recipe.write_text(text)
    failed = run("build", "demo", "--python", "3.15", "--wheels", "--image", standin_315, "--recipes", "recipes")
    assert failed.code == 7
    assert "it was loaded" in failed.err


def test_what_lazy_imports_would_change_is_measured_with_and_without(
    run: Command, standin_315: str, index: Path
) -> None:
    make_wheel(index, files=DEMO | {"demo/unused.py": b""})
    path = built(run, standin_315)["path"]
    lazy = ("--env", "PYTHON_LAZY_IMPORTS=all", "--against", path)
    done = run("coldstart", path, *lazy, "--image", standin_315, "--runs", "1", "--memory", "1769", "--json")
    assert done.code == 0, done.err
    assert (done.json["env"], done.json["against"]["env"]) == ({"PYTHON_LAZY_IMPORTS": "all"}, {})
    ours, theirs = json.dumps(done.json["imports"]), json.dumps(done.json["against"]["imports"])
    assert '"demo"' in ours
    assert '"demo.unused"' not in ours
    assert '"demo.unused"' in theirs
