from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import zips
from layerforge.page import Import, coldstart, read_coldstart

FLAT = [
    {"module": "zlib", "self_us": 5, "cumulative_us": 5, "depth": 2},
    {"module": "pkg._core", "self_us": 30, "cumulative_us": 35, "depth": 1},
    {"module": "json", "self_us": 7, "cumulative_us": 7, "depth": 1},
    {"module": "pkg", "self_us": 8, "cumulative_us": 50, "depth": 0},
    {"module": "site", "self_us": 1, "cumulative_us": 1, "depth": 0},
]


def a_tree() -> tuple[Import, ...]:
    zlib = Import(name="zlib", self_us=5, total_us=5)
    core = Import(name="pkg._core", self_us=30, total_us=35, children=(zlib,))
    json_ = Import(name="json", self_us=7, total_us=7)
    return (
        Import(name="pkg", self_us=8, total_us=50, children=(core, json_)),
        Import(name="site", self_us=1, total_us=1),
    )


def test_flat_rows_become_the_tree_that_python_walked() -> None:
    assert read_coldstart(json.dumps({"imports": FLAT})).imports == a_tree()


def test_nested_nodes_are_taken_as_they_are() -> None:
    text = json.dumps({"imports": coldstart.as_data(a_tree()), "sha256": "ab"})
    found = read_coldstart(text)
    assert (found.imports, found.sha256) == (a_tree(), "ab")


def test_runs_come_from_the_layer_and_from_the_one_it_was_held_against() -> None:
    row = {"memory_mb": 512, "init_ms": {"all": [3, 1]}, "peak_memory": None, "per_million": {"dollars": 2.5}}
    failed = {"memory_mb": 128, "init_ms": None}
    told = {"imports": [], "zip": "new.zip", "sizes": [failed, row], "against": {"zip": "old.zip", "sizes": [row]}}
    new, old = read_coldstart(json.dumps(told)).runs
    assert (new.layer, new.memory_mb, new.init_ms, new.peak_memory) == ("new.zip", 512, (3.0, 1.0), ())
    assert (old.layer, old.dollars_per_million) == ("old.zip", 2.5)


def test_two_layers_of_one_name_are_told_apart() -> None:
    row = {"memory_mb": 512, "init_ms": {"all": [1]}}
    told = {"imports": [], "zip": "a.zip", "sizes": [row], "against": {"zip": "a.zip", "sizes": [row]}}
    assert [one.layer for one in read_coldstart(json.dumps(told)).runs] == ["a.zip", "a.zip (the other)"]


@pytest.mark.parametrize("text", ["{}", "[]", '{"imports": [{"module": "a"}]}', '{"imports": 3}', "no JSON"])
def test_what_is_no_measurement_is_refused(text: str) -> None:
    with pytest.raises((KeyError, ValueError, TypeError)):
        read_coldstart(text)


@pytest.mark.parametrize(
    ("path", "module"),
    [
        ("python/pkg/__init__.py", "pkg"),
        ("python/pkg/__pycache__/__init__.cpython-313.pyc", "pkg"),
        ("python/pkg/__pycache__/mod.cpython-313.opt-1.pyc", "pkg.mod"),
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
    assert coldstart.module_of(path) == module


def test_each_module_weighs_its_own_files() -> None:
    members = [
        zips.a_member("python/pkg/__init__.py", b"12"),
        zips.a_member("python/pkg/__pycache__/__init__.cpython-313.pyc", b"345"),
        zips.a_member("python/pkg/_core.cpython-313-x86_64-linux-gnu.so", b"6789"),
        zips.a_member("python/pkg/data.bin", b"many bytes"),
    ]
    weighed = {one.name: one.bytes for one in coldstart.every(coldstart.weighed(a_tree(), members))}
    assert weighed == {"pkg": 5, "pkg._core": 4, "zlib": 0, "json": 0, "site": 0}


TREES = st.recursive(
    st.builds(Import, name=st.text("ab", min_size=1), self_us=st.integers(0, 9), total_us=st.integers(0, 99)),
    lambda inner: st.builds(
        Import,
        name=st.text("ab", min_size=1),
        self_us=st.integers(0, 9),
        total_us=st.integers(0, 99),
        children=st.lists(inner, max_size=3).map(tuple),
    ),
    max_leaves=12,
)


def flattened(nodes: tuple[Import, ...], depth: int = 0) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for node in nodes:
        rows += flattened(node.children, depth + 1)
        rows.append({"module": node.name, "self_us": node.self_us, "cumulative_us": node.total_us, "depth": depth})
    return rows


@given(st.lists(TREES, max_size=4).map(tuple))
def test_a_tree_survives_being_written_flat(nodes: tuple[Import, ...]) -> None:
    assert coldstart.grown(flattened(nodes)) == nodes
