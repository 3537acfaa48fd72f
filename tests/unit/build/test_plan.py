from dataclasses import replace
from pathlib import Path

import pytest

from fakes import target
from layerforge.build.interpreters import Interpreter
from layerforge.build.plan import Plan, as_json, plan
from layerforge.core.runtimes import Target
from layerforge.resolve import lock
from layerforge.resolve.recipe import Bytecode, BytecodeMode, Check, Compression, Docstrings, Prune, Recipe

RECIPE = Recipe(name="demo", requires=("demo",))
PINS = lock.parse(f"demo==1 --hash=sha256:{'a' * 64}", "x").pins
CPYTHON = Interpreter(path=Path("/usr/bin/python3.13"), version="3.13.0")


def made(
    *,
    recipe: Recipe = RECIPE,
    on: Target | None = None,
    interpreter: Interpreter | None = CPYTHON,
    epoch: int = 0,
    compression: Compression = Compression.FAST,
) -> Plan:
    return plan(recipe, on or target(), PINS, compression, interpreter, epoch)


def test_the_same_inputs_give_the_same_key() -> None:
    assert made().key == made().key


@pytest.mark.parametrize(
    "other",
    [
        made(on=target("3.12")),
        made(on=target(arch=target().arch.ARM64)),
        made(interpreter=replace(CPYTHON, version="3.13.1")),
        made(epoch=1),
        made(compression=Compression.MAX),
        made(recipe=replace(RECIPE, prune=Prune(remove=("a",)))),
        made(recipe=replace(RECIPE, bytecode=Bytecode(docstrings=Docstrings.DROP))),
        plan(RECIPE, target(), lock.parse(f"demo==1 --hash=sha256:{'b' * 64}", "x").pins, Compression.FAST, CPYTHON, 0),
    ],
)
def test_whatever_changes_the_bytes_changes_the_key(other: Plan) -> None:
    assert other.key != made().key


@pytest.mark.parametrize(
    "recipe",
    [
        replace(RECIPE, folder=Path("/elsewhere")),
        replace(RECIPE, check=Check(script="assert True")),
    ],
)
def test_what_does_not_change_the_bytes_keeps_the_key(recipe: Recipe) -> None:
    assert made(recipe=recipe).key == made().key


def test_without_bytecode_the_interpreter_does_not_matter() -> None:
    recipe = replace(RECIPE, bytecode=Bytecode(mode=BytecodeMode.NONE))
    assert made(recipe=recipe).key == made(recipe=recipe, interpreter=None).key


def test_a_plan_as_json_names_every_step_and_no_folder() -> None:
    data = as_json(made())
    assert data["steps"] == [
        {"step": "wheel", "name": "demo", "version": "1", "address": "", "hashes": [f"sha256:{'a' * 64}"]}
    ]
    assert "/usr" not in str(data)
