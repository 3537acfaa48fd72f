from __future__ import annotations

import json

import pytest

from layerforge.core import guarded
from layerforge.measure.coldstart.reading import read_coldstart
from layerforge.measure.importtime import Import, as_data


def a_tree() -> tuple[Import, ...]:
    zlib = Import(name="zlib", self_us=5, total_us=5)
    core = Import(name="pkg._core", self_us=30, total_us=35, children=(zlib,))
    json_ = Import(name="json", self_us=7, total_us=7)
    return (
        Import(name="pkg", self_us=8, total_us=50, children=(core, json_)),
        Import(name="site", self_us=1, total_us=1),
    )


def test_nested_nodes_are_taken_as_they_are() -> None:
    text = json.dumps({"imports": as_data(a_tree()), "sha256": "ab"})
    found = read_coldstart(text)
    assert (found.imports, found.sha256) == (a_tree(), "ab")


def test_runs_come_from_the_layer_and_from_the_one_it_was_held_against() -> None:
    row = {"memory_mb": 512, "init_ms": {"all": [3, 1]}, "peak_memory": None, "per_million": {"dollars": 2.5}}
    failed = {"memory_mb": 128, "init_ms": None}
    told = {"imports": [], "zip": "new.zip", "sizes": [failed, row], "against": {"zip": "old.zip", "sizes": [row]}}
    read = read_coldstart(json.dumps(told))
    [new], [old] = read.runs, read.against
    assert (new.layer, new.memory_mb, new.init_ms, new.peak_memory) == ("new.zip", 512, (3.0, 1.0), ())
    assert (old.layer, old.dollars_per_million) == ("old.zip", 2.5)


def test_two_layers_of_one_name_are_told_apart() -> None:
    row = {"memory_mb": 512, "init_ms": {"all": [1]}}
    told = {"imports": [], "zip": "a.zip", "sizes": [row], "against": {"zip": "a.zip", "sizes": [row]}}
    read = read_coldstart(json.dumps(told))
    assert [one.layer for one in (*read.runs, *read.against)] == ["a.zip", "a.zip (the other)"]


def test_the_imports_of_the_other_layer_are_read_too() -> None:
    tree = as_data(a_tree())
    read = read_coldstart(
        json.dumps({"imports": tree, "zip": "new.zip", "against": {"zip": "old.zip", "imports": tree}})
    )
    assert (read.name, read.against_name, read.against_imports) == ("new.zip", "old.zip", a_tree())


def test_a_file_that_does_not_say_what_ran_has_no_function() -> None:
    assert read_coldstart('{"imports": []}').function == ""
    assert read_coldstart('{"imports": [], "function": {"imports": ["a"]}}').function == '{"imports": ["a"]}'


NO_NUMBER = '{"imports": [{"name": "a", "self_us": Infinity, "total_us": NaN}]}'


@pytest.mark.parametrize("text", ["{}", "[]", '{"imports": [{"module": "a"}]}', '{"imports": 3}', "no JSON", NO_NUMBER])
def test_what_is_no_measurement_is_refused(text: str) -> None:
    with pytest.raises(guarded.Unreadable):
        read_coldstart(text)


def test_imports_nest_as_deep_as_real_ones_do() -> None:
    node: dict[str, object] = {"name": "a", "self_us": 1, "total_us": 1, "children": []}
    for _ in range(99):
        node = {"name": "a", "self_us": 1, "total_us": 1, "children": [node]}
    assert read_coldstart(json.dumps({"imports": [node]})).imports
    with pytest.raises(guarded.Unreadable, match="nests more than"):
        read_coldstart('{"imports": ' + "[" * 5000)
