"""Modules that are compiled once, from a text, have the bytes of those that are compiled twice, from a tree."""

from __future__ import annotations

import sys
import warnings
from types import CodeType

from hypothesis import given
from hypothesis import strategies as st

from layerforge.data import blank_docstrings
from layerforge.data import compile_worker as worker

FILENAME = "/opt/python/mod.py"

PIECES = [
    *("a", "Doc.", " ", "  ", "\t", "\f", "ü", "…", "#", "{x}", "{{", "%s", ":", ";", "(", ")", "class A:", "def f():"),
    *("\\n", "\\\\", "\\'", '\\"', "\\d", "\\x41", "\\x4", "\\N{BULLET}", "\\N{no}", "\\u00e9", "\\777", "\\\n", "\n"),
    *("'", '"', "''", '""', "coding: latin-1", "\n    'Inner.'\n", '\n    """Inner."""\n'),
]
SOUP = [
    *(
        "def f():",
        "class A:",
        "async def g():",
        "def h(a, b='):', *, c: int = {1: 2}) -> 'x':",
        "    ",
        "\t",
        "\n",
        "\n",
    ),
    *("'", '"', "'''", '"""', "\\", "\\\n", "#", "x", " = ", "(", ")", "[", "]", "{", "}", ":", ";", ",", "lambda"),
    *("'Doc.'", '"""Doc.\n"""', "r'''\\'''", "f'{x}'", "f'{x!r:>{y}}'", "b'c'", "f", "r", "u", "b", "rf", "\f", "\r\n"),
    *(
        "\r",
        "pass",
        "return ",
        "import a.b",
        "@",
        "ü",
        "\ufeff",
        "\0",
        "in",
        "not ",
        "{'a', 'b'}",
        "# coding: latin-1\n",
    ),
]


def literal(prefix: str, quote: str, pieces: list[str]) -> str:
    return f"{prefix}{quote}{''.join(pieces)}{quote}"


literals = st.builds(
    literal,
    st.sampled_from(["", "", "r", "R", "u", "U", "b", "f", "rb", "Rf"]),
    st.sampled_from(["'", '"', "'''", '"""', '"""']),
    st.lists(st.sampled_from(PIECES), max_size=6),
)
statements = st.one_of(
    literals,
    st.builds("{} {}".format, literals, literals),
    st.builds("({})".format, literals),
    st.builds("{}; x = {}".format, literals, literals),
    st.builds("{}  # {{'no'}}".format, literals),
    st.builds("{}.join('a')".format, literals),
    st.builds("x = y in {{{}, {}, 'one'}}".format, literals, literals),
    st.builds("{} \\\n    .join('a')".format, literals),
    st.sampled_from(
        ["pass", "x = 1", "...", "return x in {'one', 'two'}", "import a.b.c", "x = 'A.B', 'f.<locals>.A'"]
    ),
)
heads = st.sampled_from(
    [
        *(
            "def f():",
            "async  def f(a, b):",
            "class A:",
            "class B(A, c='):'):",
            "def f(a=lambda: 0, *b) -> 'x':",
            "if x:",
        ),
        *("def f(\n    a: {'k': 1},  # '\n):", "@d('e')\ndef f():", "try: pass\nfinally:", "def f(a) -> x[1:2]: # 'c'"),
    ]
)


def indented(head: str, body: list[str], indent: str, *, one_line: bool) -> str:
    if one_line and len(body) == 1 and "\n" not in head:
        return f"{head} {body[0]}"
    return f"{head}\n" + "\n".join(f"{indent}{line}" for line in body)


def block(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    bodies = st.lists(children, min_size=1, max_size=3)
    return st.builds(indented, heads, bodies, st.sampled_from(["    ", "\t", "  "]), one_line=st.booleans())


def written(parts: list[str], newline: str, start: str) -> bytes:
    return (start + "\n".join(parts).replace("\n", newline)).encode()


modules = st.builds(
    written,
    st.lists(st.recursive(statements, block, max_leaves=6), min_size=1, max_size=4),
    st.sampled_from(["\n", "\n", "\n", "\r\n", "\r"]),
    st.sampled_from(["", "", "\ufeff", "#!x\n", "# -*- coding: utf-8 -*-\n", "\n# 'a'\n\f"]),
)
soups = st.lists(st.sampled_from(SOUP), max_size=25).map(lambda parts: "".join(parts).encode("utf-8", "surrogatepass"))


def of_a_tree(source: bytes, *, drop: bool, unfold: bool = False) -> CodeType:
    tree = worker.parse(source, FILENAME)
    if drop:
        worker.empty_docstrings(tree)
    if unfold:
        worker._UnfoldSets().visit(tree)
    return compile(tree if drop or unfold else source, FILENAME, "exec", dont_inherit=True, optimize=0)


def twice(source: bytes, *, drop: bool) -> bytes:
    """What became of a module when each was compiled from its tree, and again if it had sets."""
    try:
        code = of_a_tree(source, drop=drop)
        sets = [value for value in worker.constants(code) if worker.has_set(value)]
        unfold = worker.SETS_IN_TABLE_ORDER and any(map(worker.hashed_by_address, sets))
        return worker.serialize(of_a_tree(source, drop=drop, unfold=unfold) if sets else code)
    except (SyntaxError, ValueError) as error:
        return worker.reason(error).encode()


def once(source: bytes, *, drop: bool) -> bytes:
    try:
        return worker.serialize(worker.settled(source, FILENAME, 0, drop=drop))
    except (SyntaxError, ValueError) as error:
        return worker.reason(error).encode()


def check(source: bytes, *, drop: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert once(source, drop=drop) == twice(source, drop=drop)


@given(source=modules, drop=st.booleans())
def test_a_module_has_the_bytes_of_one_that_was_compiled_from_trees_and_twice(source: bytes, drop: bool) -> None:
    check(source, drop=drop)


@given(source=soups)
def test_whatever_is_no_module_is_refused_in_the_same_words(source: bytes) -> None:
    check(source, drop=True)


@given(data=st.binary(max_size=60))
def test_whatever_the_bytes_the_search_for_docstrings_gives_nothing_or_as_many_lines(data: bytes) -> None:
    for source in (data, b"def f():\n    '''" + data, b"def f():\n    '''" + data + b"'''\n"):
        found = blank_docstrings.emptied(source)
        lines = source.replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n")
        assert found is None or found.count(b"\n") == lines


MEMBERS = [
    "'red'",
    "'gr' 'een'",
    "'bl\\x75e'",
    "'a-b'",
    "'A.B'",
    "'f.<locals>.A'",
    "'x'",
    "''",
    "7",
    "('red', 'tie')",
    "None",
]
MORE = ["('red', 'tie')", "None"]
some_sets = st.lists(st.lists(st.sampled_from(MEMBERS + MORE), min_size=1, max_size=5), min_size=1, max_size=4)


def with_sets(sets: list[list[str]]) -> bytes:
    functions = [f"def f{number}(x): return x in {{{', '.join(one)}}}, {one[0]}" for number, one in enumerate(sets)]
    return "\n".join(["class A:", " class B: 'Doc.'", "def f():", " class A: pass", *functions, ""]).encode()


@given(batch=st.lists(some_sets, min_size=1, max_size=4), drop=st.booleans(), data=st.data())
def test_sets_have_the_same_bytes_in_any_order_and_batch(
    batch: list[list[list[str]]], drop: bool, data: st.DataObject
) -> None:
    sources = [with_sets(sets) for sets in batch]
    alone = {source: twice(source, drop=drop) for source in sources}
    held = [sys.intern(word) for word in data.draw(st.lists(st.sampled_from(["red", "green", "blue", "A.B", "x"])))]
    for source in data.draw(st.permutations(sources)):
        assert once(source, drop=drop) == alone[source]
    assert all(held)
