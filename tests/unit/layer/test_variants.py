"""Variants: parts of packages go, and what takes their place says so."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fakes import FakeProgress
from layerforge.layer import tree as trees
from layerforge.layer.tree import File, Package, Tree
from layerforge.layer.variants import without_parts
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.variant import Variant, Without

FILES = {
    "demo/__init__.py": "from demo.core import run\nfrom demo.extra import shine\n",
    "demo/core.py": "def run():\n    return 1\n",
    "demo/extra/__init__.py": "from demo.extra.inside import shine\n",
    "demo/extra/inside.py": "def shine():\n    return 2\n",
    "demo/data/table.csv": "1,2\n",
}

WITHOUT = Without(package="demo", what="shining", modules=("demo.extra",), files=("demo/data/**",))
VARIANT = Variant(name="demo-small", of="demo", says="to run", without=(WITHOUT,))


def a_tree() -> Tree:
    files = [
        File(path=f"python/{path}", blob=trees.blob(text.encode()), package="demo") for path, text in FILES.items()
    ]
    return trees.make(
        files, Tree(entries=(), packages=(Package(name="demo", version="1", info="python/demo-1.dist-info"),))
    )


def told(tree: Tree, folder: Path, program: str) -> str:
    """What a program says that has the tree on its path."""
    for file in tree.files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.blob.read())
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder / "python", capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def test_what_is_left_out_goes_and_a_stub_stands_in_its_place() -> None:
    tree, [result] = without_parts(a_tree(), VARIANT, FakeProgress())
    assert sorted(tree.paths) == [
        "python/demo/__init__.py",
        "python/demo/_left_out_of_this_layer.py",
        "python/demo/core.py",
        "python/demo/extra/__init__.py",
    ]
    assert {file.package for file in tree.files} == {"demo"}
    assert {edit.path for edit in result.edits} >= {"python/demo/extra/inside.py", "python/demo/data/table.csv"}


def test_a_layer_that_is_no_variant_stays_as_it_is() -> None:
    tree = a_tree()
    assert without_parts(tree, None, FakeProgress()) == (tree, ())


@pytest.mark.parametrize(
    "program",
    [
        "import demo; demo.shine()",
        "import demo.extra; demo.extra.other",
        "from demo.extra import other",
        "import demo.extra.inside",
        "from demo.extra.inside import shine",
        "import demo; isinstance(1, demo.shine)",
        "import demo; bool(demo.shine)",
        "import demo, pickle; pickle.dumps(demo.shine)",
    ],
)
def test_whoever_uses_what_is_gone_is_told_so_and_what_to_build(tmp_path: Path, program: str) -> None:
    tree, _ = without_parts(a_tree(), VARIANT, FakeProgress())
    said = told(tree, tmp_path, program)
    assert "is left out of this layer" in said
    assert "demo-small is to run, and without shining; a layer of demo has it" in said


def test_what_stays_works_and_nothing_that_looks_around_fails(tmp_path: Path) -> None:
    tree, _ = without_parts(a_tree(), VARIANT, FakeProgress())
    program = (
        "import demo, demo.extra, pickle, pkgutil;"
        "print(demo.run(), hasattr(demo.extra, 'x'), pickle.dumps(demo.run)[:1],"
        "[one.name for one in pkgutil.walk_packages(demo.__path__, 'demo.') if '_left' not in one.name])"
    )
    said = told(tree, tmp_path, program)
    assert said == f"1 False {pickle.dumps(1)[:1]!r} ['demo.core', 'demo.extra']\n"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"modules": ("demo.extr",)}, "demo has no module demo.extr; perhaps demo.extra is meant"),
        ({"files": ("demo/none/*",)}, "demo has no file that demo/none/* matches"),
        ({"package": "other"}, "other has no module demo.extra"),
    ],
)
def test_what_no_package_has_cannot_be_left_out(change: dict[str, Any], problem: str) -> None:
    wrong = replace(VARIANT, without=(replace(WITHOUT, **change),))
    with pytest.raises(RecipeError, match="leaves out what") as caught:
        without_parts(a_tree(), wrong, FakeProgress())
    assert problem in caught.value.details


@pytest.mark.parametrize("glob", ["demo/core.py", "demo/co*", "demo/extra/*"])
def test_a_glob_that_takes_a_module_which_another_one_imports_is_refused(glob: str) -> None:
    wrong = replace(VARIANT, without=(Without(package="demo", what="x", files=(glob,)),))
    with pytest.raises(RecipeError, match="without a stub") as caught:
        without_parts(a_tree(), wrong, FakeProgress())
    assert caught.value.details
    assert all("demo/__init__.py imports" in one for one in caught.value.details)
    assert "`modules`" in caught.value.hint


def test_the_hint_to_name_it_as_a_module_helps() -> None:
    right = replace(VARIANT, without=(Without(package="demo", what="x", modules=("demo.core",)),))
    tree, _ = without_parts(a_tree(), right, FakeProgress())
    assert b"_left_out_of_this_layer" in tree.by_path["python/demo/core.py"].blob.read()  # type: ignore[union-attr]


def test_a_glob_may_take_modules_that_nothing_imports_but_what_goes_too() -> None:
    both = Without(package="demo", what="x", modules=("demo.extra",), files=("demo/lonely.py",))
    tree = a_tree()
    lonely = File(path="python/demo/lonely.py", blob=trees.blob(b"import demo.extra.inside\n"), package="demo")
    found, _ = without_parts(
        trees.make([*tree.entries, lonely], tree), replace(VARIANT, without=(both,)), FakeProgress()
    )
    assert "python/demo/lonely.py" not in found.by_path


def test_the_error_names_the_version_that_lacks_what_is_to_go() -> None:
    wrong = replace(VARIANT, without=(replace(WITHOUT, modules=("demo.of_version_2",)),))
    with pytest.raises(RecipeError, match="leaves out what demo 1 does not have"):
        without_parts(a_tree(), wrong, FakeProgress())


def test_star_imports_of_what_no_source_tells_are_refused_and_names_help() -> None:
    tree = a_tree()
    more = [
        File(path="python/demo/fast.cpython-313-x86_64-linux-gnu.so", blob=trees.blob(b"x"), package="demo"),
        File(path="python/demo/slow.py", blob=trees.blob(b"from demo.fast import *\n"), package="demo"),
    ]
    tree = trees.make([*tree.entries, *more], tree)
    fast = Without(package="demo", what="speed", modules=("demo.fast",))
    with pytest.raises(RecipeError, match="cannot be left out alone") as caught:
        without_parts(tree, replace(VARIANT, without=(fast,)), FakeProgress())
    assert "`names`" in caught.value.hint
    named = replace(VARIANT, without=(replace(fast, names=("quick",)),))
    found, _ = without_parts(tree, named, FakeProgress())
    assert b"('quick',)" in found.by_path["python/demo/fast.py"].blob.read()  # type: ignore[union-attr]
