from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import scale  # noqa: E402
import scale_picture  # noqa: E402
from scale import Row  # noqa: E402
from scale_simulate import Simulated  # noqa: E402
from scale_store import Timed  # noqa: E402

RUN = Simulated(
    workers=16,
    jobs=3150,
    layers=1638,
    ideal=75.0,
    wall=84.0,
    cpu=12.6,
    peak=122_000_000,
    idle=92_000_000,
    done=3150,
    begun=3150,
    repeated=0,
    load=0.5,
)


def reached(run: Simulated) -> dict[str, bool]:
    return {row.name.partition(": ")[2]: row.reached for row in scale.simulated(run)}


def test_a_run_that_reaches_all_is_told_so() -> None:
    assert set(reached(RUN).values()) == {True}


@pytest.mark.parametrize(
    ("harmed", "name"),
    [
        (replace(RUN, done=3149), "steps and layers done"),
        (replace(RUN, repeated=1), "done more than once"),
        (replace(RUN, wall=89.0), "of the ideal speed-up"),
        (replace(RUN, cpu=16.0), "processor time of client and scheduler a step"),
        (replace(RUN, peak=301_000_000), "memory of the client"),
    ],
)
def test_one_bad_figure_of_a_run_misses_its_goal_and_no_other(harmed: Simulated, name: str) -> None:
    assert [one for one, good in reached(harmed).items() if not good] == [name]


def test_first_builds_are_held_against_those_without_a_store() -> None:
    found = [
        Timed(name="compiled", seconds=[16.0, 30.0, 17.0], containers=[1, 1, 1]),
        Timed(name="without", seconds=[10.0, 12.0]),
        Timed(name="same", seconds=[1.1]),
        Timed(name="others", seconds=[5.5]),
    ]
    rows = {row.name: row for row in scale.stored(found)}
    assert (rows["compiled"].value, rows["compiled: containers"].value) == (17.0, 1)
    assert round(rows["same, against without"].value, 3) == 0.1
    assert [row.name for row in rows.values() if not row.reached] == ["others, against without"]


def test_another_number_of_workers_keeps_the_figures_of_the_same_work_alone(tmp_path: Path) -> None:
    kept = [replace(RUN, workers=4, ideal=300.0), replace(RUN, workers=1, ideal=600.0)]
    scale.keep(tmp_path, "simulate", [], {"runs": [asdict(one) for one in kept]})
    assert scale._others(tmp_path, [RUN]) == kept[:1]
    assert scale._others(tmp_path / "nothing", [RUN]) == []


def test_a_part_of_the_results_leaves_the_others_alone(tmp_path: Path) -> None:
    for part, value in (("faults", 1), ("store", 2), ("faults", 3)):
        scale.keep(tmp_path, part, [Row(name="figure", value=value)], {})
    found = json.loads((tmp_path / "scale.json").read_text("utf-8"))
    assert {part: found[part]["rows"][0]["value"] for part in found} == {"faults": 3, "store": 2}


def test_the_same_runs_draw_the_same_picture(tmp_path: Path) -> None:
    for name in ("one.svg", "two.svg"):
        scale_picture.draw([asdict(RUN), asdict(replace(RUN, workers=4, ideal=300.0, wall=310.0))], tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_the_results_that_are_kept_name_no_place_of_a_machine() -> None:
    text = (BENCHMARKS / "results" / "scale.json").read_text("utf-8")
    assert not [place for place in ("/tmp", "/home", "/root", "/work/") if place in text]
