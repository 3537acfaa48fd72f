"""Faults on a cluster whose steps run in containers: none of them is left."""

from __future__ import annotations

import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import scale_faults  # noqa: E402
from scale_faults import Plan  # noqa: E402


def test_whatever_fails_no_container_is_left_and_each_step_is_done_once(standin: str, tmp_path: Path) -> None:
    plan = Plan(seed=4, faults=8, workers=2, layers=8, work=20, pause=(0.5, 3), image=standin)
    found = scale_faults.run(plan, tmp_path / "yard")
    assert sum(found.faults.values()) >= 8
    assert (found.wrong, found.missing, found.twice, found.hung, found.containers) == (0, 0, 0, 0, 0)
