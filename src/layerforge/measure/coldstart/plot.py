"""A measurement as a picture. The only module that needs matplotlib, which layerforge[plot] brings."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

PAPER, INK, FAINT = "#ffffff", "#1f2933", "#6b7785"
COLOURS = ("#e8862e", "#b8c0c8")
"""Of the layer, and of the one that it is compared with."""

WIDTH = 0.8
"""Of all bars at one size, where sizes are 1 apart."""

LONGEST = 80
"""Characters of a zip's name that there is room for."""

STYLE: dict[Any, Any] = {
    "font.size": 10,
    "text.color": INK,
    "svg.fonttype": "path",
    # With a fixed salt and without a date the same figures give the same file.
    "svg.hashsalt": "layerforge",
    # Names are no formulas, whatever dollars are in them.
    "text.parse_math": False,
}


def draw(data: Mapping[str, Any], kind: str) -> bytes:
    """A picture, ``png`` or ``svg``, of the init phase at each size: a bar a layer, with its spread.

    ``data`` is what ``as_data`` gives.
    """
    file = io.BytesIO()
    layers = [data, data["against"]] if "against" in data else [data]
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")
        figure = Figure(figsize=(9, 4.6), facecolor=PAPER, layout="constrained")
        axes = figure.subplots()
        for number, layer in enumerate(layers):
            _bars(axes, layer, number, len(layers))
        _label(axes, data)
        # Of the labels of bars, matplotlib leaves out those that begin with an underscore.
        patches = [Patch(color=colour) for colour in COLOURS[: len(layers)]]
        figure.legend(patches, _names(layers), loc="outside lower center", frameon=False)
        metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
        figure.savefig(file, format=kind, dpi=160, metadata=metadata)
    return file.getvalue()


def _names(layers: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the legend says of each layer."""
    names = [layer["zip"] for layer in layers]
    alike = len(set(names)) < len(names)
    shown = [name if len(name) <= LONGEST else f"{name[: LONGEST // 2]}…{name[-LONGEST // 2 :]}" for name in names]
    return [f"{name} (the other)" if alike and number else name for number, name in enumerate(shown)]


def _bars(axes: Axes, layer: Mapping[str, Any], number: int, layers: int) -> None:
    width = WIDTH / layers
    sizes = layer["sizes"]
    places = [at + (number - (layers - 1) / 2) * width for at in range(len(sizes))]
    known = [(place, size["init_ms"]) for place, size in zip(places, sizes, strict=True) if size["init_ms"]]
    medians = [init["median"] for _, init in known]
    spread = [
        [init["median"] - init["min"] for _, init in known],
        [init["max"] - init["median"] for _, init in known],
    ]
    axes.bar([place for place, _ in known], medians, width * 0.94, color=COLOURS[number])
    axes.errorbar([place for place, _ in known], medians, spread, fmt="none", ecolor=FAINT, capsize=3, linewidth=1)
    for place, init in known:
        axes.annotate(
            f"{init['median']:,.0f}", (place, init["max"]), (0, 3), textcoords="offset points", ha="center", va="bottom"
        )
    for place, size in zip(places, sizes, strict=True):
        if size["trouble"]:
            axes.annotate(size["trouble"], (place, 0), (0, 3), textcoords="offset points", ha="center", rotation=90)


def _label(axes: Axes, data: Mapping[str, Any]) -> None:
    sizes = [f"{size['memory_mb']:,} MB\n{size['processors']:.2f} vCPU" for size in data["sizes"]]
    axes.set_xticks(range(len(sizes)), sizes, color=INK)
    axes.set_xlim(-0.6, len(sizes) - 0.4)
    axes.set_ylabel("ms")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    runs = f"{data['runs']} runs" if data["runs"] > 1 else "one run"
    axes.set_title(f"Init phase at a cold start, median and range of {runs}", loc="left", fontweight="bold")
    axes.margins(y=0.12)
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", color="#e4e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(left=False)
