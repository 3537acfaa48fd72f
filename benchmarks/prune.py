"""Counts what the prune pass drops and what it leaves, package by package, and what blanket rules would have dropped.

    python benchmarks/prune.py [--quick] [--output benchmarks/results]

Each package's wheel is installed alone, without its dependencies, for Python 3.13 on x86_64, and goes through the prune
pass with the general rules and no recipe. Nothing of it is run. Takes an index, and writes ``prune.json``.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from fakes import a_setting
from layerforge.core import globs, runtimes
from layerforge.core.paths import SITE
from layerforge.core.runtimes import Target
from layerforge.core.text import megabytes
from layerforge.layer import programs
from layerforge.layer.assemble import read
from layerforge.layer.passes.prune import prune
from layerforge.layer.passes.setting import LeftAlone
from layerforge.layer.tree import Edit, Tree
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.uv import OWN_PYTHON, WHEELS, run_uv, target_options

HERE = Path(__file__).parent
PYTHON, ARCH = "3.13", "x86_64"
QUICK = 5

PACKAGES = (
    "numpy", "pandas", "scikit-learn", "pybind11", "cython",
    "aiobotocore", "aiohttp", "alembic", "anyio", "asyncpg", "attrs", "aws-lambda-powertools", "aws-xray-sdk", "awscli",
    "awswrangler", "babel", "bcrypt", "beautifulsoup4", "black", "boto3", "botocore", "celery", "certifi", "cffi",
    "charset-normalizer", "click", "coverage", "cryptography", "dask", "dateparser", "django", "djangorestframework",
    "docutils", "duckdb", "elasticsearch", "faker", "fastapi", "flask", "fonttools", "fsspec", "geopandas", "gevent",
    "google-api-python-client", "google-cloud-storage", "graphene", "greenlet", "grpcio", "gunicorn", "h5py", "httpx",
    "hypothesis", "ipython", "jedi", "jinja2", "joblib", "jsonschema", "kubernetes", "lightgbm", "llvmlite", "lxml",
    "mangum", "markdown", "matplotlib", "moto", "mypy", "networkx", "nltk", "numba", "onnxruntime", "openai",
    "opencv-python-headless", "openpyxl", "orjson", "paramiko", "pillow", "pip", "polars", "protobuf", "psutil",
    "psycopg2-binary", "pyarrow", "pycryptodome", "pydantic", "pydantic-core", "pygments", "pymongo", "pymysql",
    "pyproj", "pytest", "python-docx", "pytz", "pyyaml", "redis", "reportlab", "requests", "rich", "scikit-image",
    "scipy", "seaborn", "sentry-sdk", "setuptools", "shapely", "snowflake-connector-python", "spacy", "sphinx",
    "sqlalchemy", "statsmodels", "streamlit", "sympy", "tensorboard", "tornado", "tqdm", "transformers", "twisted",
    "tzdata", "uvicorn", "weasyprint", "xgboost", "zope-interface",
)  # fmt: skip
"""Packages that are downloaded most, or put into layers often, and the largest of those that read sources. The first
ones are those of ``--quick``."""

BLANKET: Mapping[str, tuple[str, ...]] = {
    "tests": ("**/tests/**", "**/conftest.py"),
    "type stubs": ("**/*.pyi", "**/py.typed"),
    "C, Cython and Fortran sources": tuple(
        f"**/*.{end}"
        for end in (
            *("c", "cc", "cpp", "cxx", "h", "hh", "hpp", "hxx", "inl", "tpp", "c.src", "f", "f90", "f95", "cu", "cuh"),
            *("pyx", "pxd", "pxi", "pyx.in", "pxd.in", "pyx.tp", "pxd.tp", "pxi.tp"),
        )
    ),
    "static libraries": ("**/*.a", "**/*.la", "**/*.lib", "**/*.o", "**/*.obj"),
    "build files": ("**/meson.build", "**/CMakeLists.txt", "**/*.cmake", "**/pkgconfig/*.pc", "**/*.sip"),
    "other systems' programs": ("**/*.exe", "**/*.dll", "**/*.dylib", "**/*.pdb"),
    "manual pages": ("share/man/**", "share/doc/**"),
}
"""The rules that people copy, by the names and endings of files alone."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """What became of one package's files, in unzipped bytes."""

    package: str
    version: str
    files: int
    installed: int
    saved: int
    saved_by_rule: Mapping[str, int]
    left: int
    left_by_reason: Mapping[str, int]
    blanket: int
    """What the blanket rules would have dropped."""
    kept: int
    """Of that, what the pass keeps."""
    kept_by_rule: Mapping[str, int]
    largest_kept: Sequence[tuple[str, int]]
    seconds: float
    """Processor time of the pass."""


@click.command()
@click.option("--quick", is_flag=True, help=f"Only the first {QUICK} packages.")
@click.option("--package", "names", multiple=True, help="Only these packages.")
@click.option("--output", type=click.Path(path_type=Path), default=HERE / "results", help="Folder for the results.")
def main(quick: bool, names: tuple[str, ...], output: Path) -> None:  # noqa: FBT001
    """Put the wheels of a hundred packages through the prune pass, one at a time."""
    target = runtimes.target(PYTHON, ARCH)
    wanted = names or (PACKAGES[:QUICK] if quick else PACKAGES)
    rows: list[Row] = []
    for name in wanted:
        with tempfile.TemporaryDirectory(prefix="layerforge-bench-") as folder:
            rows.append(counted(name, Path(folder), target))
        row = rows[-1]
        print(f"{name} {row.version}: {megabytes(row.installed)}, saved {megabytes(row.saved)}, "
              f"left {megabytes(row.left)}, blanket {megabytes(row.blanket)}", file=sys.stderr)  # fmt: skip
    output.mkdir(parents=True, exist_ok=True)
    (output / "prune.json").write_text(json.dumps(as_data(rows), indent=1) + "\n")


def counted(name: str, folder: Path, target: Target) -> Row:
    """What becomes of the files of one package."""
    tree = installed(name, folder, target)
    package = next(one for one in tree.packages if one.name == name)
    started = time.process_time()
    said = list(prune(tree, a_setting(spec=LayerSpec(name=name, requires=(name,)))))
    seconds = time.process_time() - started
    gone = {one.path: one for one in said if isinstance(one, Edit)}
    left = {one.path: one.reason.partition(" by ")[0] for one in said if isinstance(one, LeftAlone)}
    sizes = {entry.path: entry.size for entry in tree.entries}
    doomed = {path: rule for path in sizes if (rule := blanket_rule(path))}
    kept = {path: rule for path, rule in doomed.items() if path not in gone}
    return Row(
        package=name,
        version=package.version,
        files=len(tree.entries),
        installed=tree.size,
        saved=sum(one.saved for one in gone.values()),
        saved_by_rule=summed((one.reason, one.saved) for one in gone.values()),
        left=sum(sizes[path] for path in left),
        left_by_reason=summed((reason, sizes[path]) for path, reason in left.items()),
        blanket=sum(sizes[path] for path in doomed),
        kept=sum(sizes[path] for path in kept),
        kept_by_rule=summed((rule, sizes[path]) for path, rule in kept.items()),
        largest_kept=sorted(((path, sizes[path]) for path in kept), key=lambda one: -one[1])[:5],
        seconds=round(seconds, 3),
    )


def installed(name: str, folder: Path, target: Target) -> Tree:
    """The newest wheel of a package, as a layer has it."""
    argv = ["pip", "install", *OWN_PYTHON, "--no-deps", "--no-compile-bytecode", *WHEELS, *target_options(target)]
    done = run_uv([*argv, "--target", str(folder / "wheel"), name], stdin="")
    if done.status:
        raise click.ClickException(f"{name}: {done.stderr.strip()}")
    return programs.for_runtime(read(folder / "wheel", lambda _name: folder, lambda _line: None), target)


def blanket_rule(path: str) -> str:
    """The blanket rule that drops a file of a layer; empty where none does. What ``dist-info`` holds always stays."""
    below, _, name = path.partition("/")
    found = (rule for rule, patterns in BLANKET.items() if globs.matches(name, patterns))
    return next(found, "") if below == SITE and ".dist-info/" not in name else ""


def summed(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Sums by name, the largest first."""
    sums: Counter[str] = Counter()
    for name, size in pairs:
        sums[name] += size
    return dict(sums.most_common())


def as_data(rows: Sequence[Row]) -> dict[str, Any]:
    """All rows, and their totals."""
    figures = ("files", "installed", "saved", "left", "blanket", "kept")
    groups = ("saved_by_rule", "left_by_reason", "kept_by_rule")
    total: dict[str, Any] = {name: sum(getattr(row, name) for row in rows) for name in figures}
    total |= {name: summed(pair for row in rows for pair in getattr(row, name).items()) for name in groups}
    total["seconds"] = round(sum(row.seconds for row in rows), 1)
    facts = {"python": PYTHON, "arch": ARCH, "dependencies": "none: each wheel alone", "packages": len(rows)}
    return {"facts": facts, "total": total, "packages": [asdict(row) for row in rows]}


if __name__ == "__main__":
    main()
