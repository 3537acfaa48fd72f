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
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

import scale_faults
import scale_picture
import scale_s3
import scale_simulate
import scale_store
from scale_faults import Found, Plan
from scale_graph import LAYERS
from scale_simulate import Simulated
from scale_store import Timed

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
    with tempfile.TemporaryDirectory(prefix="layerforge-scale-") as name:
        runs = [
            scale_simulate.run(number, work, layers, Path(name) / str(number))
            for number in map(int, workers.split(","))
        ]
    runs = sorted([*_others(output, runs), *runs], key=lambda one: one.workers)
    rows = [row for one in runs for row in simulated(one)]
    found = keep(output, "simulate", rows, {"work": work, "runs": [asdict(one) for one in runs]})
    scale_picture.draw(found["simulate"]["runs"], PICTURE if output == HERE / "results" else output / PICTURE.name)
    leave(rows)


@main.command()
@click.option("--seed", default=13, show_default=True, help="The same one lets the same things happen.")
@click.option("--faults", "number", default=200, show_default=True, help="How many things go wrong.")
@click.option("--workers", default=4, show_default=True, help="Worker processes.")
@click.option("--layers", default=LAYERS, show_default=True, help="Fewest layers.")
@click.option("--work", default=900.0, show_default=True, help="Seconds that all jobs sleep together.")
@click.option("--image", default="", help="Let the steps sleep in containers of this image.")
@click.option(
    "--s3", is_flag=True, help="Keep the values in S3 as moto's server answers, behind a proxy that breaks it."
)
@output
def faults(number: int, image: str, output: Path, *, s3: bool, **how: Any) -> None:
    """Let things go wrong, and see whether each step is done once and right."""
    screen = Console(stderr=True, highlight=False)
    plan = Plan(faults=number, image=image, store=scale_s3.STORE if s3 else "", **how)
    place = tempfile.TemporaryDirectory(prefix="layerforge-faults-")
    with place as name, scale_s3.served() if s3 else nullcontext() as served:
        found = scale_faults.run(plan, Path(name) / "yard", screen.print, served)
    part = "faults in containers" if image else "faults in S3" if s3 else "faults"
    rows = faulted(found)
    keep(output, part, rows, {"plan": asdict(plan), "found": asdict(found)})
    leave(rows)


@main.command()
@click.option(
    "--from", "source", type=click.Path(exists=True, path_type=Path), help="Near store that has all compiled."
)
@click.option("--image", help="The image that it was compiled in.")
@click.option("--runs", type=click.IntRange(1), default=5, show_default=True, help="Timed runs of each, in turns.")
@output
def store(source: Path | None, image: str | None, runs: int, output: Path) -> None:
    """Time first builds on a machine that has nothing but a far store."""
    say = Console(stderr=True, highlight=False).print
    load = round(os.getloadavg()[0], 2)
    found: list[Timed] = []
    with tempfile.TemporaryDirectory(prefix="layerforge-store-") as name:
        if source and image:
            with scale_s3.served():
                found += scale_store.compiled(source, image, runs, Path(name) / "compiled", say)
        found += scale_store.wheels(runs, Path(name) / "wheels", say)
    rows = stored(found)
    keep(output, "store", rows, {"load": load, "runs": [asdict(one) for one in found]})
    leave(rows)


def stored(found: Sequence[Timed]) -> list[Row]:
    """The figures of first builds, and what they have to be."""
    *layers, without, same, others = found
    rows = [Row(name=one.name, value=one.median, unit="s", most=20) for one in layers]
    # The one container is that which the layer is run in.
    rows += [Row(name=f"{one.name}: containers", value=max(one.containers), most=1) for one in layers]
    rows += [Row(name=one.name, value=one.median, unit="s") for one in (without, same, others)]
    return rows + [
        Row(name=f"{one.name}, against without", value=one.median / without.median, unit="×", most=0.35)
        for one in (same, others)
    ]


def faulted(found: Found) -> list[Row]:
    """The figures of a run with faults, and what they have to be."""
    return [
        Row(name="faults", value=sum(found.faults.values())),
        Row(name="steps and layers", value=found.steps),
        Row(name="values that are wrong", value=found.wrong, most=0),
        Row(name="values that are missing", value=found.missing, most=0),
        Row(name="done twice, though no worker was lost that did one of them", value=found.twice, most=0),
        Row(name="begun once more", value=found.again),
        Row(name="programs that did not end", value=found.hung, most=0),
        Row(name="containers that are left", value=found.containers, most=0),
    ]


def _others(output: Path, runs: Sequence[Simulated]) -> list[Simulated]:
    """The runs of the same work with other numbers of workers that are among the results already."""
    file = output / RESULTS
    found = json.loads(file.read_text("utf-8")).get("simulate", {}) if file.exists() else {}
    before = [Simulated(**one) for one in found.get("runs", ())]
    new = {one.workers for one in runs}
    work = {round(one.ideal * one.workers) for one in runs if one.workers == min(new)}
    return [one for one in before if one.workers not in new and {round(one.ideal * one.workers)} == work]


def simulated(run: Simulated) -> Sequence[Row]:
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
