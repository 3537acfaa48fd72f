"""Compares today's way to a Lambda layer, uv and zip, with layerforge: side by side, in one run.

    python benchmarks/run.py [--target scikit-learn] [--runs 3] [--output benchmarks/results] [--quick]

Prints a table; writes the raw numbers as JSON and a picture. Exits 1 where a goal is missed.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.table import Table

import measure
import picture
from compare import (
    BESIDE,
    COLD,
    DEFAULT,
    GOALS,
    SMALLEST,
    TODAY,
    WARM,
    Facts,
    Results,
    Sample,
    Verdict,
    as_data,
    distinct,
    panels,
    same_bytes,
    table_rows,
    verdict_rows,
    verdicts,
)
from layerforge import __version__
from layerforge.build import interpreters
from layerforge.build.host import HostEngine
from layerforge.core import runtimes
from layerforge.core.paths import SITE
from layerforge.resolve.catalogue import catalogue
from measure import Setting

HERE = Path(__file__).parent
PYTHON, ARCH = "3.13", "x86_64"
USUAL_TARGET = "scikit-learn"
IMPORTS: Mapping[str, tuple[str, ...]] = {
    "matplotlib": ("matplotlib.pyplot",),
    "numpy": ("numpy",),
    "pandas": ("pandas",),
    "pillow": ("PIL.Image",),
    "pyarrow": ("pyarrow", "pyarrow.parquet"),
    "scikit-learn": ("sklearn.ensemble", "sklearn.linear_model"),
    "scikit-learn-inference": ("sklearn.ensemble", "sklearn.linear_model"),
    "scipy": ("scipy.optimize", "scipy.stats"),
}
"""What a typical function imports, by target; for another one, the first imports that its recipe checks."""
TARGETS = tuple(recipe.name for recipe in catalogue().all() if recipe.layer)
VARIANTS: Mapping[str, tuple[str, ...]] = {
    DEFAULT: (),
    BESIDE: ("--bytecode", "beside"),
    SMALLEST: ("--bytecode", "only", "--compression", "small"),
}
FEWEST_IMPORTS = 5
"""Imports vary more than builds, so that many are timed at least."""
WIDTH = 100
"""Characters of the widest table."""
NOT_IN_PICTURE = 1
"""The panel that the picture leaves out: processor time of a build, which says nearly what its wall time says."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """One run: what is compared, how often, and where its files lie until it ends."""

    setting: Setting
    engine: HostEngine
    imports: tuple[str, ...]
    builds: int
    """Timed builds of each way."""
    rounds: int
    """Timed imports from each layer."""
    quick: bool
    folder: Path
    screen: Console


@click.command()
@click.option("--target", type=click.Choice(TARGETS), default=USUAL_TARGET, show_default=True)
@click.option("--runs", type=click.IntRange(1), default=3, show_default=True, help="Timed builds of each way.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Folder for the results.  [default: benchmarks/results; bench-results with --quick]",
)
@click.option("--quick", is_flag=True, help="One run of everything: shows that it works, proves nothing.")
def main(target: str, runs: int, output: Path | None, quick: bool) -> None:  # noqa: FBT001
    """Compare uv and zip with layerforge on one recipe, and write results.json, .svg and .png."""
    screen = Console(stderr=True, highlight=False)
    with tempfile.TemporaryDirectory(prefix="layerforge-bench-") as name:
        results = compare_all(prepare(target, runs, Path(name).resolve(), screen, quick=quick))
    found = verdicts(results, GOALS.get(target, ()))
    folder = output or (Path("bench-results") if quick else HERE / "results")
    write(folder, results, found)
    show(wide(), results, found)
    screen.print(f"results written to {folder}")
    sys.exit(0 if all(one.reached for one in found) else 1)


def prepare(name: str, runs: int, folder: Path, screen: Console, *, quick: bool) -> Bench:
    """What is to be done. Raises ``ClickException`` where this machine cannot import the layers."""
    target = runtimes.target(PYTHON, ARCH)
    engine = HostEngine(interpreter=interpreters.find(PYTHON))
    if refusal := engine.refusal(target):
        raise click.ClickException(f"the layers cannot be imported here: {refusal}")
    return Bench(
        setting=Setting(name=name, lock=measure.lock_of(name), target=target, zip_program=measure.find_zip_program()),
        engine=engine,
        imports=imports_of(name),
        builds=1 if quick else runs,
        rounds=1 if quick else max(FEWEST_IMPORTS, runs),
        quick=quick,
        folder=folder,
        screen=screen,
    )


def compare_all(bench: Bench) -> Results:
    """Builds the layers, untimed, which warms every cache; times the builds; times the imports."""
    load = os.getloadavg()[0]
    zips = build_layers(bench)
    layers = tuple(measure.weigh(key, path) for key, path in zips.items())
    builds = time_builds(bench)
    imports = time_imports(bench, {layer.key: zips[layer.key] for layer in distinct(layers)})
    facts = gather_facts(bench, packages_of(zips[DEFAULT]), load)
    return Results(facts=facts, builds=builds, layers=layers, imports=imports)


def build_layers(bench: Bench) -> dict[str, Path]:
    """The zip of each layer. Afterwards uv's cache holds every wheel, and layerforge's own modules are compiled."""
    bench.screen.print("every layer is built once, untimed …")
    env, folder = measure.environment(), bench.folder / "layers"
    measure.run_today(bench.setting, folder / TODAY, env)
    for key, options in VARIANTS.items():
        measure.run_layerforge(bench.setting, folder / key, folder / "store", env, options)
    return {key: measure.find_zip(folder / key) for key in (TODAY, *VARIANTS)}


def time_builds(bench: Bench) -> dict[str, tuple[Sample, ...]]:
    """Samples of each way, taken in turns: today's, layerforge with an empty store, layerforge with that store."""
    samples: dict[str, list[Sample]] = {TODAY: [], COLD: [], WARM: []}
    # Everything is in uv's cache by now, and how fast an index answers is not the question.
    env = measure.environment(UV_OFFLINE="1")
    for number in range(1, bench.builds + 1):
        with tempfile.TemporaryDirectory(dir=bench.folder) as name:
            place = Path(name)
            samples[TODAY].append(measure.run_today(bench.setting, place / TODAY, env))
            samples[COLD].append(measure.run_layerforge(bench.setting, place / COLD, place / "store", env))
            samples[WARM].append(measure.run_layerforge(bench.setting, place / WARM, place / "store", env))
        walls = ", ".join(f"{way} {taken[-1].wall:.2f} s" for way, taken in samples.items())
        bench.screen.print(f"builds, round {number} of {bench.builds}: {walls}")
    return {way: tuple(taken) for way, taken in samples.items()}


def time_imports(bench: Bench, zips: Mapping[str, Path]) -> dict[str, tuple[float, ...]]:
    """CPU seconds of the imports by layer, taken in turns after an untimed round that fills the page cache."""
    opts = {key: bench.folder / "opt" / key for key in zips}
    for key, opt in opts.items():
        measure.unpack_dated(zips[key], opt)
        measure.import_cost(opt, bench.imports, bench.setting.target, bench.engine)
    taken: dict[str, list[float]] = {key: [] for key in opts}
    for number in range(1, bench.rounds + 1):
        for key, opt in opts.items():
            taken[key].append(measure.import_cost(opt, bench.imports, bench.setting.target, bench.engine).cpu)
        seconds = ", ".join(f"{key} {values[-1]:.2f} s" for key, values in taken.items())
        bench.screen.print(f"imports, round {number} of {bench.rounds}: {seconds}")
    return {key: tuple(values) for key, values in taken.items()}


def imports_of(name: str) -> tuple[str, ...]:
    """What is imported from a target's layer."""
    recipe = catalogue().find(name)
    return IMPORTS.get(name) or (recipe.check.imports[:2] if recipe else ())


def packages_of(layer: Path) -> dict[str, str]:
    """Versions by package, from the manifest beside a layer."""
    manifest = json.loads(layer.with_suffix(".manifest.json").read_text("utf-8"))
    return {row["name"]: row["version"] for row in manifest["packages"]}


def gather_facts(bench: Bench, packages: Mapping[str, str], load: float) -> Facts:
    """The circumstances of a run."""
    setting, interpreter = bench.setting, bench.engine.interpreter
    return Facts(
        target=setting.name,
        python=setting.target.python,
        platform=setting.platform,
        imports=bench.imports,
        quick=bench.quick,
        cpus=len(os.sched_getaffinity(0)),
        load=round(load, 2),
        zip=measure.zip_version(setting.zip_program),
        versions={
            "layerforge": __version__,
            "uv": version("uv"),
            "python": platform.python_version(),
            "target_python": interpreter.version if interpreter else "",
        },
        packages=packages,
        commands=commands(setting),
    )


def commands(setting: Setting) -> dict[str, str]:
    """The commands as they are run, with words in the place of this machine's paths."""
    install = measure.install_command(setting, f"DIR/{SITE}", "LOCK")
    packing = measure.zip_command(setting, measure.LAYER_ZIP)
    today = " && ".join([_words(install), "cd DIR", _words(packing)])
    forged = {key: _words(measure.forge_command(setting, "DIR", options)) for key, options in VARIANTS.items()}
    return {TODAY: today, **forged}


def _words(argv: Sequence[str | Path]) -> str:
    named = {sys.executable: "PYTHON", measure.ZIPFILE_PROGRAM: "ZIPFILE_PROGRAM"}
    return " ".join(named.get(str(word), str(word)) for word in argv)


def show(out: Console, results: Results, found: Sequence[Verdict]) -> None:
    """The table, then the goals."""
    out.print(f"{headline(results.facts)}; import {', '.join(results.facts.imports)}", style="bold", soft_wrap=True)
    for panel in panels(results):
        out.print(_table((panel.title, "median", "least … most", "× today"), table_rows(panel)))
    for line in same_bytes(results):
        out.print(line, soft_wrap=True)
    if found:
        out.print(_table(("must reach", "measured", "goal", "reached"), verdict_rows(found)))


def wide() -> Console:
    """Standard output, wide enough for every column: without a terminal rich takes 80 and cuts the rest off."""
    return Console(highlight=False, width=max(WIDTH, Console().width))


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table that is never folded, so that it can be copied from wherever it was printed."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, (column, least) in enumerate(zip(columns, (32, 18, 20, 10), strict=True)):
        made.add_column(column, justify="right" if number else "left", no_wrap=True, min_width=least)
    for row in rows:
        made.add_row(*row)
    return made


def headline(facts: Facts) -> str:
    """What was compared."""
    return f"{facts.target} {facts.packages.get(facts.target, '')} for Python {facts.python}, {ARCH}"


def small_print(results: Results) -> str:
    """How it was measured, in one line."""
    facts, versions = results.facts, results.facts.versions
    builds, imports = len(results.builds[TODAY]), len(results.imports[TODAY])
    tools = f"layerforge {versions['layerforge']}, uv {versions['uv']}, {facts.zip}"
    runs = f"medians, {builds} × built, {imports} × imported, in turns"
    return f"{tools} · {facts.cpus} processors · {runs} · less is better"


def write(folder: Path, results: Results, found: Sequence[Verdict]) -> None:
    """Writes the JSON and the picture. The usual target's are called ``results``, another's bear its name too."""
    name = results.facts.target
    stem = folder / ("results" if name == USUAL_TARGET else f"results-{name}")
    folder.mkdir(parents=True, exist_ok=True)
    stem.with_suffix(".json").write_text(json.dumps(as_data(results, found), indent=1) + "\n", "utf-8")
    shown = [panel for number, panel in enumerate(panels(results)) if number != NOT_IN_PICTURE]
    picture.draw(headline(results.facts), small_print(results), shown, stem)


if __name__ == "__main__":
    main()
