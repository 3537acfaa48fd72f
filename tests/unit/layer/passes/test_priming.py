"""What is put into a layer so that it can be loaded before a snapshot."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from fakes import a_file, a_setting, a_tree, target
from layerforge.core import resources
from layerforge.core.errors import StepError
from layerforge.layer.passes.priming import with_priming
from layerforge.layer.passes.records import rewrite_records
from layerforge.layer.tree import Edit, Package, Tree, apply
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import Bytecode, BytecodeMode, CodeRules, WarmUp

ONE = Package(name="one-more", version="1", info="python/one_more-1.dist-info")
TWO = Package(name="two", version="2", info="python/two-2.dist-info")
MODULE = "python/layerforge_prime/__init__.py"


def the_tree(*more: str) -> Tree:
    return a_tree(
        a_file("python/one/__init__.py", package="one-more"),
        a_file("python/one/inner/deep.py", package="one-more"),
        a_file("python/one_more-1.dist-info/RECORD", package="one-more"),
        a_file("python/space/two/__init__.py", package="two"),
        a_file("python/space/two/part.py", package="two"),
        a_file("python/_two.cpython-313-x86_64-linux-gnu.so", package="two"),
        a_file("python/two-2.dist-info/RECORD", package="two"),
        *(a_file(path, package="two") for path in more),
        packages=[ONE, TWO],
    )


def a_spec(
    defer: Mapping[str, Mapping[str, tuple[str, ...]]] | None = None,
    prime: Mapping[str, str] | None = None,
    mode: BytecodeMode = BytecodeMode.BESIDE,
) -> LayerSpec:
    rules = {package: CodeRules(defer=files) for package, files in (defer or {}).items()}
    warm_ups = tuple(WarmUp(package=name, text=text) for name, text in (prime or {}).items())
    return LayerSpec(name="demo", requires=("two",), bytecode=Bytecode(mode=mode, packages=rules), prime=warm_ups)


WAITS = {"one-more": {"one/inner/deep.py": ("a", "b"), "one/__init__.py": ("c",)}}


def added(tree: Tree, spec: LayerSpec) -> dict[str, str]:
    """What comes to a tree, by path."""
    return {
        file.path: file.blob.read().decode()
        for file in with_priming(tree, spec, target()).files
        if file not in tree.files
    }


@pytest.mark.parametrize("spec", [a_spec(), a_spec({"two": {}}), a_spec(WAITS, mode=BytecodeMode.NONE)])
def test_a_layer_with_nothing_to_load_gets_nothing(spec: LayerSpec) -> None:
    tree = the_tree()
    assert with_priming(tree, spec, target()) is tree


def test_what_waits_stands_in_a_table_by_the_module_that_it_waits_in() -> None:
    found = added(the_tree(), a_spec(WAITS))
    assert json.loads(found.pop("python/layerforge_prime/one_more.json")) == {
        "one.inner.deep": ["a", "b"],
        "one": ["c"],
    }
    assert found == {MODULE: resources.text("layerforge_prime.py")}


@pytest.mark.parametrize(("python", "there"), [("3.15", True), ("3.14", False)])
def test_lazy_imports_need_the_module_alone_where_python_has_them(python: str, there: bool) -> None:
    rules = Bytecode(packages={"two": CodeRules(lazy=("**",))})
    spec = LayerSpec(name="demo", requires=("two",), bytecode=rules)
    tree = with_priming(the_tree(), spec, target(python))
    assert (MODULE in tree.by_path) is there
    assert tree.read("python/layerforge_prime/two.json") == (b"{}\n" if there else None)


def test_a_warm_up_waits_behind_each_outermost_module_of_its_package() -> None:
    found = added(the_tree(), a_spec({"two": {"space/two/__init__.py": ("a",)}}, {"two": "main()\n"}))
    assert json.loads(found["python/layerforge_prime/two.json"]) == {
        "_two": ["layerforge_prime.two"],
        "space.two": ["a", "layerforge_prime.two"],
    }
    assert found["python/layerforge_prime/two.py"] == "main()\n"


def test_what_a_package_that_is_left_out_has_wait_is_left_out_too() -> None:
    tree = a_tree(a_file("python/two/__init__.py", package="two"), packages=[TWO])
    spec = a_spec(WAITS, {"one-more": "main()\n"})
    assert with_priming(tree, spec, target()) is tree


def test_everything_comes_in_an_order_and_with_bytes_of_its_own() -> None:
    spec = a_spec({**WAITS, "two": {"space/two/part.py": ("z",)}}, {"two": "", "one-more": ""})
    turned = a_spec({"two": {"space/two/part.py": ("z",)}, **WAITS}, {"one-more": "", "two": ""})
    assert with_priming(the_tree(), spec, target()).entries == with_priming(the_tree(), turned, target()).entries
    paths = [entry.path for entry in with_priming(the_tree(), spec, target()).entries]
    assert paths == sorted(paths)


def test_the_module_stands_in_the_record_of_each_package_that_has_something_wait_and_of_no_other() -> None:
    tree = with_priming(the_tree(), a_spec(WAITS, {"two": "main()\n"}), target())
    edits = [item for item in rewrite_records(tree, a_setting()) if isinstance(item, Edit)]
    done = apply(tree, edits)
    for info in (ONE.info, TWO.info):
        record = (done.read(f"{info}/RECORD") or b"").decode()
        assert record.count("layerforge_prime/__init__.py,sha256=") == 1
    alone = with_priming(the_tree(), a_spec(WAITS), target())
    done = apply(alone, [item for item in rewrite_records(alone, a_setting()) if isinstance(item, Edit)])
    assert "layerforge_prime" not in (done.read(f"{TWO.info}/RECORD") or b"").decode()


def test_the_record_of_a_package_does_not_depend_on_what_else_is_primed() -> None:
    found = set()
    for prime in ({"two": ""}, {"two": "", "one-more": ""}):
        tree = with_priming(the_tree(), a_spec(prime=prime), target())
        done = apply(tree, [item for item in rewrite_records(tree, a_setting()) if isinstance(item, Edit)])
        found.add(done.read(f"{TWO.info}/RECORD"))
    assert len(found) == 1


@pytest.mark.parametrize("path", ["python/layerforge_prime.py", "python/layerforge_prime/x.py"])
def test_a_package_with_a_module_of_that_name_is_refused(path: str) -> None:
    with pytest.raises(StepError, match="two brings python/layerforge_prime"):
        with_priming(the_tree(path), a_spec(WAITS), target())
    assert with_priming(the_tree(path), a_spec(), target()) == the_tree(path), (
        "without anything to load it may be there"
    )
