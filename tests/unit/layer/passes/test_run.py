"""All passes over one tree: their order, what each is told, and what is said of it."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from fakes import FakeProgress, FakeStore, a_file, a_tree, target
from layerforge.build.interpreters import Interpreter
from layerforge.build.plan import Plan, plan
from layerforge.layer.passes.run import PASSES, describe, optimize
from layerforge.layer.passes.setting import LeftAlone, PassResult
from layerforge.layer.tree import Edit, Package, Tree
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import Bytecode, BytecodeMode, Compression, Docstrings

RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
TAG = RUNNING.replace(".", "")
HERE = Interpreter(path=Path(sys.executable), version=sys.version.split()[0])
INFO = "python/demo-1.dist-info"
DEMO = Package(name="demo", version="1", info=INFO)


def a_plan(mode: BytecodeMode) -> Plan:
    code = Bytecode(mode=mode, docstrings=Docstrings.DROP)
    spec = LayerSpec(name="demo", requires=("demo",), bytecode=code)
    return plan(spec, target(RUNNING), (), Compression.FAST, HERE, 0)


def a_layer() -> Tree:
    return a_tree(
        a_file("python/demo/__init__.py", b"'Doc.'\nx = 1\n", package="demo"),
        a_file("python/demo/broken.py", b"x =\n", package="demo"),
        a_file("python/demo/tests/__init__.py", b"", package="demo"),
        a_file("python/demo/tests/test_it.py", b"def test(): pass\n", package="demo"),
        a_file(f"{INFO}/METADATA", b"Name: demo\nVersion: 1\n", package="demo"),
        a_file(f"{INFO}/RECORD", b"demo/tests/test_it.py,,\n", package="demo"),
        packages=[DEMO],
    )


def test_each_pass_is_a_step_and_sees_what_the_one_before_left() -> None:
    progress = FakeProgress()
    tree, results = optimize(a_layer(), a_plan(BytecodeMode.BESIDE), HERE, FakeStore(), progress)
    assert progress.steps == ["prune", "link", "strip", "bytecode", "record"] == [name for name, _ in PASSES]
    assert [result.name for result in results] == progress.steps
    by_path = {file.path: file for file in tree.files}
    assert sorted(by_path) == [
        f"{INFO}/METADATA",
        f"{INFO}/RECORD",
        "python/demo/__init__.py",
        f"python/demo/__pycache__/__init__.cpython-{TAG}.pyc",
        "python/demo/broken.py",
    ]
    # What is pruned is never compiled, and the RECORD lists what there is in the end.
    record = by_path[f"{INFO}/RECORD"].blob.read().decode()
    assert sorted(line.partition(",")[0] for line in record.splitlines()) == [
        path.removeprefix("python/") for path in sorted(by_path)
    ]
    assert [left.path for result in results for left in result.left] == ["python/demo/broken.py"]
    assert tree.packages == (DEMO,)


def test_the_tree_that_came_in_stays_as_it_was() -> None:
    before = a_layer()
    optimize(before, a_plan(BytecodeMode.ONLY), HERE, FakeStore(), FakeProgress())
    assert before == a_layer()


def test_without_bytecode_no_interpreter_is_needed() -> None:
    tree, results = optimize(a_layer(), a_plan(BytecodeMode.NONE), None, FakeStore(), FakeProgress())
    assert not [file.path for file in tree.files if file.path.endswith(".pyc")]
    [compiled] = [result for result in results if result.name == "bytecode"]
    assert (compiled.edits, compiled.left) == ((), ())


def test_the_same_tree_gives_the_same_tree_whether_the_store_helps_or_not() -> None:
    store, made = FakeStore(), []
    for _ in range(2):
        tree, _results = optimize(a_layer(), a_plan(BytecodeMode.ONLY), HERE, store, FakeProgress())
        made.append([(file.path, hashlib.sha256(file.blob.read()).hexdigest()) for file in tree.files])
    assert made[0] == made[1]
    assert store.hits


def an_edit(saved: int, number: int = 0) -> Edit:
    return Edit(path=f"python/{number}", entry=None, reason="tests", saved=saved)


LEFT = LeftAlone(path="python/a.so", reason="it is signed")


@pytest.mark.parametrize(
    ("edits", "left", "said"),
    [
        ((), (), "nothing to do"),
        ((an_edit(2_000_000),), (), "2.0 MB saved in 1 file"),
        ((an_edit(2_000_000), an_edit(500_000, 1)), (LEFT,), "2.5 MB saved in 2 files; 1 file left alone"),
        ((an_edit(-3_000_000),), (), "3.0 MB added in 1 file"),
        ((), (LEFT, LEFT), "0 bytes saved in 0 files; 2 files left alone"),
    ],
)
def test_what_a_pass_did_is_one_line(edits: tuple[Edit, ...], left: tuple[LeftAlone, ...], said: str) -> None:
    assert describe(PassResult(name="prune", edits=edits, left=left)) == said
