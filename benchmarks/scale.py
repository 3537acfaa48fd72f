"""Measures the shared store and the cluster: how well many layers spread, what faults do, what a filled store saves.

    python benchmarks/scale.py simulate [--work 1500] [--workers 1,4,16]
    python benchmarks/scale.py faults [--seed 13] [--faults 200]
    python benchmarks/scale.py store --from DIR --image IMAGE

Each writes its part of ``scale.json`` and exits 1 where a goal is missed; ``simulate`` also draws the picture.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

import scale_picture
import scale_simulate
from scale_graph import LAYERS

HERE = Path(__file__).parent
RESULTS = "scale.json"
PICTURE = HERE.parent / "docs" / "pictures" / "scale.svg"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure, and the least or the most that it may be."""

    name: str
    value: float
    unit: str = ""
    most: float | None = None
    least: float | None = None

    @property
    def reached(self) -> bool:
        """Whether the goal, where there is one, is reached."""
        return (self.most is None or self.value <= self.most) and (self.least is None or self.value >= self.least)

    @property
    def goal(self) -> str:
        """The goal in words."""
        return f"≤ {self.most:g}" if self.most is not None else f"≥ {self.least:g}" if self.least is not None else ""


output = click.option("--output", type=click.Path(path_type=Path), default=HERE / "results", help="For the results.")


@click.group()
def main() -> None:
    """Measure the shared store and the cluster."""


@main.command()
@click.option("--work", default=1500.0, show_default=True, help="Seconds that all jobs sleep together.")
@click.option("--layers", default=LAYERS, show_default=True, help="Fewest layers.")
@click.option("--workers", default="1,4,16", show_default=True, help="Numbers of worker processes.")
@output
def simulate(work: float, layers: int, workers: str, output: Path) -> None:
    """Spread sleeping steps over workers, and hold the time against the ideal."""
    load = round(os.getloadavg()[0], 2)
    with tempfile.TemporaryDirectory(prefix="layerforge-scale-") as name:
        runs = [
            scale_simulate.run(number, work, layers, Path(name) / str(number))
            for number in map(int, workers.split(","))
        ]
    rows = [row for one in runs for row in simulated(one)]
    found = keep(output, "simulate", rows, {"load": load, "work": work, "runs": [asdict(one) for one in runs]})
    scale_picture.draw(found["simulate"]["runs"], PICTURE if output == HERE / "results" else output / PICTURE.name)
    leave(rows)


def simulated(run: scale_simulate.Simulated) -> Sequence[Row]:
    """The figures of a run, and what they have to be."""
    of = f"{run.workers} worker{'s' if run.workers > 1 else ''}: "
    return [
        Row(name=of + "steps and layers done", value=run.done, least=run.jobs),
        Row(name=of + "done more than once", value=run.repeated, most=0),
        Row(name=of + "of the ideal speed-up", value=run.share, unit="%", least=85),
        Row(name=of + "processor time of client and scheduler a step", value=run.cpu_each, unit="ms", most=5),
        Row(name=of + "wall time beyond the ideal a step", value=run.wall_each, unit="ms"),
        Row(name=of + "memory of the client", value=run.peak / 1e6, unit="MB", most=300),
    ]


def keep(output: Path, part: str, rows: Sequence[Row], raw: Mapping[str, Any]) -> dict[str, Any]:
    """Writes a part of the results, and shows it."""
    output.mkdir(parents=True, exist_ok=True)
    file = output / RESULTS
    found: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {}
    found[part] = {"rows": [{**asdict(row), "reached": row.reached} for row in rows], **raw}
    file.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    show(rows)
    return found


def show(rows: Sequence[Row]) -> None:
    """Prints the figures as a table."""
    table = Table(box=box.SIMPLE_HEAD)
    for title in ("figure", "value", "goal", "reached"):
        table.add_column(title, justify="right" if title == "value" else "left")
    for row in rows:
        mark = "" if not row.goal else "yes" if row.reached else "NO"
        table.add_row(row.name, f"{row.value:,.4g} {row.unit}".strip(), row.goal, mark)
    Console(width=120).print(table)


def leave(rows: Sequence[Row]) -> None:
    """Ends the program with 1 where a goal is missed."""
    sys.exit(0 if all(row.reached for row in rows) else 1)


if __name__ == "__main__":
    main()
