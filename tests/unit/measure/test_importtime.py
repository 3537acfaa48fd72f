from __future__ import annotations

import json
import os
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from layerforge.core import guarded
from layerforge.measure.importtime import VARIABLE, Import, as_data, parse_importtime, walk

WRITTEN = """noise without an end import time:       100 |        100 |     deep.inner
import time: self [us] | cumulative | imported package
import time:        50 |        150 |   deep
a warning between the lines
import time:        25 |        175 | top
import time:         5 |          5 | other
"""
TREES = st.recursive(
    st.builds(Import, name=st.text("ab.", min_size=1), self_us=st.integers(0, 9), total_us=st.integers(0, 99)),
    lambda inner: st.builds(
        Import,
        name=st.text("ab.", min_size=1),
        self_us=st.integers(0, 9),
        total_us=st.integers(0, 99),
        children=st.lists(inner, max_size=3).map(tuple),
    ),
    max_leaves=12,
)


def lines(nodes: tuple[Import, ...], depth: int = 0) -> str:
    """What an interpreter would write of these imports."""
    indent = "  " * depth
    return "".join(
        f"{lines(node.children, depth + 1)}import time: {node.self_us:9} | {node.total_us:10} | {indent}{node.name}\n"
        for node in nodes
    )


def test_a_module_stands_above_those_that_it_imported_whatever_else_is_printed() -> None:
    inner = Import(name="deep.inner", self_us=100, total_us=100)
    deep = Import(name="deep", self_us=50, total_us=150, children=(inner,))
    top = Import(name="top", self_us=25, total_us=175, children=(deep,))
    assert parse_importtime(WRITTEN) == (top, Import(name="other", self_us=5, total_us=5))
    assert [node.name for node in walk(parse_importtime(WRITTEN))] == ["top", "deep", "deep.inner", "other"]


@given(st.lists(TREES, max_size=4).map(tuple))
def test_a_tree_survives_being_written_as_lines_and_as_json(nodes: tuple[Import, ...]) -> None:
    assert parse_importtime(lines(nodes)) == nodes
    assert guarded.json_as(json.dumps(as_data(nodes)), tuple[Import, ...]) == nodes


def test_a_real_interpreter_is_understood() -> None:
    argv = [sys.executable, "-S", "-c", "import json"]
    done = subprocess.run(argv, env={**os.environ, **VARIABLE}, capture_output=True, text=True, check=True)
    tree = {node.name: node for node in parse_importtime(done.stderr)}
    assert {child.name for child in tree["json"].children} == {"json.decoder", "json.encoder"}
    assert tree["json"].total_us >= sum(child.total_us for child in tree["json"].children)
