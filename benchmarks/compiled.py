"""Holds the layer that layerforge compiles against the index's wheels: sizes, and how fast it computes.

    python benchmarks/compiled.py --image IMAGE [--runs 5] [--output benchmarks/results]

Takes a container engine. What is not in layerforge's store yet is compiled first, which takes the better part of an
hour for scikit-learn and is not timed. Prints a table and writes ``compiled.json``. Exits 1 where a goal is missed.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

import measure
from layerforge.build import interpreters
from layerforge.build.engine import Job
from layerforge.build.host import HostEngine
from layerforge.core import process, runtimes
from layerforge.examine.examination import Examination
from layerforge.examine.examine import examine
from layerforge.resolve import recipe_file
from layerforge.resolve.catalogue import catalogue
from measure import Setting

HERE = Path(__file__).parent
NAME, PYTHON, ARCH = "scikit-learn", "3.13", "x86_64"
TODAY, BESIDE, ONLY = "uv", "compiled", "compiled, bytecode only"
"""uv's tree; the compiled layers."""
THREADS = "2"
ROUNDS_INSIDE = 3
SHARED = {"BLAS": ("openblas",), "libgomp": ("libgomp", "libomp"), "libgfortran": ("libgfortran",)}
"""Words in the names of libraries that a layer needs once."""

COMPUTE_PROGRAM = """
import os
os.environ.update(OMP_NUM_THREADS={threads!r}, OPENBLAS_NUM_THREADS={threads!r})
import json, time
import numpy as np
import scipy.fft
import scipy.optimize
import scipy.sparse
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs, make_classification
from sklearn.ensemble import RandomForestClassifier

rng = np.random.default_rng(0)
matrix, other = rng.normal(size=(1000, 1000)), rng.normal(size=(1000, 1000))
features, labels = make_classification(4000, 20, random_state=0)
sparse = scipy.sparse.random_array((4000, 4000), density=0.005, format="csr", rng=rng)
costs, bounds = -rng.uniform(size=300), rng.uniform(size=(300, 300))
points, _ = make_blobs(20000, centers=8, n_features=20, random_state=0)
works = {{
    "RandomForest": lambda: RandomForestClassifier(60, random_state=0, n_jobs=2).fit(features, labels),
    "K-means": lambda: KMeans(8, n_init=3, random_state=0).fit(points),
    "SVD 1000 × 1000": lambda: np.linalg.svd(matrix),
    "matmul 1000 × 1000": lambda: [matrix @ other for _ in range(8)],
    "FFT 1000 × 1000": lambda: [scipy.fft.fft2(matrix) for _ in range(4)],
    "sparse product": lambda: [sparse @ sparse.T for _ in range(4)],
    "linear program": lambda: scipy.optimize.linprog(costs, A_ub=bounds, b_ub=np.ones(len(bounds))),
}}
taken = {{}}
for name, work in works.items():
    work()
    times = []
    for _ in range({rounds}):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    taken[name] = min(times)
print(json.dumps(taken))
"""
"""Prints the least wall seconds of each work, after one untimed run of it."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure, and the most that it may be."""

    name: str
    value: float
    most: float | None = None
    unit: str = "×"

    @property
    def reached(self) -> bool:
        """Whether the goal, where there is one, is reached."""
        return self.most is None or self.value <= self.most


@dataclass(frozen=True, kw_only=True)
class Bench:
    """One run."""

    setting: Setting
    engine: HostEngine
    image: str
    runs: int
    folder: Path
    screen: Console


@click.command()
@click.option("--image", required=True, help="Container image to compile in.")
@click.option("--runs", type=click.IntRange(1), default=5, show_default=True, help="Timed runs of each, in turns.")
@click.option("--output", type=click.Path(path_type=Path), default=HERE / "results", help="Folder for the results.")
def main(image: str, runs: int, output: Path) -> None:
    """Compare the compiled scikit-learn layer with the wheels."""
    screen = Console(stderr=True, highlight=False)
    engine = HostEngine(interpreter=interpreters.find(PYTHON))
    target = runtimes.target(PYTHON, ARCH)
    if refusal := engine.refusal(target):
        raise click.ClickException(f"the layers cannot be run here: {refusal}")
    setting = Setting(name=NAME, lock=measure.lock_of(NAME), target=target, zip_program=measure.find_zip_program())
    with tempfile.TemporaryDirectory(prefix="layerforge-bench-") as name:
        bench = Bench(
            setting=setting, engine=engine, image=image, runs=runs, folder=Path(name).resolve(), screen=screen
        )
        rows, raw = compare(bench)
    output.mkdir(parents=True, exist_ok=True)
    data = {"rows": [{**asdict(row), "reached": row.reached} for row in rows], **raw}
    (output / "compiled.json").write_text(json.dumps(data, indent=1) + "\n", "utf-8")
    show(rows)
    sys.exit(0 if all(row.reached for row in rows) else 1)


def compare(bench: Bench) -> tuple[list[Row], dict[str, Any]]:
    """Every figure, and the samples behind them."""
    load = round(os.getloadavg()[0], 2)
    zips = build_all(bench)
    opts = unpacked(bench, {key: zips[key] for key in (TODAY, BESIDE)})
    computed = in_turns(bench, "computing", opts, lambda opt: compute(bench, opt))
    rebuilt, containers = rebuild(bench)
    rows = [
        *size_rows(zips),
        *compute_rows(computed),
        Row(name="rebuild with nothing changed", value=rebuilt, most=3, unit="s"),
        Row(name="containers that the rebuild starts", value=containers, most=0, unit=""),
        Row(
            name="compiled anew when scikit-learn's flags change", value=len(changed_steps(bench)), most=1, unit="steps"
        ),
    ]
    return rows, {"computed": computed, "load": load, "runs": bench.runs}


def build_all(bench: Bench) -> dict[str, Path]:
    """The zip of each layer."""
    bench.screen.print("building; what is not in the store is compiled first …")
    measure.run_today(bench.setting, bench.folder / TODAY, measure.environment())
    options = {
        BESIDE: (*docker(bench), "--compression", "small"),
        ONLY: (*docker(bench), "--compression", "small", "--bytecode", "only"),
    }
    for key, more in options.items():
        forge(bench, bench.folder / key, *more, "--no-verify")
    return {key: measure.find_zip(bench.folder / key) for key in (TODAY, *options)}


def unpacked(bench: Bench, zips: Mapping[str, Path]) -> dict[str, Path]:
    """Where each layer lies unpacked, as Lambda would unpack it."""
    opts = {key: bench.folder / "opt" / key for key in zips}
    for key, opt in opts.items():
        measure.unpack_dated(zips[key], opt)
    return opts


def docker(bench: Bench) -> tuple[str, ...]:
    """Options for the container engine."""
    return ("--engine", "docker", "--image", bench.image)


def forge(bench: Bench, output: Path, *options: str) -> float:
    """Builds the layer with the user's own store; returns the wall seconds. Raises ``RuntimeError``."""
    argv: list[str | Path] = ["layerforge", "build", bench.setting.name, *options, "-o", output]
    # Nothing on this machine decides but the store, which may lie elsewhere: compiled packages are in it.
    env = measure.environment() | {name: os.environ[name] for name in ("LAYERFORGE_CACHE",) if name in os.environ}
    return measure.timed(argv, measure.programs(bench.setting), env, bench.folder).wall


def in_turns(
    bench: Bench, what: str, opts: Mapping[str, Path], work: Callable[[Path], Mapping[str, float]]
) -> dict[str, dict[str, list[float]]]:
    """Samples by layer and figure, taken in turns after an untimed round that fills the page cache."""
    taken: dict[str, dict[str, list[float]]] = {key: {} for key in opts}
    for number in range(bench.runs + 1):
        bench.screen.print(f"{what}, round {number} of {bench.runs}")
        for key, opt in opts.items():
            for name, value in work(opt).items():
                if number:
                    taken[key].setdefault(name, []).append(value)
    return taken


def compute(bench: Bench, opt: Path) -> dict[str, float]:
    """Wall seconds of each work."""
    program = COMPUTE_PROGRAM.format(threads=THREADS, rounds=ROUNDS_INSIDE)
    outcome = bench.engine.run(Job(target=bench.setting.target, opt=opt, program=program, timeout=600))
    if outcome.status:
        raise RuntimeError(f"computing in {opt.name} ended with {outcome.status}:\n{outcome.output[-2000:]}")
    return dict(json.loads(outcome.output.splitlines()[-1]))


def size_rows(zips: Mapping[str, Path]) -> list[Row]:
    """What the layers weigh, and what they hold."""
    beside, only = measure.weigh(BESIDE, zips[BESIDE]), measure.weigh(ONLY, zips[ONLY])
    seen = examine(zips[BESIDE])
    return [
        Row(name="unzipped, default", value=beside.unzipped / 1e6, most=108, unit="MB"),
        Row(name="zipped, small", value=beside.zipped / 1e6, most=37, unit="MB"),
        Row(name="unzipped, bytecode only", value=only.unzipped / 1e6, most=82, unit="MB"),
        Row(name="zipped, small, bytecode only", value=only.zipped / 1e6, most=30, unit="MB"),
        *(Row(name=f"copies of {name}", value=copies(seen, words), most=1, unit="") for name, words in SHARED.items()),
        Row(name="highest glibc needed", value=highest_glibc(seen), most=2.34, unit=""),
    ]


def copies(seen: Examination, words: Sequence[str]) -> int:
    """Libraries with one of the words in their name; links do not count."""
    natives = [member.path.rpartition("/")[2] for member in seen.members if member.elf is not None]
    return sum(any(word in name for word in words) and ".so" in name for name in natives)


def highest_glibc(seen: Examination) -> float:
    """The newest version of glibc's symbols that any file needs: 2.34."""
    found = [name for member in seen.members if member.elf for names in member.elf.versions.values() for name in names]
    numbers = [name.removeprefix("GLIBC_") for name in found if name.startswith("GLIBC_2")]
    return float(".".join(map(str, max(runtimes.version(number) for number in numbers)[:2])))


def compute_rows(computed: Mapping[str, Mapping[str, Sequence[float]]]) -> list[Row]:
    """Wall time of each work, as ratios: least against least, since noise only ever adds."""
    return [
        Row(name=f"{work}, against the wheels", value=min(values) / min(computed[TODAY][work]), most=1.05)
        for work, values in computed[BESIDE].items()
    ]


def rebuild(bench: Bench) -> tuple[float, int]:
    """Wall seconds of the same build once more, and the containers that it starts."""
    options = (*docker(bench), "--compression", "small")
    forge(bench, bench.folder / "again", *options)
    began = int(time.time())
    seconds = forge(bench, bench.folder / "again", *options)
    argv = ["docker", "events", "--since", str(began), "--until", str(int(time.time()) + 1), "--filter", "event=create"]
    events = process.run(argv).stdout.splitlines()
    return seconds, len(events)


def changed_steps(bench: Bench) -> list[str]:
    """Source steps whose key changes where scikit-learn's flags do."""
    folder = bench.folder / "recipe" / NAME
    folder.mkdir(parents=True)
    original = catalogue().places[NAME]
    for file in original.iterdir():
        if file.is_file():
            (folder / file.name).write_bytes(file.read_bytes())
    text = (folder / recipe_file.FILE).read_text("utf-8")
    (folder / recipe_file.FILE).write_text(text.replace('CFLAGS = "', 'CFLAGS = "-DCHANGED ', 1), "utf-8")
    before, after = keys(bench, original), keys(bench, folder)
    return [name for name in before if before[name] != after.get(name)]


def keys(bench: Bench, folder: Path) -> dict[str, str]:
    """Keys of the source steps of the recipe in ``folder``."""
    argv = [measure.programs(bench.setting)["layerforge"], "plan", str(folder), *docker(bench), "--json"]
    done = process.run(argv)
    if done.status:
        raise RuntimeError(f"the plan of {folder.name} cannot be made:\n{done.stderr[-2000:]}")
    steps = json.loads(done.stdout)["steps"]
    return {str(step.get("name", "system")): step["key"] for step in steps if "key" in step}


def show(rows: Sequence[Row]) -> None:
    """The table."""
    table = Table("figure", "measured", "most", "reached", box=box.SIMPLE_HEAD)
    for row in rows:
        most = "" if row.most is None else f"{row.most:g} {row.unit}"
        told = "" if row.most is None else "yes" if row.reached else "NO"
        table.add_row(row.name, f"{row.value:.3g} {row.unit}", most, told)
    Console(highlight=False, width=110).print(table)


if __name__ == "__main__":
    main()
