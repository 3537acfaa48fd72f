from __future__ import annotations

from fakes import target
from layerforge.layer.passes import laziness
from layerforge.resolve.recipe import EVERY_FILE, Bytecode, BytecodeMode, CodeRules

RULES = {"b": CodeRules(lazy=(EVERY_FILE,)), "a": CodeRules(lazy=("a/x.py", "a/io/**")), "c": CodeRules()}


def test_the_packages_whose_imports_are_lazy_are_named_with_their_files() -> None:
    [line] = laziness.told(Bytecode(packages=RULES), target("3.15"))
    assert line == "imports are lazy in a (a/x.py, a/io/**), b"


def test_nothing_is_said_where_no_import_is_lazy() -> None:
    assert not list(laziness.told(Bytecode(packages=RULES), target("3.14")))
    assert not list(laziness.told(Bytecode(packages=RULES, mode=BytecodeMode.NONE), target("3.15")))
    assert not list(laziness.told(Bytecode(packages={"c": CodeRules()}), target("3.15")))
