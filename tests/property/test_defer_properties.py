"""A module whose imports wait does what it did, whatever is called in whatever order; else it was refused."""

from __future__ import annotations

import ast
from types import ModuleType

from hypothesis import assume, event, given
from hypothesis import strategies as st

from layerforge.data.defer_imports import CannotWait
from waiting import fetched, importable, rewritten

FAR = {
    "far": "from far import deep\na = 'far.a'\nb = 'far.b'\ndef call(x=None): return ('called', x)\n",
    "far.deep": "a = 'deep.a'\ncall = len\n",
    "far.low": "b = 'low.b'\n",
    "other": "a = 'other.a'\nfar = 'other.far'\n",
}
IMPORTS = [
    "from far import a",
    "from far import a, b",
    "from far import b as a",
    "from far import deep",
    "from far.deep import a as c",
    "from other import a as b",
    "import far",
    "import far.deep",
    "import far.low",
    "import far.low, far.deep",
    "import far.deep as deep",
    "import far.low as far",
    "import other as c",
    "import other",
]
NAMES = ["a", "b", "c", "far", "deep", "other"]
READS = [
    "{n}",
    "[{n} for _ in (1, 2)]",
    "(lambda: {n})()",
    "(lambda {n}: {n})(1)",
    "f'{{{n}}}'",
    "far.deep.a",
    "far.low.b",
]
READS += [
    "[{n} for {n} in (1, 2)]",
    "next({n} for _ in (1,))",
    "{{k: {n} for k in 'x'}}",
    "far.low",
    "getattr({n}, 'a', 0)",
]
BODIES = [
    "def f{i}(x=1):\n    return {r}",
    "def f{i}({n}=5):\n    return {r}, {n}",
    "def f{i}():\n    '''Text.'''\n    return {r}",
    "def f{i}():\n    {n} = 3\n    return {r}",
    "def f{i}():\n    global {n}\n    return {r}",
    "def f{i}():\n    global {n}\n    {n} = 7\n    return {r}",
    "def f{i}():\n    def inner(x={r}):\n        return x, {r}\n    return inner()",
    "def f{i}():\n    def inner():\n        nonlocal y\n        y = {r}\n    y = 0\n    inner()\n    return y",
    "def f{i}():\n    class C:\n        x = {r}\n        def m(self):\n            return {r}\n    return C.x, C().m()",
    "def f{i}():\n    yield {r}",
    "class C{i}:\n    def m(self):\n        return {r}\ndef f{i}():\n    return C{i}().m()",
    "def f{i}():\n    try:\n        return {r}\n    except Exception as {n}:\n        return str({n})",
    "def f{i}():\n    if 0:\n        import other as {n}\n    return {r}",
    "def f{i}():\n    return f0() if {i} else {r}",
    "f{i} = lambda: {r}",
    "def f{i}(x=({r})):\n    return x",
    "X{i} = {r}\ndef f{i}():\n    return X{i}",
    "def f{i}():\n    return sorted(locals()), {r}",
    "def deco{i}(g):\n    def w():\n        return {r}, g()\n    return w\n@deco{i}\ndef f{i}():\n    return {i}",
]  # fmt: skip


@st.composite
def sources(draw: st.DrawFn) -> str:
    """A module of imports, then functions ``f0`` and so on that read what they bind, or what they do not."""
    lines = draw(st.lists(st.sampled_from(IMPORTS), min_size=1, max_size=3, unique=True))
    for number in range(draw(st.integers(1, 4))):
        name = draw(st.sampled_from(NAMES))
        read = draw(st.sampled_from(READS)).format(n=draw(st.sampled_from(NAMES)))
        lines.append(draw(st.sampled_from(BODIES)).format(i=number, n=name, r=read))
    text = "\n".join(lines) + "\n"
    try:
        compile(text, "m", "exec")
    except SyntaxError:
        assume(False)
    return text


def told(value: object) -> str:
    """What a call gave, comparable between two runs."""
    if isinstance(value, ModuleType):
        return f"module {value.__name__}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(told, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {told(one)}' for key, one in value.items())}}}"
    if hasattr(value, "__next__"):
        return f"yields {told(list(value))}"  # type: ignore[call-overload]
    return type(value).__name__ if callable(value) else str(value)


def outcomes(source: str, waiting: list[str], order: list[int]) -> tuple[list[str], list[str]]:
    """What each call gave, and which modules were loaded before the first. Raises ``CannotWait``."""
    with importable({**FAR, "mod": source}, {"mod": waiting} if waiting else {}) as memory:
        found = []
        try:
            module = fetched("mod")
        except CannotWait:
            raise
        except Exception as error:
            return [f"load: {type(error).__name__}: {error}"], []
        loaded = list(memory.loaded)
        for number in order:
            try:
                found.append(told(getattr(module, f"f{number}")()))
            except Exception as error:
                found.append(f"{type(error).__name__}: {error}")
        found += [told(getattr(module, name, None)) for name in NAMES]
        return found, loaded


@given(
    source=sources(),
    asked=st.sets(st.sampled_from(["far", "far.deep", "far.low", "other"]), min_size=1),
    data=st.data(),
)
def test_a_module_whose_imports_wait_gives_the_same_for_every_call_in_every_order(
    source: str, asked: set[str], data: st.DataObject
) -> None:
    count = source.count("def f") + source.count("= lambda")
    order = data.draw(st.lists(st.integers(0, count - 1), max_size=6))
    named = sorted(one for one in asked if any(one in line for line in source.splitlines() if "import" in line))
    assume(named)
    try:
        after, loaded = outcomes(source, named, order)
    except CannotWait:
        event("refused")
        return
    before, eager = outcomes(source, [], order)
    assume(not before[0].startswith("load: "))
    event("waits" if len(loaded) < len(eager) else "waits for nothing")
    assert after == before


@given(source=sources(), asked=st.sampled_from(["far", "far.deep", "other"]))
def test_what_is_added_has_the_lines_of_the_imports_and_nothing_else_moves(source: str, asked: str) -> None:
    try:
        tree = rewritten(source, asked)
    except CannotWait:
        assume(False)
    imports = {node.lineno for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import | ast.ImportFrom)}
    known = {
        (type(node), node.lineno, node.col_offset) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.stmt)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt):
            where = (type(node), node.lineno, node.col_offset)
            assert where in known or node.lineno in imports or isinstance(node, ast.Pass)
