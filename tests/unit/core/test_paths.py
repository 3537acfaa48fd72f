"""Paths of a layer: the folders that they lie in, and those that a variable's value names."""

from __future__ import annotations

import pytest

from layerforge.core.paths import folders, in_layer, moved


@pytest.mark.parametrize(
    ("path", "found"),
    [("a/b/c.py", ["a", "a/b"]), ("a/b/", ["a", "a/b"]), ("a", []), ("", []), ("/a", [""])],
)
def test_a_path_lies_in_its_folders_the_outermost_first(path: str, found: list[str]) -> None:
    assert folders(path) == found


@pytest.mark.parametrize(
    ("value", "paths"),
    [
        ("/opt/share/a", ("share/a",)),
        ("/opt//share/./a/", ("share/a",)),
        ("/opt/share/a:/usr/share/b:/opt/c", ("share/a", "c")),
        ("/opt", ()),
        ("/optional/a", ()),
        ("/opt/../etc", ()),
        ("https://opt/share/a", ()),
        ("share/a", ()),
        ("", ()),
    ],
)
def test_a_value_names_the_paths_of_a_layer_that_lie_below_opt(value: str, paths: tuple[str, ...]) -> None:
    assert in_layer(value) == paths


def test_a_value_is_moved_to_where_the_layer_lies_and_all_else_stays() -> None:
    assert moved("/opt/share/a:/usr/b:/opt/c", "/tmp/x") == "/tmp/x/share/a:/usr/b:/tmp/x/c"
    assert moved("https://opt/a", "/else") == "https://opt/a"
