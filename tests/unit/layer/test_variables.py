"""Which of the variables that recipes set count for a layer."""

from __future__ import annotations

import pytest

from fakes import a_file, a_tree
from layerforge.layer.tree import Link
from layerforge.layer.variables import settled, unsettled

TREE = a_tree(
    a_file("python/demo/data/words.txt"),
    a_file("share/demo/english/words.txt"),
    Link(path="share/linked", target="demo"),
)


@pytest.mark.parametrize(
    "value",
    [
        "/opt/share/demo",
        "/opt/share/demo/",
        "/opt/share/../share/demo/english/words.txt",
        "/opt/python/demo/data",
        "/opt/share/linked/english",
        "/usr/share/demo:/opt/share/demo",
        "/opt/share/demo:/opt/share/absent",
        "/usr/share/absent",
        "https://opt/share/absent",
        "1",
        "",
    ],
)
def test_a_variable_counts_where_the_layer_has_something_at_what_it_names(value: str) -> None:
    assert settled({"DEMO": value}, TREE) == {"DEMO": value}


@pytest.mark.parametrize("value", ["/opt/share/dem", "/opt/share/absent", "/opt/share/absent:/usr/share/demo"])
def test_a_variable_that_names_what_is_not_in_the_layer_does_not_count_and_is_told(value: str) -> None:
    env = {"DEMO": value, "LEVEL": "1"}
    assert settled(env, TREE) == {"LEVEL": "1"}
    assert list(unsettled(env, settled(env, TREE))) == [f"DEMO is not set: the layer has nothing at {value}"]


def test_nothing_is_told_where_every_variable_counts() -> None:
    assert list(unsettled({"A": "1"}, {"A": "1"})) == []
