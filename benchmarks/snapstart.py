"""What priming before a snapshot takes off the first invocation of a function with SnapStart.

    python benchmarks/snapstart.py LAYER.zip --image IMAGE [--runs 5] [--output benchmarks/results]

LAYER.zip is a layer of scikit-learn. The same function is started in turns, in AWS's emulator: as it stands, and with
AWS's own runner of SnapStart's hooks called at the end of its init phase, so that ``layerforge_prime`` does as it does
before a snapshot. No snapshot is taken and none restored: what Lambda's restore itself takes is not in these figures,
and neither is the reading of memory that a restored function touches first. Prints a table, writes ``snapstart.json``.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

HERE = Path(__file__).parent
MEMORY = 1769
ROUNDS = 3
FUNCTION = """\
import numpy as np
import sklearn.cluster, sklearn.ensemble, sklearn.linear_model, sklearn.metrics, sklearn.preprocessing
import layerforge_prime

layerforge_prime.register()
X = np.linspace(-1, 1, 1600).reshape(200, 8) ** 3
Y = (X[:, 0] > 0.1).astype(int)


def handler(event, context):
    model = sklearn.linear_model.LogisticRegression().fit(X, Y)
    score = sklearn.metrics.roc_auc_score(Y, model.predict_proba(X)[:, 1])
    ranks = sklearn.preprocessing.QuantileTransformer(n_quantiles=50).fit_transform(X)
    powers = sklearn.preprocessing.PowerTransformer().fit_transform(X)
    labels = sklearn.cluster.KMeans(2, n_init=1, random_state=0).fit(X).labels_
    return {"score": float(score), "ranks": float(ranks.sum()), "powers": float(powers.sum()), "labels": len(labels)}
"""
PRIMED = """
from awslambdaric import lambda_runtime_hooks_runner

lambda_runtime_hooks_runner.run_before_snapshot()
lambda_runtime_hooks_runner.run_after_restore()
"""


@click.command()
@click.argument("layer", type=click.Path(path_type=Path, exists=True))
@click.option("--image", required=True, help="Container image of the runtime.")
@click.option("--runs", type=click.IntRange(1), default=5, show_default=True, help="Starts of each in a round.")
@click.option("--output", type=click.Path(path_type=Path), default=HERE / "results", help="Folder for the results.")
def main(layer: Path, image: str, runs: int, output: Path) -> None:
    """Compare first invocations with and without priming."""
    found: dict[str, list[dict[str, Any]]] = {"plain": [], "primed": []}
    with tempfile.TemporaryDirectory(prefix="layerforge-bench-") as name:
        for _ in range(ROUNDS):
            for kind, text in (("plain", FUNCTION), ("primed", FUNCTION + PRIMED)):
                handler = Path(name) / f"{kind}.py"
                handler.write_text(text, "utf-8")
                found[kind].append(measured(layer, handler, image, runs))
    data: dict[str, Any] = {"memory_mb": MEMORY, **{kind: summary(rounds) for kind, rounds in found.items()}}
    output.mkdir(parents=True, exist_ok=True)
    (output / "snapstart.json").write_text(json.dumps(data, indent=1) + "\n", "utf-8")
    for kind in found:
        one = data[kind]
        click.echo(
            f"{kind:<8} init {one['init_ms']:>8,.0f} ms   first {one['first_invoke_ms']:>7,.1f} ms   "
            f"second {one['second_invoke_ms']:>6,.1f} ms   peak {one['peak_memory'] / 10**6:,.0f} MB"
        )


def measured(layer: Path, handler: Path, image: str, runs: int) -> dict[str, Any]:
    """One round of cold starts, as ``layerforge coldstart`` tells it."""
    argv = [sys.executable, "-m", "layerforge", "coldstart", str(layer), "--handler", str(handler), "--image", image]
    argv += ["--memory", str(MEMORY), "--runs", str(runs), "--no-write", "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException(done.stderr)
    [size] = json.loads(done.stdout)["sizes"]
    return dict(size)


def summary(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians over all rounds, with every value."""
    names = ("init_ms", "init_cpu_ms", "first_invoke_ms", "second_invoke_ms", "peak_memory")
    every = {name: [value for one in rounds for value in one[name]["all"]] for name in names}
    return {**{name: statistics.median(values) for name, values in every.items()}, "all": every}


if __name__ == "__main__":
    main()
