"""The benchmark of splits: its cases, and the best that it holds them against."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import split as benchmark  # noqa: E402
from layerforge.resolve.errors import RecipeError  # noqa: E402
from layerforge.resolve.split.asked import Function, Question, Weighed  # noqa: E402
from layerforge.resolve.split.split import split  # noqa: E402


@pytest.mark.parametrize(("count", "bell"), [(0, 1), (1, 1), (3, 5), (5, 52), (7, 877)])
def test_every_partition_is_tried_once(count: int, bell: int) -> None:
    found = [frozenset(map(frozenset, boxes)) for boxes in benchmark.partitions([f"p{one}" for one in range(count)])]
    assert len(found) == len(set(found)) == bell


def test_the_best_is_known_of_a_case_that_a_person_can_solve() -> None:
    """Of its three packages `b` may have one layer, so that `a` and `c` carry all three."""
    packages = tuple(Weighed(name=name, bytes=size) for name, size in (("x", 5), ("y", 2), ("z", 1)))
    functions = (
        Function(name="a", roots=("x",)),
        Function(name="b", roots=("x", "y", "z"), own_layers=4),
        Function(name="c", roots=("z",)),
    )
    assert benchmark.best_waste(Question(packages=packages, functions=functions)) == (5 + 8 + 1, 3 + 7)


@pytest.mark.parametrize("seed", range(25))
def test_a_small_split_is_the_best_of_all_and_is_refused_only_where_there_is_none(seed: int) -> None:
    question = benchmark.small(seed)
    best = benchmark.best_waste(question)
    try:
        found = split(question)
    except RecipeError:
        assert best is None
    else:
        assert best is not None
        assert (sum(found.needed.values()), found.waste) == best


def test_its_figures_are_written_with_whether_the_goals_are_reached(tmp_path: Path) -> None:
    ran = CliRunner().invoke(benchmark.main, ["--output", str(tmp_path), "--large", "1", "--small", "2"])
    written = json.loads((tmp_path / "split.json").read_text())
    assert written["summary"]["reached"] is (ran.exit_code == 0)
    assert (len(written["large"]), len(written["small"])) == (1, 2)
    assert all(one["split"] == one["best"] > 0 for one in written["small"])


def test_the_figures_that_stand_there_reach_the_goals() -> None:
    written = json.loads((BENCHMARKS / "results/split.json").read_text())
    assert written["summary"]["reached"]
    assert len(written["small"]) == 200
