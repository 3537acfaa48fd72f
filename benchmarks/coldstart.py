"""Cold starts of a function with scikit-learn: today's layer, by uv and zip, against the one that layerforge compiles.

    python benchmarks/coldstart.py --image IMAGE [--layer ZIP] [--today ZIP] [--before ZIP] [--runs 10] [--output DIR]

Takes a container engine. Both layers are started in turns, each time in a fresh container and read from disk anew; see
docs/coldstart.md. What is not in layerforge's store yet is compiled first, which takes the better part of an hour and
is not timed, unless ``--layer`` names a finished zip. ``--before`` is a layer that an earlier version of layerforge
made, which the layer is started in turns with too. Writes ``coldstart.json`` and a picture. Exits 1 where a goal is
missed.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

import measure
from layerforge.core import process, runtimes
from layerforge.core.limits import FULL_CPU_MB
from measure import Setting

HERE = Path(__file__).parent
NAME, PYTHON, ARCH = "scikit-learn", "3.13", "x86_64"
IMPORTS = ("sklearn.ensemble", "sklearn.linear_model")
MOST, MOST_OF_BEFORE = 0.16, 0.66
"""Times that today's layer takes to initialise, and the one that was made before, at most."""


@click.command()
@click.option("--image", required=True, help="Container image to compile and run in.")
@click.option("--layer", type=click.Path(path_type=Path, exists=True), help="A compiled layer; else it is built.")
@click.option("--today", type=click.Path(path_type=Path, exists=True), help="Today's layer; else it is built.")
@click.option("--before", type=click.Path(path_type=Path, exists=True), help="An earlier compiled layer.")
@click.option("--runs", type=click.IntRange(1), default=10, show_default=True, help="Cold starts of each, in turns.")
@click.option("--output", type=click.Path(path_type=Path), default=HERE / "results", help="Folder for the results.")
def main(image: str, layer: Path | None, today: Path | None, before: Path | None, runs: int, output: Path) -> None:
    """Compare the cold starts of the compiled scikit-learn layer with those of today's."""
    target = runtimes.target(PYTHON, ARCH)
    setting = Setting(name=NAME, lock=measure.lock_of(NAME), target=target, zip_program=measure.find_zip_program())
    output.mkdir(parents=True, exist_ok=True)
    load = round(os.getloadavg()[0], 2)
    with tempfile.TemporaryDirectory(prefix="layerforge-bench-") as name:
        folder = Path(name).resolve()
        ours = (layer or build(setting, image, folder / "compiled")).resolve()
        theirs = (today or build_today(setting, folder / "today")).resolve()
        plot = ("--plot", output.resolve() / "coldstart.svg")
        result = {**cold_starts(setting, image, ours, theirs, runs, plot), "load": load, "most": MOST}
        if before:
            earlier = cold_starts(setting, image, ours, before.resolve(), runs)
            result["before"] = {**earlier, "most": MOST_OF_BEFORE}
    (output / "coldstart.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    reached = [show("uv + zip", result), *([show("before", result["before"])] if before else [])]
    sys.exit(0 if all(reached) else 1)


def build(setting: Setting, image: str, folder: Path) -> Path:
    """The compiled layer, with the user's own store. Raises ``RuntimeError``."""
    folder.mkdir()
    argv: list[str | Path] = ["layerforge", "build", NAME, "--engine", "docker", "--image", image, "--no-verify"]
    env = measure.environment() | {name: os.environ[name] for name in ("LAYERFORGE_CACHE",) if name in os.environ}
    measure.timed([*argv, "-o", folder], measure.programs(setting), env, folder)
    return measure.find_zip(folder)


def build_today(setting: Setting, folder: Path) -> Path:
    """Today's layer. Raises ``RuntimeError``."""
    measure.run_today(setting, folder, measure.environment())
    # The picture names the layers by their files.
    return (folder / measure.LAYER_ZIP).rename(folder / "uv-and-zip.zip")


def cold_starts(
    setting: Setting, image: str, ours: Path, theirs: Path, runs: int, plot: Sequence[str | Path] = ()
) -> dict[str, Any]:
    """What ``layerforge coldstart --json`` tells of both, without trees. Raises ``RuntimeError`` where it fails."""
    program = measure.programs(setting)["layerforge"]
    imports = [word for name in IMPORTS for word in ("--import", name)]
    size = ["--memory", str(FULL_CPU_MB), "--runs", str(runs), "--image", image]
    argv: list[str | Path] = [program, "coldstart", ours, "--against", theirs, *imports, *size, *plot]
    done = process.run([*argv, "--json", "--no-write"])
    if done.status:
        raise RuntimeError(f"coldstart ended with {done.status}:\n{done.stderr[-2000:]}")
    data = {key: value for key, value in json.loads(done.stdout).items() if key != "imports"}
    return data | {"against": {key: value for key, value in data["against"].items() if key != "imports"}}


def show(against: str, result: Mapping[str, Any]) -> bool:
    """The figures, a line each; whether the goal is reached."""
    [ratio], most = result["ratios"], result["most"]
    reached = bool(ratio["init_ms"] <= most)
    screen = Console(highlight=False)
    screen.print(f"at {FULL_CPU_MB:,} MB, compiled against {against}, medians:")
    screen.print(f"  init             {ratio['init_ms']:.3f} ×  (at most {most}: {'reached' if reached else 'MISSED'})")
    screen.print(f"  processor time   {ratio['init_cpu_ms']:.3f} ×")
    screen.print(f"  peak memory      {ratio['peak_memory']:.3f} ×")
    return reached


if __name__ == "__main__":
    main()
