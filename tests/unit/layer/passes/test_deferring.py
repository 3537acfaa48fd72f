"""Files in which recipes have imports wait, and who else takes their names."""

from __future__ import annotations

import pytest

from fakes import a_file, a_tree
from layerforge.layer.passes import deferring
from layerforge.layer.tree import Tree
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import Bytecode, BytecodeMode, CodeRules


def a_spec(mode: BytecodeMode = BytecodeMode.BESIDE, **files: str) -> LayerSpec:
    """A layer whose package ``pkg`` has an import wait in each file, ``a__b`` for ``a/b.py``."""
    rules = CodeRules(defer={f"{name.replace('__', '/')}.py": (module,) for name, module in files.items()})
    return LayerSpec(name="x", requires=("x",), bytecode=Bytecode(mode=mode, packages={"pkg": rules}))


def a_layer(**files: bytes) -> Tree:
    return a_tree(
        *(a_file(f"python/{name.replace('__', '/')}.py", data, package="pkg") for name, data in files.items())
    )


def refused(layer: Tree, spec: LayerSpec) -> list[str]:
    """What is said of modules all of whose names are taken."""
    try:
        deferring.refuse_starred(layer, spec)
    except RecipeError as error:
        return list(error.details)
    return []


@pytest.mark.parametrize(
    ("star", "told"),
    [
        (b"from pkg.mod import *\n", "pkg/user.py, line 1"),
        (b"import os\nfrom .mod import *\n", "pkg/user.py, line 2"),
        (b"from.mod import *\n", "pkg/user.py, line 1"),
        (b"from . mod import *\n", "pkg/user.py, line 1"),
        (b"\n\nif 1:\n    from  .mod  import  *\n", "pkg/user.py, line 4"),
        (b"from .other import *\n", ""),
        (b"from mod import *\n", ""),
        (b"from .mod import os\nX = 2 * 3\n", ""),
    ],
)
def test_a_module_whose_names_are_all_taken_has_nothing_wait(star: bytes, told: str) -> None:
    line = f"{told}: import * of pkg.mod, which has no __all__, would not bring what waits"
    found = refused(a_layer(pkg__mod=b"import os\n", pkg__user=star), a_spec(pkg__mod="os"))
    assert found == ([line] if told else [])


def test_one_with_a_list_of_its_names_may() -> None:
    star, spec = b"from .mod import *\n", a_spec(pkg__mod="os")
    assert refused(a_layer(pkg__mod=b"__all__ = ['os']\nimport os\n", pkg__a=star), spec) == []
    assert len(refused(a_layer(pkg__mod=b"import os\n", pkg__a=star), spec)) == 1


def test_who_takes_them_may_be_of_another_package() -> None:
    files = [
        a_file("python/pkg/mod.py", b"import os\n"),
        a_file("python/b.py", b"from pkg.mod import *\n", package="b"),
    ]
    with pytest.raises(RecipeError, match="the recipe pkg has imports wait that cannot") as raised:
        deferring.refuse_starred(a_tree(*files), a_spec(pkg__mod="os"))
    assert raised.value.details[0].startswith("b.py, line 1: import * of pkg.mod")


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        (BytecodeMode.ONLY, ["2 imports wait in 2 files (pkg)"]),
        (BytecodeMode.NONE, ["no import waits, since nothing is compiled: 2 imports would in 2 files (pkg)"]),
    ],
)
def test_how_many_wait_is_told_in_a_line(mode: BytecodeMode, told: list[str]) -> None:
    assert list(deferring.told(a_spec(mode, pkg__a="os", pkg__b="re").bytecode)) == told
    assert list(deferring.told(a_spec(mode).bytecode)) == []


def test_a_package_s_own_modules_are_files_and_folders_with_code() -> None:
    layer = a_tree(
        *(
            a_file(f"python/pkg/{name}")
            for name in ("__init__.py", "a.py", "b.cpython-313-x.so", "c/d/e.py", "data/x.json")
        ),
        a_file("python/pkg/__pycache__/a.cpython-313.pyc"),
    )
    files = layer.by_path
    init, other = files["python/pkg/__init__.py"], files["python/pkg/a.py"]
    assert deferring.submodules(init, layer) == ("a", "b", "c")  # type: ignore[arg-type]
    assert deferring.submodules(other, layer) is None  # type: ignore[arg-type]
