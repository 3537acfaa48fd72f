from __future__ import annotations

import importlib.util
import json
import marshal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import CodeType

import pytest

from fakes import FakeStep, a_file, a_setting, a_tree, target
from layerforge.build.interpreters import Interpreter
from layerforge.core.errors import UsageError
from layerforge.layer import pyc, tree
from layerforge.layer.passes.compile import compile_modules
from layerforge.layer.passes.setting import LeftAlone, Setting
from layerforge.layer.pyc import PycState
from layerforge.layer.tree import Edit, File, Link, Tree
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import EVERY_FILE, Bytecode, BytecodeMode, CodeRules, Columns, Docstrings

RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
TAG = f"cpython-{sys.version_info.major}{sys.version_info.minor}"
MAGIC = int.from_bytes(importlib.util.MAGIC_NUMBER[:2], "little")
INTERPRETER = Interpreter(path=Path(sys.executable), version=sys.version.split()[0])


def a_compiling_setting(options: Bytecode, *, interpreter: Interpreter | None = INTERPRETER) -> Setting:
    return a_setting(
        spec=LayerSpec(name="pkg", requires=("pkg",), bytecode=options), python=RUNNING, interpreter=interpreter
    )


def proposed(
    layer: Tree,
    mode: BytecodeMode,
    *,
    docstrings: Docstrings = Docstrings.KEEP,
    keep_docstrings: tuple[str, ...] = (),
    optimize: int = 0,
) -> list[Edit | LeftAlone]:
    rules = CodeRules(docstrings=docstrings, keep_docstrings=keep_docstrings, optimize=optimize)
    options = Bytecode(mode=mode, packages={"pkg": rules})
    return list(compile_modules(layer, a_compiling_setting(options)))


def applied(layer: Tree, changes: Iterable[Edit | LeftAlone]) -> dict[str, File]:
    edits = [change for change in changes if isinstance(change, Edit)]
    return {file.path: file for file in tree.apply(layer, edits).files}


def beside(path: str) -> str:
    return pyc.pyc_path(path, TAG, BytecodeMode.BESIDE)


def doc(file: File) -> object:
    program = (
        "import json, marshal, sys\nspace = {'__name__': 'm'}\n"
        "exec(marshal.loads(sys.stdin.buffer.read()[16:]), space)\nprint(json.dumps(space['__doc__']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], input=file.blob.read(), capture_output=True, check=True
    )
    found: object = json.loads(done.stdout)
    return found


def test_beside_gives_every_source_valid_bytecode_of_its_own_package() -> None:
    layer = a_tree(
        a_file("python/a/__init__.py", b"x = 1\n", package="a"),
        a_file("python/b.py", b"y = 2\n", package="b", executable=True),
    )
    files = applied(layer, proposed(layer, BytecodeMode.BESIDE))
    for source in ("python/a/__init__.py", "python/b.py"):
        new = files[beside(source)]
        found = pyc.facts(new.blob.read(), magic=MAGIC, source=None)
        assert (found.state, found.filename) == (PycState.VALID, f"/opt/{source}")
        assert (new.package, new.executable) == (files[source].package, False)
    assert len(files) == 4


def test_only_puts_bytecode_in_the_place_of_the_source() -> None:
    layer = a_tree(a_file("python/a/__init__.py", b"x = 1\n", package="a"), a_file("python/a/data.txt"))
    changes = proposed(layer, BytecodeMode.ONLY)
    files = applied(layer, changes)
    assert set(files) == {"python/a/__init__.pyc", "python/a/data.txt"}
    (edit,) = changes
    assert isinstance(edit, Edit)
    assert edit.saved == 6 - files["python/a/__init__.pyc"].size
    assert files["python/a/__init__.pyc"].package == "a"


@pytest.mark.parametrize("mode", [BytecodeMode.BESIDE, BytecodeMode.ONLY])
def test_a_source_that_does_not_compile_stays_and_says_why(mode: BytecodeMode) -> None:
    layer = a_tree(a_file("python/bad.py", b"x =\n"), a_file("python/good.py", b"x = 1\n"))
    changes = proposed(layer, mode)
    (left,) = [change for change in changes if isinstance(change, LeftAlone)]
    assert left.path == "python/bad.py"
    assert "SyntaxError in line 1" in left.reason
    assert "python/bad.py" in applied(layer, changes)


@pytest.mark.parametrize("mode", list(BytecodeMode))
def test_bytecode_that_came_with_the_wheels_is_gone_in_every_mode(mode: BytecodeMode) -> None:
    old = [
        beside("python/a.py"),
        "python/__pycache__/a.cpython-38.pyc",
        "python/__pycache__/gone.cpython-313.pyc",
        "python/a.pyc",
        beside("python/bad.py"),
    ]
    layer = a_tree(
        a_file("python/a.py", b"x = 1\n"), a_file("python/bad.py", b"x =\n"), *(a_file(path, b"old") for path in old)
    )
    files = applied(layer, proposed(layer, mode))
    assert all(file.blob.read() != b"old" for file in files.values())
    expected = {
        BytecodeMode.BESIDE: {"python/a.py", "python/bad.py", beside("python/a.py")},
        BytecodeMode.ONLY: {"python/a.pyc", "python/bad.py"},
        BytecodeMode.NONE: {"python/a.py", "python/bad.py"},
    }
    assert set(files) == expected[mode]


@pytest.mark.parametrize("mode", list(BytecodeMode))
def test_a_module_that_came_without_a_source_is_left_alone(mode: BytecodeMode) -> None:
    layer = a_tree(a_file("python/closed.pyc", b"old"))
    assert proposed(layer, mode) == [LeftAlone(path="python/closed.pyc", reason="bytecode without a source")]


def test_replaced_bytecode_counts_only_the_difference() -> None:
    layer = a_tree(a_file("python/a.py", b"x = 1\n"), a_file(beside("python/a.py"), b"old" * 100))
    (edit,) = proposed(layer, BytecodeMode.BESIDE)
    assert isinstance(edit, Edit)
    assert edit.entry is not None
    assert edit.saved == 300 - edit.entry.size


@pytest.mark.parametrize("mode", list(BytecodeMode))
def test_what_is_not_below_python_or_no_source_is_left_alone(mode: BytecodeMode) -> None:
    layer = a_tree(
        a_file("bin/tool.py", b"x = 1\n"),
        a_file("bin/tool.pyc", b"old"),
        a_file("python/bin/tool", b"#!/usr/bin/env python\n"),
        a_file("python/stub.pyi", b"x: int\n"),
        Link(path="python/link.py", target="stub.pyi"),
    )
    assert proposed(layer, mode) == []


def test_docstrings_are_dropped_but_for_the_files_that_keep_them() -> None:
    text = b"'Doc.'\n"
    layer = a_tree(a_file("python/np/_core/a.py", text), a_file("python/np/b.py", text))
    changes = proposed(layer, BytecodeMode.BESIDE, docstrings=Docstrings.DROP, keep_docstrings=("np/_core/**",))
    files = applied(layer, changes)
    assert doc(files[beside("python/np/_core/a.py")]) == "Doc."
    assert doc(files[beside("python/np/b.py")]) == ""
    assert files["python/np/b.py"].blob.read() == text


def test_files_named_to_keep_docstrings_mean_nothing_where_all_are_kept() -> None:
    layer = a_tree(a_file("python/b.py", b"'Doc.'\n"))
    assert doc(applied(layer, proposed(layer, BytecodeMode.BESIDE))[beside("python/b.py")]) == "Doc."


def test_the_recipes_optimize_level_reaches_the_compiler() -> None:
    layer = a_tree(a_file("python/b.py", b"__doc__ = __debug__\n"))
    assert doc(applied(layer, proposed(layer, BytecodeMode.BESIDE))[beside("python/b.py")]) is True
    assert doc(applied(layer, proposed(layer, BytecodeMode.BESIDE, optimize=1))[beside("python/b.py")]) is False


def test_progress_counts_every_source() -> None:
    setting = a_compiling_setting(Bytecode())
    layer = a_tree(*(a_file(f"python/m{number}.py", b"x = 1\n") for number in range(5)), a_file("python/x.txt"))
    list(compile_modules(layer, setting))
    assert isinstance(setting.step, FakeStep)
    assert setting.step.advanced == 5


def test_without_an_interpreter_bytecode_is_an_error_that_names_the_way_out() -> None:
    layer = a_tree(a_file("python/a.py", b"x = 1\n"))
    with pytest.raises(UsageError) as caught:
        list(compile_modules(layer, a_compiling_setting(Bytecode(), interpreter=None)))
    assert "--bytecode none" in caught.value.hint


def test_without_an_interpreter_a_layer_without_bytecode_is_fine() -> None:
    layer = a_tree(a_file("python/a.py", b"x = 1\n"), a_file("python/a.pyc", b"old"))
    changes = list(compile_modules(layer, a_compiling_setting(Bytecode(mode=BytecodeMode.NONE), interpreter=None)))
    assert set(applied(layer, changes)) == {"python/a.py"}


def test_a_second_run_takes_everything_from_the_store() -> None:
    layer = a_tree(a_file("python/a.py", b"x = 1\n"))
    setting = a_compiling_setting(Bytecode())
    assert list(compile_modules(layer, setting)) == list(compile_modules(layer, setting))
    assert getattr(setting.store, "hits", 0) == 1


def test_what_python_imports_from_the_layer_is_the_bytecode(tmp_path: Path) -> None:
    layer = a_tree(a_file("python/pkg/__init__.py", b"from pkg import mod\n"), a_file("python/pkg/mod.py", b"x = 5\n"))
    for file in applied(layer, proposed(layer, BytecodeMode.ONLY)).values():
        (tmp_path / file.path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file.path).write_bytes(file.blob.read())
    program = "import sys; sys.path.insert(0, sys.argv[1]); import pkg; print(pkg.mod.x, pkg.mod.__file__)"
    argv = [sys.executable, "-I", "-c", program, str(tmp_path / "python")]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["5", f"{tmp_path}/python/pkg/mod.pyc"]


# --- rules of each package


def told(packages: dict[str, CodeRules], docstrings: Docstrings = Docstrings.KEEP) -> dict[str, object]:
    """Docstring and ``__debug__`` as the bytecode of each of three packages has them, which share a folder."""
    text = b"'Doc.'\n__doc__ = [globals().get('__doc__'), __debug__]\n"
    layer = a_tree(*(a_file(f"python/space/{name}.py", text, package=name) for name in "abc"))
    options = Bytecode(docstrings=docstrings, packages=packages)
    after = applied(layer, compile_modules(layer, a_compiling_setting(options)))
    return {name: doc(after[beside(f"python/space/{name}.py")]) for name in "abc"}


def test_each_package_is_compiled_by_the_rules_of_its_own_recipe() -> None:
    packages = {"a": CodeRules(docstrings=Docstrings.DROP), "b": CodeRules(optimize=1)}
    assert told(packages) == {"a": ["", True], "b": ["Doc.", False], "c": ["Doc.", True]}
    assert told(packages, Docstrings.DROP) == {"a": ["", True], "b": ["Doc.", False], "c": ["", True]}


def test_files_that_keep_docstrings_are_those_of_the_recipes_own_package() -> None:
    packages = {
        "a": CodeRules(docstrings=Docstrings.DROP, keep_docstrings=("space/**",)),
        "b": CodeRules(docstrings=Docstrings.DROP),
    }
    assert told(packages) == {"a": ["Doc.", True], "b": ["", True], "c": ["Doc.", True]}


def test_level_2_leaves_docstrings_out_but_for_the_files_that_keep_them() -> None:
    packages = {"a": CodeRules(optimize=2), "b": CodeRules(optimize=2, keep_docstrings=("space/b.py",))}
    assert told(packages) == {"a": [None, False], "b": ["Doc.", False], "c": ["Doc.", True]}


@pytest.mark.parametrize(
    ("decided", "shown"),
    [
        (Docstrings.KEEP, {"a": ["Doc.", True], "b": ["Doc.", False], "c": ["Doc.", True]}),
        (Docstrings.DROP, {"a": ["Doc.", True], "b": [None, False], "c": ["", True]}),
    ],
)
def test_what_a_person_says_of_docstrings_counts_for_every_package_but_not_for_files_that_keep_them(
    decided: Docstrings, shown: dict[str, object]
) -> None:
    packages = {
        "a": CodeRules(docstrings=Docstrings.DROP, keep_docstrings=("space/a.py",)),
        "b": CodeRules(optimize=2),
    }
    made = Bytecode(packages=packages).decided(decided)
    assert told(dict(made.packages), made.docstrings) == shown


FAILING = b"def outer(x):\n    return [\n        x.a,\n        x.b.c.d,\n    ]\n"


def positions_of(code: CodeType) -> tuple[set[int | None], set[int | None]]:
    """The lines and the columns that the instructions of a module and of its functions tell."""
    inner = [positions_of(part) for part in code.co_consts if isinstance(part, CodeType)]
    own = list(code.co_positions())
    lines = {line for line, _, _, _ in own}.union(*(lines for lines, _ in inner))
    return lines, {column for _, _, column, _ in own}.union(*(columns for _, columns in inner))


@pytest.mark.parametrize(
    ("mode", "told"),
    [(BytecodeMode.BESIDE, {"a": False, "b": True}), (BytecodeMode.ONLY, {"a": False, "b": False})],
)
def test_columns_go_where_a_recipe_says_so_and_where_no_source_could_show_them(
    mode: BytecodeMode, told: dict[str, bool]
) -> None:
    layer = a_tree(*(a_file(f"python/{name}/m.py", FAILING, package=name) for name in told))
    options = Bytecode(mode=mode, packages={"a": CodeRules(columns=Columns.DROP)})
    files = applied(layer, compile_modules(layer, a_compiling_setting(options)))
    assert options.told_of_columns == ("drop" if mode is BytecodeMode.ONLY else "drop in a")
    for name, has_columns in told.items():
        file = files[pyc.pyc_path(f"python/{name}/m.py", TAG, mode)]
        lines, columns = positions_of(marshal.loads(file.blob.read()[16:]))
        assert {1, 2, 3, 4} <= lines, "a traceback tells the line as ever"
        assert (columns != {None}) is has_columns


@pytest.mark.parametrize(
    ("python", "globs", "lazy"),
    [
        ("3.14", (EVERY_FILE,), set()),
        ("3.15", (), set()),
        ("3.15", (EVERY_FILE,), {"pkg/a.py", "pkg/deep/b.py"}),
        ("3.15", ("pkg/*.py",), {"pkg/a.py"}),
    ],
)
def test_imports_are_lazy_where_a_recipe_says_so_of_its_own_files_and_python_can(
    python: str, globs: tuple[str, ...], lazy: set[str]
) -> None:
    paths = {"pkg/a.py": "pkg", "pkg/deep/b.py": "pkg", "pkg/c.py": "other"}
    layer = a_tree(*(a_file(f"python/{path}", b"import json\n", package=package) for path, package in paths.items()))
    options = Bytecode(mode=BytecodeMode.ONLY, packages={"pkg": CodeRules(lazy=globs)})
    # Only the names of files tell the runtime: bytecode is this interpreter's.
    files = applied(layer, compile_modules(layer, replace(a_compiling_setting(options), target=target(python))))
    found = {path for path in paths if b"__lazy_modules__" in files[f"python/{path}c"].blob.read()}
    assert found == lazy
