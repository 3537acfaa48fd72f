from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerforge.core import guarded
from layerforge.layer import imports

AT = "a/b/c.py"


@pytest.mark.parametrize(
    ("path", "name", "top"),
    [
        ("a/b/__init__.py", "a.b", "a"),
        ("a/b.py", "a.b", "a"),
        ("a/b.pyc", "a.b", "a"),
        ("a/_b.cpython-313-x86_64-linux-gnu.so", "a._b", "a"),
        ("_b.abi3.so", "_b", "_b"),
        ("_b.so", "_b", "_b"),
        ("six.py", "six", "six"),
        ("a/__pycache__/b.cpython-313.pyc", "", "a"),
        ("__pycache__/b.cpython-313.pyc", "", ""),
        ("a/b-c.py", "", "a"),
        ("a-b/c.py", "", ""),
        ("a/_b.pypy39-pp73-x86_64-linux-gnu.so", "", "a"),
        ("libx.so.1", "", ""),
        ("a.libs/libx-1f.so", "", ""),
        ("bin/tool.py", "bin.tool", ""),
        ("a/data.json", "", ""),
        ("../bin/x.py", "", ""),
        ("", "", ""),
    ],
)
def test_a_file_has_the_names_by_which_an_import_finds_it(path: str, name: str, top: str) -> None:
    assert (imports.module_name(path), imports.top_level(path)) == (name, top)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        (b"import x, y.z as z", {"x", "y.z"}),
        (b"from x.y import z, w", {"x.y", "x.y.z", "x.y.w"}),
        (b"from . import x", {"a.b", "a.b.x"}),
        (b"from .x import y", {"a.b.x", "a.b.x.y"}),
        (b"from ..x import y", {"a.x", "a.x.y"}),
        (b"def f():\n    if x: import late", {"late"}),
        (b"from x import (\n    y,\n)", {"x", "x.y"}),
        (b"'import x'\nx = 'import y'", set()),
        (b"from ....x import y", set()),
        (b"", set()),
    ],
)
def test_a_source_imports_what_python_would_look_for(source: bytes, names: set[str]) -> None:
    assert set(imports.imported(source, AT)) == names


def test_a_package_is_what_its_own_relative_imports_start_from() -> None:
    assert set(imports.imported(b"from . import x", "a/b/__init__.py")) == {"a.b", "a.b.x"}


def test_a_module_at_the_top_has_no_package_to_import_from() -> None:
    assert list(imports.imported(b"from . import x\nfrom .y import z", "six.py")) == []


def test_texts_are_given_where_they_are_asked_for() -> None:
    source = b"import x\nload('a.lazy')\n"
    assert set(imports.imported(source, AT)) == {"x"}
    assert set(imports.imported(source, AT, texts=True)) == {"x", "a.lazy"}


@pytest.mark.parametrize(
    "rest",
    [b"print 'old'\n", b"x = 1\n" * (guarded.MOST_PYTHON // 6 + 1), b"(" * 1000, b"\0"],
    ids=["another Python", "very long", "very deep", "no text"],
)
def test_of_a_source_that_cannot_be_parsed_the_import_statements_are(rest: bytes) -> None:
    source = b"from .x import (\n    y,\n)\nimport z, \\\n    w\nfrom ] import v\n" + rest
    assert set(imports.imported(source, AT)) == {"a.b.x", "a.b.x.y", "z", "w"}


@given(st.binary(max_size=200), st.lists(st.sampled_from([b"import ", b"from ", b".", b"(", b"\\\n", b"x", b"\n"])))
def test_whatever_a_source_holds_its_imports_are_names(noise: bytes, words: list[bytes]) -> None:
    for source in (noise, b"".join(words), b"".join(words) + noise):
        assert all(isinstance(name, str) and name for name in imports.imported(source, AT))


def test_an_import_is_found_in_whatever_block_it_stands() -> None:
    source = b"""
class A:
    async def f(self):
        async with x: import a
try: import b
except E: import c
else: import d
finally: import e
for x in y:
    while z:
        if x: import f
        elif y: import g
        else: import h
    else: import i
match x:
    case [1]: import j
    case _: import k
f = lambda: 1 if x else 2; import m
"""
    assert set(imports.imported(source, AT)) == set("abcdefghijkm")
    assert set(imports.imported(source, AT, texts=True)) == set("abcdefghijkm")
