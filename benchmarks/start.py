"""What an import takes: uv's tree, layerforge's layer from the same wheels, the compiled layers, and an earlier one.

    python benchmarks/start.py --image IMAGE [--before ZIP] [--runs 11] [--output benchmarks/results]

Takes a container engine. What is not in layerforge's store yet is compiled first, which takes the better part of an
hour and is not timed. ``--before`` is a compiled layer of scikit-learn that an earlier version of layerforge made.
Prints a table and writes ``start.json``. Exits 1 where a goal is missed.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console

import measure
from compiled import ARCH, BESIDE, ONLY, PYTHON, TODAY, Bench, Row, docker, forge, in_turns, show, unpacked
from layerforge.build import interpreters
from layerforge.build.host import HostEngine
from layerforge.core import runtimes
from measure import Setting

HERE = Path(__file__).parent
SCIKIT_LEARN, INFERENCE, PANDAS = "scikit-learn", "scikit-learn-inference", "pandas"
IMPORTS = {
    SCIKIT_LEARN: ("sklearn.ensemble", "sklearn.linear_model"),
    INFERENCE: ("sklearn.ensemble", "sklearn.linear_model"),
    PANDAS: ("pandas",),
}
WHEELS, BEFORE = "wheels", "before"
"""layerforge's layer from the same wheels as uv's tree; the compiled layer of an earlier version."""

Zips = Mapping[str, Path]
Medians = Mapping[str, Mapping[str, float]]


@click.command()
@click.option("--image", required=True, help="Container image to compile in.")
@click.option("--before", type=click.Path(path_type=Path, exists=True), help="An earlier compiled scikit-learn layer.")
@click.option("--runs", type=click.IntRange(1), default=11, show_default=True, help="Timed imports of each, in turns.")
@click.option("--output", type=click.Path(path_type=Path), default=HERE / "results", help="Folder for the results.")
def main(image: str, before: Path | None, runs: int, output: Path) -> None:
    """Compare what imports take."""
    with tempfile.TemporaryDirectory(prefix="layerforge-bench-") as name:
        bench = prepare(SCIKIT_LEARN, image, runs, Path(name).resolve())
        rows, raw = compare(bench, before)
    output.mkdir(parents=True, exist_ok=True)
    data = {"rows": [{**asdict(row), "reached": row.reached} for row in rows], **raw}
    (output / "start.json").write_text(json.dumps(data, indent=1) + "\n", "utf-8")
    show(rows)
    sys.exit(0 if all(row.reached for row in rows) else 1)


def prepare(name: str, image: str, runs: int, folder: Path) -> Bench:
    """What is to be done. Raises ``ClickException`` where this machine cannot import the layers."""
    target = runtimes.target(PYTHON, ARCH)
    engine = HostEngine(interpreter=interpreters.find(PYTHON))
    if refusal := engine.refusal(target):
        raise click.ClickException(f"the layers cannot be imported here: {refusal}")
    setting = Setting(name=name, lock=measure.lock_of(name), target=target, zip_program=measure.find_zip_program())
    screen = Console(stderr=True, highlight=False)
    return Bench(setting=setting, engine=engine, image=image, runs=runs, folder=folder, screen=screen)


def compare(bench: Bench, before: Path | None) -> tuple[list[Row], dict[str, Any]]:
    """Every figure, and the samples behind them."""
    load = round(os.getloadavg()[0], 2)
    small = ("--compression", "small", "--bytecode", "only")
    ways = {BESIDE: docker(bench), ONLY: (*docker(bench), *small)}
    stacks = {
        SCIKIT_LEARN: build(bench, {WHEELS: ("--wheels",), **ways}) | ({BEFORE: before} if before else {}),
        PANDAS: build(of(bench, PANDAS), {BESIDE: docker(bench)}),
        INFERENCE: build(of(bench, INFERENCE), {ONLY: ways[ONLY]}),
    }
    taken = {name: imported(of(bench, name), zips) for name, zips in stacks.items()}
    medians = {name: _medians(samples) for name, samples in taken.items()}
    rows = [
        *ratio_rows(medians[SCIKIT_LEARN]),
        *(before_rows(medians[SCIKIT_LEARN]) if before else ()),
        *variant_rows(stacks[INFERENCE][ONLY], medians),
        Row(name="pandas, compiled: CPU", value=times(medians[PANDAS], BESIDE, TODAY, "cpu"), most=0.30),
    ]
    return rows, {"samples": taken, "load": load, "runs": bench.runs}


def of(bench: Bench, name: str) -> Bench:
    """The same for another recipe."""
    setting = replace(bench.setting, name=name, lock=measure.lock_of(name))
    return replace(bench, setting=setting, folder=bench.folder / name)


def build(bench: Bench, ways: Mapping[str, Sequence[str]]) -> dict[str, Path]:
    """The zip of uv's tree and those of layerforge's ways."""
    bench.screen.print(f"building {bench.setting.name}; what is not in the store is compiled first …")
    bench.folder.mkdir(exist_ok=True)
    measure.run_today(bench.setting, bench.folder / TODAY, measure.environment())
    for key, options in ways.items():
        forge(bench, bench.folder / key, *options, "--no-verify")
    return {key: measure.find_zip(bench.folder / key) for key in (TODAY, *ways)}


def imported(bench: Bench, zips: Zips) -> dict[str, dict[str, list[float]]]:
    """Seconds, bytes and modules of the imports, by layer, taken in turns."""
    names = IMPORTS[bench.setting.name]

    def once(opt: Path) -> dict[str, float]:
        return asdict(measure.import_cost(opt, names, bench.setting.target, bench.engine))

    return in_turns(bench, f"import {', '.join(names)}", unpacked(bench, zips), once)


def _medians(samples: Mapping[str, Mapping[str, Sequence[float]]]) -> Medians:
    return {key: {name: statistics.median(values) for name, values in one.items()} for key, one in samples.items()}


def times(medians: Medians, key: str, base: str, figure: str) -> float:
    """A layer's figure in units of another's."""
    return medians[key][figure] / medians[base][figure]


def ratio_rows(medians: Medians) -> list[Row]:
    """scikit-learn's layers against uv's tree."""
    return [
        Row(name="wheels: CPU", value=times(medians, WHEELS, TODAY, "cpu"), most=0.19),
        Row(name="compiled: CPU", value=times(medians, BESIDE, TODAY, "cpu"), most=0.16),
        Row(name="compiled, bytecode only: CPU", value=times(medians, ONLY, TODAY, "cpu")),
        Row(name="compiled: modules", value=medians[BESIDE]["modules"], unit=""),
        Row(name="compiled: peak memory", value=medians[BESIDE]["peak"] / 1e6, unit="MB"),
    ]


def before_rows(medians: Medians) -> list[Row]:
    """The compiled layer against the one that was made before."""
    return [
        Row(name="compiled: CPU, against before", value=times(medians, BESIDE, BEFORE, "cpu"), most=0.62),
        Row(name="compiled: peak memory, against before", value=times(medians, BESIDE, BEFORE, "peak"), most=0.85),
    ]


def variant_rows(layer: Path, medians: Mapping[str, Medians]) -> list[Row]:
    """The layer that only predicts."""
    seen = measure.weigh(ONLY, layer)
    return [
        Row(name="inference, bytecode only: unzipped", value=seen.unzipped / 1e6, most=66, unit="MB"),
        Row(name="inference, bytecode only: zipped, small", value=seen.zipped / 1e6, most=22, unit="MB"),
        Row(name="inference, bytecode only: CPU", value=times(medians[INFERENCE], ONLY, TODAY, "cpu")),
    ]


if __name__ == "__main__":
    main()
