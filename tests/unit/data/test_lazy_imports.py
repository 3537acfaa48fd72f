from __future__ import annotations

import ast

import pytest

from layerforge.data import compile_worker as worker
from layerforge.data.lazy_imports import NAME, lazily, modules

HEAD = '''"""What it is for."""
from __future__ import annotations
from __future__ import generators, division
'''


def named(source: str, package: str = "demo") -> tuple[str, ...]:
    """What the module would import lazily."""
    return modules(ast.parse(source).body, package)


def written(source: str, package: str = "demo") -> str:
    return ast.unparse(lazily(ast.parse(source), package))


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import a", ("a",)),
        ("import c, a.b", ("a.b", "c")),
        ("import a.b as c", ("a.b",)),
        ("from a.b import c, d as e", ("a.b",)),
        ("from . import x", ("demo.deep",)),
        ("from .a import x", ("demo.deep.a",)),
        ("from .. import x", ("demo",)),
        ("from ..a.b import x", ("demo.a.b",)),
        ("import a\nfrom a import b\nimport a", ("a",)),
    ],
)
def test_a_module_is_named_as_python_looks_for_it(source: str, names: tuple[str, ...]) -> None:
    assert named(source, "demo.deep") == names


@pytest.mark.parametrize(
    "source",
    [
        "if x:\n    import a\nelif y:\n    import b\nelse:\n    import c",
        "for x in y:\n    import a\n    import b\nelse:\n    import c",
        "while x:\n    import a, b\nelse:\n    import c",
        "match x:\n    case 1:\n        import a\n    case 2:\n        import b, c",
    ],
)
def test_what_depends_on_something_is_named_too(source: str) -> None:
    assert named(source) == ("a", "b", "c")


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    import a\nexcept ImportError:\n    import b\nelse:\n    import c\nfinally:\n    import d",
        "if x:\n    try:\n        import a\n    except ImportError:\n        pass",
        "def f():\n    import a",
        "class C:\n    import a",
        "from a import *",
        "from __future__ import annotations",
        "from .... import far",
        "with suppress(ImportError):\n    import a",
        "if x:\n    with suppress(ImportError):\n        from a import b\nimport a",
        "",
    ],
)
def test_what_python_never_waits_for_and_what_may_be_there_to_fail_is_not_named(source: str) -> None:
    assert named(source) == ()
    assert written(source) == ast.unparse(ast.parse(source))


@pytest.mark.parametrize("head", ["", '"""What it is for."""\n', HEAD, HEAD.partition("\n")[2]])
def test_the_names_stand_behind_the_docstring_and_the_imports_from_the_future(head: str) -> None:
    tree = lazily(ast.parse(f"{head}import b\nimport a\n"), "demo")
    at = len(ast.parse(head).body)
    assert ast.unparse(tree.body[at]) == f"{NAME} = ('a', 'b')"
    assert [ast.unparse(one) for one in tree.body[at + 1 :]] == ["import b", "import a"]
    assert ast.get_docstring(tree) == ast.get_docstring(ast.parse(head))
    compile(tree, "mod.py", "exec")


def test_lines_of_what_is_there_stay_and_what_is_added_has_that_of_the_next() -> None:
    source = f"{HEAD}\n\nimport a\nx = 1\n"
    tree, before = lazily(ast.parse(source), "demo"), ast.parse(source)
    assert [one.lineno for one in tree.body] == [1, 2, 3, 6, 6, 7]
    del tree.body[3]
    assert ast.dump(tree, include_attributes=True) == ast.dump(before, include_attributes=True)


@pytest.mark.parametrize(
    "own", [f"{NAME} = ['b']", f"{NAME}: set[str] = set()", f"from config import {NAME}", f"import x as {NAME}"]
)
def test_a_module_that_says_itself_what_is_lazy_stays_as_it_is(own: str) -> None:
    assert written(f"{own}\nimport a") == ast.unparse(ast.parse(f"{own}\nimport a"))


def test_the_worker_counts_relative_imports_from_where_the_file_lies() -> None:
    source = b"from . import a\nfrom .b import c\nimport json\n"
    for path, package in (("demo/__init__.py", "demo"), ("demo/x.py", "demo"), ("demo/deep/y.py", "demo.deep")):
        code = worker.build(source, f"/opt/python/{path}", 0, drop=False, lazy=True)
        assert (package, f"{package}.b", "json") in [tuple(sorted(one)) for one in code.co_consts if _names(one)]


def _names(value: object) -> bool:
    return isinstance(value, tuple) and "json" in value


def test_a_deferred_import_is_gone_before_the_others_become_lazy() -> None:
    source = b"import json\nimport csv\ndef f():\n    return csv.reader, json\n"
    code = worker.build(source, "/opt/python/demo.py", 0, drop=False, defer=(["csv"], None), lazy=True)
    space: dict[str, object] = {"__name__": "demo"}
    exec(code, space)
    assert space[NAME] == ("json",)
    assert "csv" not in space


def test_an_answer_without_lazy_is_what_it_is_with_a_job_that_does_not_say() -> None:
    job = {"filename": "/opt/python/demo.py", "data": "aW1wb3J0IGpzb24K", "drop": False, "optimize": 0}
    assert worker.answer(job) == worker.answer(job | {"lazy": False})
    assert worker.answer(job) != worker.answer(job | {"lazy": True})
