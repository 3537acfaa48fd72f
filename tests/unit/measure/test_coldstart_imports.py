from __future__ import annotations

import pytest

from layerforge.measure.coldstart.imports import module_of, weighed
from layerforge.measure.importtime import Import, walk
from zips import a_member, an_elf, an_examination


def node(name: str, *children: Import) -> Import:
    return Import(name=name, self_us=1, total_us=1 + sum(child.total_us for child in children), children=children)


@pytest.mark.parametrize(
    ("path", "module"),
    [
        ("python/pkg/__init__.py", "pkg"),
        ("python/pkg/__pycache__/__init__.cpython-313.pyc", "pkg"),
        ("python/pkg/__pycache__/mod.cpython-313.opt-1.pyc", "pkg.mod"),
        ("python/pkg/mod.pyc", "pkg.mod"),
        ("python/pkg/_core.cpython-313-x86_64-linux-gnu.so", "pkg._core"),
        ("python/pkg/_core.abi3.so", "pkg._core"),
        ("python/six.py", "six"),
        ("python/lib/python3.13/site-packages/six.py", "six"),
        ("python/pkg/data.json", ""),
        ("lib/libgomp.so", ""),
        ("six.py", ""),
    ],
)
def test_a_file_belongs_to_the_module_that_an_import_of_it_names(path: str, module: str) -> None:
    assert module_of(path) == module


def test_each_module_weighs_its_own_files() -> None:
    seen = an_examination(
        a_member("python/pkg/__init__.py", b"12"),
        a_member("python/pkg/__pycache__/__init__.cpython-313.pyc", b"345"),
        a_member("python/pkg/_core.cpython-313-x86_64-linux-gnu.so", b"6789"),
        a_member("python/pkg/data.bin", b"many bytes"),
    )
    tree = weighed([node("pkg", node("pkg._core"), node("json"))], seen)
    assert {one.name: one.bytes for one in walk(tree)} == {"pkg": 5, "pkg._core": 4, "json": 0}


def test_a_module_that_is_told_twice_weighs_once_where_it_was_loaded() -> None:
    # So it is with NumPy: importing `pkg._core` imports `pkg`, which needs `pkg._core` itself.
    tree = (node("pkg._core", node("pkg", node("pkg._core"))),)
    [outer] = weighed(tree, an_examination(a_member("python/pkg/_core.abi3.so", b"1234")))
    assert outer.bytes == 0
    assert sum(one.bytes for one in walk([outer])) == 4


def test_a_library_weighs_on_the_first_module_that_needs_it() -> None:
    seen = an_examination(
        an_elf("python/a.abi3.so", b"1", needed=("libblas.so.0", "libc.so.6")),
        an_elf("python/b.abi3.so", b"12", needed=("libblas.so.0",)),
        a_member("lib/libblas.so.0", link="libblas-0.3.so"),
        an_elf("lib/libblas-0.3.so", b"1" * 1000, needed=("libfortran.so.5",)),
        an_elf("lib/libfortran.so.5", b"1" * 100),
        an_elf("lib/libother.so.1", b"1" * 7),
    )
    first, second = weighed([node("a"), node("b")], seen)
    assert (first.bytes, second.bytes) == (1101, 2)
