"""The picture of the simulation: how much quicker more workers are, beside what could be at most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from picture import FAINT, GREY, INK, ORANGE, PAPER


def draw(runs: Sequence[Mapping[str, Any]], file: Path) -> None:
    """Writes the picture. ``runs`` as the results have them."""
    with mpl.rc_context({"font.size": 10, "svg.hashsalt": "layerforge", "svg.fonttype": "path"}):
        made = _figure(sorted(runs, key=lambda run: run["workers"]))
        made.savefig(file, metadata={"Date": None, "Creator": None})


def _figure(runs: Sequence[Mapping[str, Any]]) -> Figure:
    made = Figure(figsize=(8, 3.4), facecolor=PAPER, layout="constrained")
    axes = made.subplots()
    work = runs[0]["ideal"] * runs[0]["workers"]
    places = range(len(runs))
    ideal, real = ([work / run[name] for run in runs] for name in ("ideal", "wall"))
    axes.barh([place - 0.2 for place in places], ideal, height=0.36, color=GREY, label="at most")
    axes.barh([place + 0.2 for place in places], real, height=0.36, color=ORANGE, label="measured")
    for place, run, most, got in zip(places, runs, ideal, real, strict=True):
        axes.text(most, place - 0.2, f" {most:.1f}", va="center", color=FAINT)
        text = f" {got:.1f} × in {run['wall']:.0f} s, {100 * got / most:.0f} %"
        axes.text(got, place + 0.2, text, va="center", color=INK)
    axes.set_yticks(places, [f"{run['workers']} worker{'s' if run['workers'] > 1 else ''}" for run in runs], color=INK)
    axes.set_xlim(0, max(ideal) * 1.35)
    axes.invert_yaxis()
    title = f"{runs[0]['layers']:,} layers, {runs[0]['jobs'] - runs[0]['layers']:,} compiled steps, each once: speed-up"
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color=INK)
    axes.legend(frameon=False, loc="upper right")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(left=False)
    return made
