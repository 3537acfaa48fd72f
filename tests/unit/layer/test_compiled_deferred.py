"""Bytecode of modules whose imports wait: from the worker's own process, always the same."""

from __future__ import annotations

import marshal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import CodeType

import pytest

from fakes import FakeStore
from layerforge.build.interpreters import Interpreter
from layerforge.layer import compiler, tree
from layerforge.layer.compiler import Compiled, Module

HERE = Interpreter(path=Path(sys.executable), version=sys.version.split()[0])
SOURCE = b"""'''Doc of the module.'''
from zoo import cat, dog as hound
import other.thing

KINDS = {'b', 'a', 'cat', None}


def use(x='text of a kind'):
    '''Doc of use.'''
    return cat(hound, x in {'q', 'cat', 'text of a kind'}), other.thing
"""


def a_module(source: bytes = SOURCE, *defer: str, **more: bool) -> Module:
    return Module(filename="/opt/python/pkg/mod.py", source=tree.blob(source), defer=defer, **more)  # type: ignore[arg-type]


def made(modules: Sequence[Module]) -> list[Compiled]:
    return compiler.compile_all(modules, interpreter=HERE, store=FakeStore(), jobs=1)


def test_the_bytes_do_not_depend_on_what_else_was_compiled_or_how_often() -> None:
    waits = a_module(SOURCE, "zoo", "other.thing")
    [alone] = made([waits])
    others = [
        a_module(b"from zoo import cat, hound\nX = frozenset({'q', 'cat', 'dog', 'use'})\n"),
        a_module(SOURCE, "zoo"),
    ]
    assert alone.pyc is not None
    assert [one.pyc for one in made([*others, waits, waits])][2:] == [alone.pyc, alone.pyc]
    assert alone.pyc != made([a_module()])[0].pyc


def test_names_that_site_adds_to_python_s_own_are_known_where_site_does_not_run() -> None:
    [compiled] = made([a_module(b"from zoo import help\ndef use(): return help()\n", "zoo")])
    assert compiled.refused == ("line 2: help is one of Python's own names, too, which would be read instead",)


def test_docstrings_go_as_ever_and_the_code_still_waits() -> None:
    [compiled] = made([a_module(SOURCE, "zoo", "other.thing", drop_docstrings=True)])
    assert compiled.pyc is not None
    code = marshal.loads(compiled.pyc[16:])
    assert isinstance(code, CodeType)
    assert b"Doc of" not in compiled.pyc
    assert "zoo" not in code.co_names
    [use] = [one for one in code.co_consts if isinstance(one, CodeType) and one.co_name == "use"]
    assert use.co_firstlineno == 8
    assert {line for _, _, line in use.co_lines() if line} <= {2, 3, 8, 10}


@pytest.mark.parametrize(
    ("source", "refused"),
    [
        (
            b"from zoo import cat\nX = cat\n\n\n@cat\ndef f(): pass\n",
            ("line 2: cat is used while the module loads", "line 5: cat is used by a decorator"),
        ),
        (b"import os\n", ("zoo is not imported",)),
        (b"from zoo import (\n", ("SyntaxError in line 1: '(' was never closed",)),
    ],
)
def test_what_cannot_wait_comes_back_with_its_reasons_from_the_store_too(
    source: bytes, refused: tuple[str, ...]
) -> None:
    store = FakeStore()
    for _ in range(2):
        [compiled] = compiler.compile_all([a_module(source, "zoo")], interpreter=HERE, store=store)
        assert (compiled.pyc, compiled.refused) == (None, refused)
