"""Modules that are compiled while their tree is pruned."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from fakes import FakeProgress, FakeStore, a_file, a_setting, a_tree, target
from layerforge.build.interpreters import Interpreter
from layerforge.core.errors import StepError
from layerforge.layer import ahead
from layerforge.layer.compiler import Compiled, Module
from layerforge.layer.passes.compile import begun, compile_modules
from layerforge.layer.tree import Edit, Tree
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import Bytecode, BytecodeMode, CodeRules, Prune

RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
HERE = Interpreter(path=Path(sys.executable), version=sys.version.split()[0])

LAYER = a_tree(
    a_file("python/pkg/__init__.py", b"'Doc.'\n", package="pkg"),
    a_file("python/pkg/broken.py", b"x =\n", package="pkg"),
    a_file("python/pkg/gone.py", b"x = 1\n", package="pkg"),
    a_file("python/pkg/waiting.py", b"import json\ndef f(): return json\n", package="pkg"),
    a_file("python/pkg/tests/__init__.py", b"", package="pkg"),
    a_file("python/pkg/tests/test_it.py", b"def test_it(): pass\n", package="pkg"),
    a_file("bin/tool.py", b"import pkg\n", package="pkg"),
)


def a_spec(mode: BytecodeMode = BytecodeMode.BESIDE) -> LayerSpec:
    rules = CodeRules(defer={"pkg/waiting.py": ("json",)})
    bytecode = Bytecode(mode=mode, packages={"pkg": rules})
    removed = {"pkg": Prune(remove=("pkg/gone.py",))}
    return LayerSpec(name="pkg", requires=("pkg",), bytecode=bytecode, prune=removed)


def started(
    store: FakeStore, *, spec: LayerSpec | None = None, interpreter: Interpreter | None = HERE
) -> ahead.Ahead | None:
    return begun(LAYER, spec or a_spec(), target(RUNNING), interpreter, store, FakeProgress())


def edits(layer: Tree, store: FakeStore, done: ahead.Ahead | None) -> list[object]:
    setting = a_setting(spec=a_spec(), python=RUNNING, interpreter=HERE, store=store)
    return list(compile_modules(layer, replace(setting, ahead=done)))


def test_what_is_certain_to_stay_is_compiled_ahead() -> None:
    done = started(FakeStore())
    assert done is not None
    found = {module.filename: result.pyc is not None for module, result in done.compiled().items()}
    assert found == {
        "/opt/python/pkg/__init__.py": True,
        "/opt/python/pkg/broken.py": False,
        "/opt/python/pkg/waiting.py": True,
    }


def test_the_pass_says_the_same_whether_modules_were_compiled_ahead_or_not() -> None:
    assert edits(LAYER, FakeStore(), started(FakeStore())) == edits(LAYER, FakeStore(), None)


def test_what_was_compiled_ahead_is_not_compiled_again() -> None:
    def given(modules: Sequence[Module]) -> list[Compiled]:
        return [Compiled(pyc=b"given") for _ in modules]

    made = started(FakeStore())
    assert made is not None
    found = edits(LAYER, FakeStore(), ahead.begun(made.modules, given))
    added = {one.path: one.entry.blob.source for one in found if isinstance(one, Edit) and one.entry is not None}  # type: ignore[union-attr]
    assert [path for path, data in added.items() if data == b"given"]
    assert len([data for data in added.values() if data == b"given"]) == len(made.modules)


def test_nothing_is_compiled_ahead_of_bundles_nor_where_nothing_is_compiled() -> None:
    assert started(FakeStore(shared=True)) is None
    assert started(FakeStore(), interpreter=None) is None
    assert started(FakeStore(), spec=a_spec(BytecodeMode.NONE)) is None


def test_what_went_wrong_ahead_is_told_by_the_pass() -> None:
    def fails(_modules: Sequence[Module]) -> list[Compiled]:
        raise StepError("it ended")

    with pytest.raises(StepError, match="it ended"):
        edits(LAYER, FakeStore(), ahead.begun((), fails))
