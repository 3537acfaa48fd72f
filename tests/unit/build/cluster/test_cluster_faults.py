"""Faults on a cluster of real processes, at random but by a fixed seed: the short form of ``benchmarks/scale.py``."""

from __future__ import annotations

import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[4] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import scale_faults  # noqa: E402
import scale_graph  # noqa: E402
from scale_faults import Plan  # noqa: E402


def test_whatever_fails_each_step_is_done_once_and_right(tmp_path: Path) -> None:
    found = scale_faults.run(
        Plan(seed=13, faults=20, workers=3, layers=78, work=40, pause=(0.1, 1.5)), tmp_path / "yard"
    )
    assert sum(found.faults.values()) >= 20
    assert found.steps >= 150
    assert (found.wrong, found.missing, found.twice, found.hung) == (0, 0, 0, 0)


def test_the_graph_is_that_of_the_recipes_with_each_step_once() -> None:
    titles = [row.title for row in scale_graph.rows()]
    needs = {row.title: row.needs for row in scale_graph.rows()}
    keys = {row.key: row.title for row in scale_graph.rows()}
    assert titles.count("openblas py313-x86_64") == 1
    assert {keys[need] for need in needs["scipy py313-x86_64"]} == {"numpy py313-x86_64", "openblas py313-x86_64"}
    assert "scipy py313-x86_64" in {keys[need] for need in needs["scikit-learn-py313-x86_64"]}


def test_copies_of_the_graph_have_nothing_in_common_and_take_the_time_that_is_asked() -> None:
    made = scale_graph.graph(60, 160)
    assert made.layers >= 160
    assert len({job.key for job in made.jobs}) == len(made.jobs)
    copies, more = divmod(len(made.jobs), len(scale_graph.rows()))
    assert copies > 1
    assert more == 0
    assert round(made.work) == 60
    assert {need for job in made.jobs for need in job.needs} <= {job.key for job in made.jobs}


def test_a_value_tells_a_wrong_input() -> None:
    assert scale_graph.value("a", [b"1", b"2"]) != scale_graph.value("a", [b"2", b"1"])
    assert scale_graph.value("a", [b"1"]) != scale_graph.value("b", [b"1"])
