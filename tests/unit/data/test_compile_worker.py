"""The worker that compiles modules, called as functions; what it is on other Pythons test_pyc.py tells."""

from __future__ import annotations

import ast
import base64
import gc
import importlib.util
import io
import json
import marshal
import struct
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerforge.data import compile_worker as worker

DOCUMENTED = '''
"""Of the module."""
def function():
    "Of a function."
    return 1
async def coroutine():
    "Of a coroutine."
class Outer:
    "Of a class."
    class Inner:
        "Of an inner class."
        def method(self): "Of a method."
if True:
    def branch(): "Of a branch."
else:
    def other(): "Of the other branch."
try:
    pass
except ValueError:
    def handler(): "Of a handler."
finally:
    def last(): "Of what comes last."
match 1:
    case 2:
        def case(): "Of a case."
'''


def run(code: CodeType) -> dict[str, Any]:
    space: dict[str, Any] = {"__name__": "mod"}
    exec(code, space)
    return space


def frozensets(code: CodeType) -> list[object]:
    return [value for value in worker.constants(code) if worker.has_set(value)]


def test_an_expression_that_is_too_deep_for_the_rewrite_is_told_in_words() -> None:
    job = {"filename": "/opt/python/m.py", "drop": False, "optimize": 0, "defer": ["json"], "submodules": None}
    deep = b"import json\nx = " + b"+".join([b"1"] * 5000) + b"\n"
    kind, told = worker.answer({**job, "data": base64.b64encode(deep).decode()})
    assert (kind, told) == (b"D", b"an expression is too deep to be rewritten")


def test_every_docstring_is_emptied_wherever_its_definition_stands() -> None:
    code = worker.build(DOCUMENTED.encode(), "mod.py", 0, drop=True)
    assert not [text for text in worker.strings(code) if text.startswith("Of ")]
    space = run(code)
    assert space["__doc__"] == ""
    assert space["function"].__doc__ == ""
    assert space["Outer"].Inner.method.__doc__ == ""
    assert space["function"]() == 1


def test_docstrings_stay_where_nobody_drops_them() -> None:
    space = run(worker.build(DOCUMENTED.encode(), "mod.py", 0, drop=False))
    assert (space["__doc__"], space["Outer"].Inner.__doc__) == ("Of the module.", "Of an inner class.")


@pytest.mark.parametrize(
    "source",
    [
        "if True:\n    'no docstring'\n",
        "def f():\n    return 1\n    'no docstring'\n",
        "class A:\n    1\n",
        "b'no docstring'\n",
        "f'no docstring {1}'\n",
        "x = 'no docstring'\n",
        "",
    ],
)
def test_what_is_no_docstring_is_left_as_it_is(source: str) -> None:
    tree = ast.parse(source)
    before = ast.dump(tree)
    worker.empty_docstrings(tree)
    assert ast.dump(tree) == before


def test_an_expression_too_deep_for_a_tree_is_left_to_the_compiler_with_its_docstrings() -> None:
    source = "'kept'\none = 1\nx = " + "+".join(["one"] * 1500) + "\n"
    space = run(worker.build(source.encode(), "mod.py", 0, drop=True))
    assert (space["x"], space["__doc__"] in {"", "kept"}) == (1500, True)


def test_asserts_go_where_code_is_optimised() -> None:
    assert run(worker.build(b"assert False\nx = 1\n", "mod.py", 1, drop=True))["x"] == 1
    with pytest.raises(AssertionError):
        run(worker.build(b"assert False\n", "mod.py", 0, drop=True))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, True),
        (..., True),
        ((1, (2, None)), True),
        (frozenset({1, ...}), True),
        ((1, "a"), False),
        (frozenset({b"a"}), False),
        (1.5, False),
    ],
)
def test_what_is_hashed_by_address_is_found_inside_other_constants(value: object, expected: bool) -> None:
    assert worker.hashed_by_address(value) is expected


@pytest.mark.parametrize(
    ("source", "folded"),
    [
        ("def f(x): return x in {None, 'a', 2}", False),
        ("def f(x): return x in {'a', (None, 1), 2}", False),
        ("def f(x): return x in {..., 'a', 2}", False),
        ("def f(x): return x in {'a', 'b', 2}", True),
    ],
)
def test_a_set_whose_order_is_chance_is_no_constant_once_unfolded(source: str, folded: bool) -> None:
    code = worker.build(source.encode(), "mod.py", 0, drop=False, unfold=True)
    assert bool(frozensets(code)) is folded
    assert bool(frozensets(worker.build(source.encode(), "mod.py", 0, drop=False)))
    function = run(code)["f"]
    assert (function("a"), function(2), function("z")) == (True, True, False)


@pytest.mark.parametrize(("value", "expected"), [(frozenset(), True), ((1, (frozenset(),)), True), ((1, "a"), False)])
def test_a_set_is_found_inside_other_constants(value: object, expected: bool) -> None:
    assert worker.has_set(value) is expected


def test_the_strings_of_a_module_are_those_of_its_functions_and_constants_too() -> None:
    source = (
        "import os\ndef f(one):\n    two = one\n    return lambda: (two, ('three', b'four'), one in {'five', 'six'})\n"
    )
    found = set(worker.strings(worker.build(source.encode(), "mod.py", 0, drop=False)))
    assert {"os", "f", "one", "two", "three", "five", "six"} <= found
    assert worker.strings(4) == []


def test_a_module_with_sets_has_the_same_bytes_whatever_was_interned_before() -> None:
    source = b"def f(x): return x in {'some_name', 'another_name', 'a-b'}\n"
    first = worker.compile_file(source, "/opt/python/mod.py", 0, drop=False)
    kept = [sys.intern(name) for name in ("some_name", "another_name", "a-b")]
    assert worker.compile_file(source, "/opt/python/mod.py", 0, drop=False) == first
    assert kept


@pytest.mark.skipif(not worker.WORDS_ARE_INTERNED, reason="this Python always compiles twice")
@pytest.mark.parametrize(
    ("source", "compilations"),
    [
        ("x = {'k': 'one_word'}\n", 1),
        ("def f(x): return x in {'one_word', 'another'}\ndef g(x): return x in {'one_word', 'another'}\n", 1),
        ("def f(x): return x in {'a-b', 'ä', '', 5}\ndef g(x): return x in {'a-b', 'ä', '', 5}\n", 1),
        ("class Outer:\n class Inner: pass\nx = {'k': 'Outer.Inner', 'Outer': 'one_word'}\n", 1),
        ("def f(x): return x in {'jo' 'ined', 'es\\x63aped'}\n", 2),
        ("def f(x):\n class Inner: pass\n return x in {'one_word'}, Inner, 'f.<locals>.Inner'\n", 2),
        ("import os.path\ndef f(x): return x in {'one_word'}, 'os.path'\n", 2),
    ],
)
def test_only_a_module_whose_first_code_may_not_be_the_last_is_compiled_twice(
    source: str, compilations: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[object] = []

    def counted(*args: Any, **options: Any) -> CodeType:
        built.append(args)
        return build(*args, **options)

    build = worker.build
    monkeypatch.setattr(worker, "build", counted)
    worker.settled(source.encode(), "mod.py", 0, drop=True)
    assert len(built) == compilations


def test_a_pyc_is_bound_to_its_source_by_a_hash_that_is_never_checked() -> None:
    source = b"X = 'value'\n"
    data = worker.compile_file(source, "/opt/python/mod.py", 0, drop=False)
    assert data[:4] == importlib.util.MAGIC_NUMBER
    assert struct.unpack("<I", data[4:8]) == (1,)
    assert data[8:16] == importlib.util.source_hash(source)
    code = marshal.loads(data[16:])
    assert code.co_filename == "/opt/python/mod.py"
    assert run(code)["X"] == "value"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (SyntaxError("invalid", ("mod.py", 3, 1, "x")), "SyntaxError in line 3: invalid"),
        (SyntaxError("encoding problem"), "SyntaxError: encoding problem"),
        (ValueError("null bytes"), "ValueError: null bytes"),
        (RecursionError("too deep"), "RecursionError: too deep"),
    ],
)
def test_why_a_module_does_not_compile_is_one_line(error: Exception, expected: str) -> None:
    assert worker.reason(error) == expected


def test_a_source_that_is_no_text_is_told_as_such() -> None:
    kind, data = worker.answer(
        {"data": base64.b64encode(b"x = '\xff'\n"), "filename": "m.py", "drop": False, "optimize": 0}
    )
    assert kind == b"E"
    assert data.decode().startswith("SyntaxError")
    assert "utf-8" in data.decode()


def frames(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    while data:
        kind, (size,) = data[:1], struct.unpack("<I", data[1:5])
        yield kind, data[5 : 5 + size]
        data = data[5 + size :]


def test_files_are_answered_in_order_and_each_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.py").write_text("'''Doc.'''\n")
    files = [
        {"filename": "/opt/python/a.py", "path": str(tmp_path / "a.py"), "drop": False, "optimize": 0},
        {"filename": "/opt/python/b.py", "data": base64.b64encode(b"x =\n").decode(), "drop": True, "optimize": 0},
        {
            "filename": "/opt/python/c.py",
            "data": base64.b64encode(b"'''Doc.'''\n").decode(),
            "drop": True,
            "optimize": 0,
        },
    ]
    asked = json.dumps(files).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(asked)))
    output = io.BytesIO()
    try:
        with warnings.catch_warnings():
            worker.main(output)
    finally:
        gc.enable()
    one, two, three = frames(output.getvalue())
    assert [run(marshal.loads(data[16:]))["__doc__"] for _, data in (one, three)] == ["Doc.", ""]
    assert two == (b"E", b"SyntaxError in line 1: invalid syntax")
    assert capsys.readouterr().err == "+\n" * 3


@given(
    st.lists(st.sampled_from(["'a'", "'b c'", "1", "2.5", "None", "...", "(1, None)", "b'x'"]), min_size=1, max_size=6)
)
def test_unfolding_changes_no_sets_members(members: list[str]) -> None:
    source = f"x = {{{', '.join(members)}}}\ny = [m for m in x if m in {{{', '.join(members)}}}]\n".encode()
    plain, unfolded = (run(worker.build(source, "mod.py", 0, drop=False, unfold=unfold)) for unfold in (False, True))
    assert plain["x"] == unfolded["x"]
    assert len(unfolded["y"]) == len(unfolded["x"])
