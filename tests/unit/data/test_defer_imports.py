"""Imports that wait: what a rewritten module does, and what is refused."""

from __future__ import annotations

import ast
import sys
import traceback
from collections.abc import Mapping

import pytest

from layerforge.data import defer_imports, module_uses
from layerforge.data.defer_imports import CannotWait
from waiting import fetched, importable, rewritten

FAR = {"far": "LIKE = 'far'\ndef twice(x): return 2 * x\n", "far.deep": "twice = 'deep'\n", "other": "value = 3\n"}


FUTURE = "from __future__ import annotations\n"


def refused(source: str, *modules: str, module: str = "pkg.mod", is_package: bool = False) -> list[tuple[int, str]]:
    with pytest.raises(CannotWait) as raised:
        rewritten(source, *modules, module=module, is_package=is_package)
    assert (raised.value.line, raised.value.why) == raised.value.problems[0]
    return list(raised.value.problems)


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("from far import twice\ndef use(): return twice(4)\n", ["far"]),
        ("from far import twice as double\ndef use(): return double(4)\n", ["far"]),
        ("import far\ndef use(): return far.twice(4)\n", ["far"]),
        ("import far.deep\ndef use(): return far.twice(4)\n", ["far.deep"]),
        ("import far as remote\ndef use(): return remote.twice(4)\n", ["far"]),
        ("import far.deep as deep\nimport far\ndef use(): return deep.twice and far.twice(4)\n", ["far.deep", "far"]),
        ("from far import LIKE, twice\ndef use(): return twice(4)\n", ["far.twice", "far.LIKE"]),
        ("from far import twice\nuse = lambda: inner()\ndef inner(): return twice(4)\n", ["far"]),
        ("from far import twice\ndef use(): return [twice(x) for x in (4,)][0]\n", ["far"]),
        ("from far import twice\ndef use(): return next(twice(x) for x in (4,))\n", ["far"]),
        ("from far import twice\ndef use(): return (lambda: twice(4))()\n", ["far"]),
        ("from far import twice\ndef use():\n def inner(x=twice(4)): return x\n return inner()\n", ["far"]),
        ("from far import twice\ndef use():\n class A:\n  x = twice(4)\n return A.x\n", ["far"]),
        ("from far import twice\nclass A:\n def m(self): return twice(4)\ndef use(): return A().m()\n", ["far"]),
        ("from far import twice\ndef gen():\n yield twice(4)\ndef use(): return next(gen())\n", ["far"]),
        ("from far import twice\ndef use():\n global twice\n return twice(4)\n", ["far"]),
        ("from far import twice\ndef use():\n if 1:\n  global twice, more\n  more = 1\n return twice(4)\n", ["far"]),
        ("from far import twice\ndef use():\n 'Text.'\n return twice(4)\n", ["far"]),
        ("from far import twice\ndef use():\n try: return twice(4)\n finally: pass\n", ["far"]),
        ("from far import twice\ndef no():\n try: pass\n finally: pass\ndef use(): return twice(4)\n", ["far"]),
        ("from far import twice\ndef use(): return f'{twice(4)}' and twice(4)\n", ["far"]),
        ("from far import twice\ndef make():\n def use(): return twice(4)\n return use\nuse = make()\n", ["far"]),
        ("from far import twice as _A__t\nclass A:\n def m(self): return __t(4)\ndef use(): return A().m()\n", ["far"]),
        ("__all__ = ['twice']\nfrom far import twice\ndef use(): return twice(4)\n", ["far"]),
        (f"{FUTURE}from far import twice\ndef use(x: twice = 4): return twice(x)\n", ["far"]),
    ],
)  # fmt: skip
def test_what_waits_is_loaded_by_the_first_call_and_not_before(source: str, modules: list[str]) -> None:
    for waiting in ({}, {"mod": modules}):
        with importable({**FAR, "mod": source}, waiting) as memory:
            module = fetched("mod")
            assert ("far" in memory.loaded) is not bool(waiting)
            assert [module.use(), module.use()] == [8, 8]
            assert memory.loaded.count("far") == 1


def test_coroutines_import_when_they_run() -> None:
    source = "from far import twice\nasync def use(): return twice(4)\n"
    with importable({**FAR, "mod": source}, {"mod": ["far"]}) as memory:
        running = fetched("mod").use()
        assert "far" not in memory.loaded
        with pytest.raises(StopIteration) as done:
            running.send(None)
        assert done.value.value == 8


def test_the_nearest_name_may_be_one_that_waits() -> None:
    told = "fat is not imported; near it: far in line 1"
    with pytest.raises(defer_imports.CannotWait, match=f"^{told}$"):
        defer_imports.deferred(ast.parse("import far\n"), ["far", "fat"], module="mod", is_package=False)


def test_names_that_the_added_code_could_have_used_itself_wait_like_others() -> None:
    far = {"far": "name = 'n'\nimport_module = 'i'\nbuiltin = 'b'\n"}
    source = "from far import name, import_module, builtin as hash\ndef use(): return name, import_module\n"
    with importable({**far, "mod": source}, {"mod": ["far"]}) as memory:
        module = fetched("mod")
        assert memory.loaded == ["mod"]
        assert (module.hash, module.name, module.use()) == ("b", "n", ("n", "i"))


def test_whoever_asks_the_module_gets_what_waits_and_python_s_own_error_for_the_rest() -> None:
    with importable({**FAR, "mod": "from far import twice\n"}, {"mod": ["far"]}) as memory:
        module = fetched("mod")
        assert "twice" in dir(module)
        assert memory.loaded == ["mod"]
        assert module.twice(1) == 2
        assert vars(module)["twice"] is module.twice
        with pytest.raises(AttributeError, match=r"^module 'mod' has no attribute 'thrice'$") as raised:
            _ = module.thrice
        assert raised.value.name == "thrice"
        with pytest.raises(ImportError, match="cannot import name 'thrice' from 'mod'"):
            exec("from mod import thrice")


def test_other_modules_and_import_star_by_all_still_get_the_name() -> None:
    source = "__all__ = ['twice']\nfrom far import twice\n"
    with importable({**FAR, "mod": source, "user": "from mod import *\n"}, {"mod": ["far"]}):
        assert fetched("user").twice(2) == 4


def test_what_is_put_in_its_place_counts() -> None:
    source = "from far import twice\ndef use(): return twice(4)\n"
    with importable({**FAR, "mod": source}, {"mod": ["far"]}) as memory:
        module = fetched("mod")
        vars(module)["twice"] = lambda x: -x
        assert module.use() == -4
        assert "far" not in memory.loaded
        del vars(module)["twice"]
        assert module.use() == 8


def test_a_failing_import_is_shown_where_it_stood_and_is_tried_again() -> None:
    source = "'''Text.'''\n\nfrom broken import x\n\n\ndef use():\n    return x\n"
    with importable({"mod": source, "broken": "raise ImportError('no')\n"}, {"mod": ["broken"]}):
        module = fetched("mod")
        for _ in range(2):
            with pytest.raises(ImportError, match="no") as raised:
                module.use()
            own = [frame for frame in traceback.extract_tb(raised.value.__traceback__) if frame.filename == "mod.py"]
            assert [(frame.name, frame.lineno) for frame in own] == [("use", 3)]


def test_lines_and_docstrings_are_those_of_the_source() -> None:
    source = "from far import twice\n\n\ndef use():\n    '''Text.'''\n    a = twice(1)\n    raise ValueError(a)\n"
    with importable({**FAR, "mod": source}, {"mod": ["far"]}):
        module = fetched("mod")
        assert (module.use.__doc__, module.use.__code__.co_firstlineno) == ("Text.", 4)
        with pytest.raises(ValueError, match="2") as raised:
            module.use()
        assert traceback.extract_tb(raised.value.__traceback__)[-1].lineno == 7


def test_a_function_called_while_the_module_loads_imports_then() -> None:
    source = "from far import twice\ndef use(): return twice(4)\nX = use()\n"
    with importable({**FAR, "mod": source}, {"mod": ["far"]}) as memory:
        assert fetched("mod").X == 8
        assert memory.loaded == ["mod", "far"]


def test_only_the_named_ones_of_a_statement_wait() -> None:
    text = ast.unparse(rewritten("from far import LIKE, twice\nimport other, far.deep as d\n", "far.twice", "far.deep"))
    kept = [line for line in text.splitlines() if line.startswith(("from", "import"))]
    assert kept == ["from far import LIKE", "import other"]


@pytest.mark.parametrize("read", ["far.deep.twice", "far.deep", "far"])
def test_attributes_of_a_module_that_is_imported_anyway_are_waited_for(read: str) -> None:
    source = f"import far\nimport far.deep\nX = far.LIKE\ndef use(): return {read}\ndef like(): return far.LIKE\n"
    with importable({**FAR, "mod": source}, {"mod": ["far.deep"]}) as memory:
        module = fetched("mod")
        assert module.like() == module.X == "far"
        assert "far.deep" not in memory.loaded
        module.use()
        assert "far.deep" in memory.loaded
        assert "__getattr__" not in vars(module)
        assert fetched("far").deep.twice == "deep"


@pytest.mark.parametrize("kept", ["import far as f", "import far"])
def test_what_waits_is_loaded_for_whoever_reads_it_by_another_name_of_the_same_file(kept: str) -> None:
    name = kept.split()[-1]
    source = (
        f"{kept}\nfrom far.deep import twice\ndef use(): return {name}.deep.twice\ndef like(): return {name}.LIKE\n"
    )
    with importable({**FAR, "mod": source}, {"mod": ["far.deep"]}) as memory:
        module = fetched("mod")
        assert module.like() == "far"
        assert "far.deep" not in memory.loaded
        assert module.use() == "deep"


def test_several_modules_of_a_package_wait_together() -> None:
    sources = {**FAR, "far.low": "y = 1\n", "mod": "import far.deep\nimport far.low\ndef use(): return far.low.y\n"}
    with importable(sources, {"mod": ["far.deep", "far.low"]}) as memory:
        module = fetched("mod")
        assert memory.loaded == ["mod"]
        assert module.use() == 1
        assert memory.loaded == ["mod", "far", "far.deep", "far.low"]


PACKAGE = {
    "pkg": """
        from . import low
        from .high import top
        from .low import y as z
        def use(): return low.y, top(), high.top()
    """,
    "pkg.low": "y = 1\n",
    "pkg.high": "def top(): return 'top'\n",
}


@pytest.mark.parametrize("asked", ["low", "high", "top", "z"])
def test_a_package_has_its_own_modules_wait_and_names_them(asked: str) -> None:
    """Those too that no statement names: importing ``pkg.high`` has always made ``high`` a name of ``pkg``."""
    kinds = {}
    for waiting in ({}, {"pkg": ["pkg.low", "pkg.high"]}):
        with importable(PACKAGE, waiting) as memory:
            package = fetched("pkg")
            assert bool(waiting) is (memory.loaded == ["pkg"])
            assert asked in dir(package)
            kinds[bool(waiting)] = type(getattr(package, asked))
            assert package.use() == (1, "top", "top")
            assert fetched("pkg.low") is package.low
    assert kinds[True] is kinds[False]


def test_a_module_of_the_package_that_others_import_first_is_the_same() -> None:
    with importable(PACKAGE, {"pkg": ["pkg.low", "pkg.high"]}):
        high = fetched("pkg.high")
        assert fetched("pkg").use() == (1, "top", "top")
        assert fetched("pkg").high is high


def test_names_in_a_class_that_are_called_otherwise_there_are_no_uses() -> None:
    source = "from far import twice as __t\nclass A:\n def m(self): return __t\ndef use(): return __t(4)\n"
    with importable({**FAR, "mod": source}, {"mod": ["far"]}):
        assert fetched("mod").use() == 8


def test_a_function_inside_one_that_imports_has_no_import_of_its_own() -> None:
    text = ast.unparse(rewritten("from far import a\ndef f():\n a\n def g(): return a\n return g\n", "far"))
    assert text.count("except NameError") == 1


def test_functions_that_only_call_others_are_left_alone() -> None:
    text = ast.unparse(rewritten("from far import a\ndef f(): return g()\ndef g(): return a\n", "far"))
    assert text.count("except NameError") == 1


@pytest.mark.parametrize("is_package", [False, True])
def test_relative_imports_count_by_what_they_resolve_to(is_package: bool) -> None:
    base = "pkg.mod" if is_package else "pkg"
    source = (
        "from .low import a\nfrom . import b\nfrom ..up import c\n"
        if is_package
        else "from .low import a\nfrom . import b\n"
    )
    names = [f"{base}.low", f"{base}.b", *(["pkg.up"] if is_package else [])]
    text = ast.unparse(rewritten(source, *names, is_package=is_package))
    assert not [line for line in text.splitlines() if line.startswith(("from", "import"))]


REFUSED: Mapping[str, tuple[str, list[tuple[int, str]]]] = {
    "module": ("from far import a\n\nX = a\n", [(3, "a is used while the module loads")]),
    "decorator": ("from far import a\n@a\ndef f(): pass\n", [(2, "a is used by a decorator")]),
    "method's decorator": ("from far import a\nclass A:\n @a\n def f(s): pass\n", [(3, "a is used by a decorator")]),
    "default": ("from far import a\ndef f(x=a): pass\n", [(2, "a is used by a default value")]),
    "keyword's default": ("from far import a\ndef f(*, x=a.b): pass\n", [(2, "a is used by a default value")]),
    "base": ("from far import a\nclass A(a): pass\n", [(2, "a is used by a base class")]),
    "metaclass": ("from far import a\nclass A(metaclass=a): pass\n", [(2, "a is used by a base class")]),
    "class body": (
        "from far import a\nclass A:\n    x = a\n",
        [(3, "a is used in the body of A, which runs while the module loads")],
    ),
    "annotation": ("from far import a\ndef f(x: a): pass\n", [(2, "a is used by an annotation")]),
    "result": ("from far import a\ndef f() -> a.b: pass\n", [(2, "a is used by an annotation")]),
    "variable": ("from far import a\nx: a = 1\n", [(2, "a is used by an annotation")]),
    "lambda": ("from far import a\nf = lambda: a\n", [(2, "a is used by a lambda outside of any function")]),
    "comprehension": ("from far import a\nX = [a for _ in ()]\n", [(2, "a is used while the module loads")]),
    "generator": ("from far import a\nX = (a for _ in ())\n", [(2, "a is used while the module loads")]),
    "condition": ("from far import a\nif a: pass\n", [(2, "a is used while the module loads")]),
    "main": ("from far import a\nif __name__ == '__main__':\n a()\n", [(3, "a is used while the module loads")]),
    "assigned": ("from far import a\na = 1\n", [(2, "a is bound here too")]),
    "assigned by a function": ("from far import a\ndef f():\n global a\n a = 1\n", [(4, "a is bound here too")]),
    "deleted": ("from far import a\ndel a\n", [(2, "a is bound here too")]),
    "deleted by a function": ("from far import a\ndef f():\n global a\n del a\n", [(4, "a is bound here too")]),
    "twice": ("from far import a\nfrom far.deep import b as a\n", [(2, "a is bound here too")]),
    "both": ("from far import a\nfrom far import b as a\n", [(2, "a is imported in line 1 too")]),
    "def": ("from far import a\ndef a(): pass\n", [(2, "a is bound here too")]),
    "loop": ("from far import a\nfor a in (): pass\n", [(2, "a is bound here too")]),
    "star": ("from far import *\n", [(1, "import * binds nobody knows which names")]),
    "other star": ("from far import a\nfrom other import *\n", [(2, "import * of other may bind the same names")]),
    "own getattr": (
        "from far import a\ndef __getattr__(name): raise AttributeError\n",
        [(2, "the module has a __getattr__ of its own")],
    ),
    "try": (
        "try:\n    from far import a\nexcept ImportError:\n    a = None\n",
        [(2, "far is imported inside the `try` of line 1, which stays as it is")],
    ),
    "if": ("if 1:\n    import far\n", [(2, "far is imported inside the `if` of line 1, which stays as it is")]),
    "in a function": ("def f():\n    import far\n", [(2, "far is imported in f, which stays as it is")]),
    "in a class": ("class A:\n    import far\n", [(2, "far is imported in A, which stays as it is")]),
    "nowhere": ("import other\n", [(0, "far is not imported")]),
    "near": ("import other\nimport fat\n", [(0, "far is not imported; near it: fat in line 2")]),
    "future": ("from __future__ import annotations\n", [(0, "far is not imported")]),
    "NameError": ("from far import a\nclass NameError: pass\n", [(2, "NameError is another than Python's here")]),
    "own NameError": (
        "from far import a\ndef f(NameError): return a\n",
        [(2, "NameError is a variable of f too")],
    ),
    "NameError around": (
        "from far import a\ndef f(NameError):\n    def g(): return a\n",
        [(2, "NameError is a variable of f too")],
    ),
    "globals": (
        "from far import a\ndef f():\n    return globals()['a']\n",
        [(3, "globals may look for a, a word in line 3")],
    ),
    "globals by another name": (
        "from far import a\ndef f(n):\n    return globals()[n]\n",
        [(3, "globals() is asked for names that only a run tells")],
    ),
    "all globals": (
        "from far import a\ndef f():\n    return '{a}'.join(**globals())\n",
        [(3, "globals may look for a, a word in line 3"), (3, "globals() is asked for names that only a run tells")],
    ),
    "all globals by a method": (
        "from far import a\ndef f(n):\n    return globals().get(n)\n",
        [(3, "globals() is asked for names that only a run tells")],
    ),
    "globals in a variable": (
        "from far import a\ndef f(n):\n    names = globals()\n    return names[n]\n",
        [(3, "globals() is asked for names that only a run tells")],
    ),
    "name among globals": (
        "from far import a\ndef f(n): return n in globals()\n",
        [(2, "globals() is asked for names that only a run tells")],
    ),
    "eval of an argument": (
        "from far import a\ndef f(x): return eval(x)\n",
        [(2, "eval is given a text that only a run tells")],
    ),
    "exec of an argument": (
        "from far import a\ndef f(x): exec(x, globals(), {})\n",
        [(2, "exec is given a text that only a run tells")],
    ),
    "builtin": (
        "from far import open\ndef f():\n    return open(1)\n",
        [(3, "open is one of Python's own names, too, which would be read instead")],
    ),
    "needed": ("from far import a as NameError\n", [(1, "NameError is a name that Python itself reads")]),
    "eval": ("from far import a\ndef f(): return eval('a.b')\n", [(2, "eval may look for a, a word in line 2")]),
    "globals at load": (
        "from far import a\nX = list(globals())\n",
        [(2, "globals is called while the module loads, and may look for every name")],
    ),
    "dir at load": (
        "from far import a\n__all__ = dir()\n",
        [(2, "dir() lists the names of the module while the module loads")],
    ),
    "vars at load": (
        "from far import a\nX = [n for n in vars()]\n",
        [(2, "vars() lists the names of the module while the module loads")],
    ),
    "dir by a default": (
        "from far import a\ndef f(names=dir()): pass\n",
        [(2, "dir() lists the names of the module while the module loads")],
    ),
    "vars by a decorator": (
        "from far import a\n@known(vars())\ndef f(): pass\n",
        [(2, "vars() lists the names of the module while the module loads")],
    ),
    "numba": (
        "from far import a\n@njit(cache=True)\ndef f(): return a\n",
        [(2, "a is used in f, whose code njit reads, which knows of no imports")],
    ),
    "a class's global": (
        "from far import a\ndef f(a):\n class A:\n  global a\n  x = a\n",
        [(2, "a is a variable of f too")],
    ),
    "text annotation": (
        "from far import a\nclass A:\n    x: 'a.b'\n",
        [(3, "a is named in an annotation that may be evaluated")],
    ),
    "name of Python's": ("from far import __getattr__\n", [(1, "__getattr__ is a name that Python itself reads")]),
    "mangled": (
        "from far import __b as a\nclass A:\n def m(self): return a\n",
        [(3, "a is used in m, and would be called otherwise in a class")],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("source", "problems"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_wait_is_refused_with_its_line_and_the_reason(source: str, problems: list[tuple[int, str]]) -> None:
    ast.parse(source)
    assert refused(source, "far") == problems


@pytest.mark.skipif(sys.version_info < (3, 12), reason="type parameters came with Python 3.12")
def test_a_function_called_as_its_own_type_parameter_is_refused() -> None:
    told = "f is a type parameter of f, so that nobody knows which of both reads"
    assert refused("from far import a\ndef f[f: a](): pass\n", "far") == [(2, told)]


def test_all_variables_may_be_handed_on_and_those_that_are_named_may_be_asked_for() -> None:
    source = """
from far import twice
def use(name="made"):
    own = {}
    own.update(globals())
    exec("x = 4", own)
    globals()[name] = own["x"]
    globals().update(more=3)
    assert globals().get("more") == eval(name, {"made": 3}) == globals()["more"]
    __import__("other", globals(), locals(), [])
    return twice(made)
"""
    with importable({**FAR, "mod": source}, {"mod": ["far"]}):
        assert fetched("mod").use() == 8


def test_all_reasons_of_a_module_are_told_at_once_in_the_order_of_its_lines() -> None:
    source = "from far import a, b\nfrom other import c\nX = b\nY = a\ndef f(x=c): pass\n"
    assert [line for line, _ in refused(source, "far", "other")] == [3, 4, 5]


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("from .norm import norm\n", "norm is also a module of pkg, which would take the name"),
        ("from .low import norm\n", "norm is also a module of pkg, which would take the name"),
        ("from . import value\n", "value is imported by pkg from itself"),
    ],
)
def test_a_package_s_name_that_a_module_of_it_would_take_is_refused(source: str, why: str) -> None:
    sources = {"pkg": source, "pkg.norm": "norm = 1\n", "pkg.low": "norm = 1\n"}
    names = ["pkg.norm", "pkg.low", "pkg.value"]
    [asked] = [name for name in names if name.rpartition(".")[2] in source.replace("import norm", "")]
    with importable(sources, {"pkg": [asked]}), pytest.raises(CannotWait, match=why):
        fetched("pkg")


def test_attributes_that_are_read_while_the_module_loads_are_refused() -> None:
    source = "import far\nimport far.deep\nX = far.deep.twice\nY = far\nZ = far.LIKE\n"
    assert refused(source, "far.deep") == [
        (3, "far is used while the module loads"),
        (4, "far is used while the module loads"),
    ]


def test_annotations_of_decorated_functions_are_refused_where_the_decorator_may_evaluate_them() -> None:
    future = "from __future__ import annotations\nfrom far import a\n"
    assert refused(f"{future}@route\ndef f(x: a): pass\n", "far") == [
        (4, "a is named in an annotation that may be evaluated")
    ]
    assert rewritten(f"{future}class A:\n @property\n def f(self) -> a: pass\n", "far")


def test_a_future_import_cannot_wait() -> None:
    assert refused("from __future__ import annotations\n", "__future__") == [
        (1, "__future__ is no import that could wait")
    ]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/b.py", ("a.b", False)),
        ("a/__init__.py", ("a", True)),
        ("a.py", ("a", False)),
        ("a/b/__init__.py", ("a.b", True)),
    ],
)
def test_the_name_of_a_module_is_that_of_its_place(path: str, expected: tuple[str, bool]) -> None:
    assert module_uses.place(path) == expected


def test_the_proof_finds_a_read_that_nothing_was_put_before() -> None:
    tree = rewritten("from far import a\ndef f(): return a\ndef g(): return lambda: a\n", "far")
    found = defer_imports.Module(tree=tree, name="m", is_package=False, submodules=None)
    found.waiting["a"] = defer_imports.Waiting(name="a", imports=[ast.parse("from far import a").body[0]])  # type: ignore[list-item]
    defer_imports.prove(found, module_uses.compiled(tree))
    assert found.problems == []
    for function in ("f", "g"):
        broken = ast.parse(ast.unparse(tree))
        for node in broken.body:
            if isinstance(node, ast.FunctionDef) and node.name == function:
                del node.body[:2]
        found = defer_imports.Module(tree=broken, name="m", is_package=False, submodules=None, waiting=found.waiting)
        defer_imports.prove(found, module_uses.compiled(broken))
        where = "f" if function == "f" else "<lambda>"
        assert found.problems == [(1, f"a would be unbound in {where}")]
