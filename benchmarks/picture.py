"""The measurements as a picture: bars with their values, today's way in grey."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from compare import LABELS, TODAY, Bar, Panel, figure, times

PAPER, INK, FAINT = "#ffffff", "#1f2933", "#6b7785"
GREY, ORANGE, LIMIT = "#b8c0c8", "#e8862e", "#c0392b"
BEHIND = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.5}
"""Paper under a value, so that the line of a limit does not run through it."""
COLUMNS = 2
ROOM = 1.42
"""How far an axis goes beyond its longest bar, to make room for the label."""


def draw(title: str, subtitle: str, panels: Iterable[Panel], stem: Path) -> None:
    """Writes ``stem.svg`` and ``stem.png``."""
    # With a fixed salt and without a date the same numbers give the same file.
    with mpl.rc_context({"font.size": 10, "svg.hashsalt": "layerforge", "svg.fonttype": "path"}):
        made = _figure(title, subtitle, tuple(panels))
        made.savefig(stem.with_suffix(".svg"), metadata={"Date": None, "Creator": None})
        made.savefig(stem.with_suffix(".png"), dpi=160, metadata={"Software": None})


def _figure(title: str, subtitle: str, panels: tuple[Panel, ...]) -> Figure:
    rows = -(-len(panels) // COLUMNS)
    room = ConstrainedLayoutEngine(rect=(0.01, 0.01, 0.98, 0.84), hspace=0.12, wspace=0.06)
    made = Figure(figsize=(11, 1.1 + 1.75 * rows), facecolor=PAPER, layout=room)
    made.text(0.015, 0.945, title, fontsize=15, fontweight="bold", color=INK, va="center")
    made.text(0.015, 0.885, subtitle, fontsize=9.5, color=FAINT, va="center")
    for axes, panel in zip(made.subplots(rows, COLUMNS, squeeze=False).flat, panels, strict=False):
        _panel(axes, panel)
    return made


def _panel(axes: Axes, panel: Panel) -> None:
    axes.set_title(panel.title, loc="left", fontsize=11, fontweight="bold", color=INK)
    longest = max(bar.spread.high for bar in panel.bars)
    places = range(len(panel.bars))
    axes.barh(
        places, [bar.spread.median for bar in panel.bars], color=[_colour(bar) for bar in panel.bars], height=0.68
    )
    for place, bar in zip(places, panel.bars, strict=True):
        axes.text(
            bar.spread.median + longest * 0.02, place, _text(bar, panel), va="center", color=INK, zorder=3, bbox=BEHIND
        )
    if panel.limit is not None and panel.limit < longest * ROOM:
        axes.axvline(panel.limit, color=LIMIT, linewidth=1.2, linestyle=(0, (4, 3)))
        axes.text(
            panel.limit,
            len(panel.bars) - 0.42,
            f"{panel.limit_label} {figure(panel.limit, panel.unit)}",
            color=LIMIT,
            fontsize=8,
            ha="center",
            va="top",
        )
    axes.set_xlim(0, longest * ROOM)
    axes.set_yticks(places, [bar.label.replace(", ", "\n", 1) for bar in panel.bars], color=INK)
    axes.invert_yaxis()
    _bare(axes)


def _bare(axes: Axes) -> None:
    """No frame and no scale: the labels carry the values."""
    axes.set_facecolor(PAPER)
    axes.tick_params(left=False, bottom=False, labelbottom=False)
    for side in axes.spines.values():
        side.set_visible(False)


def _colour(bar: Bar) -> str:
    return GREY if bar.label == LABELS[TODAY] else ORANGE


def _text(bar: Bar, panel: Panel) -> str:
    value = figure(bar.spread.median, panel.unit)
    return value if bar.label == LABELS[TODAY] else f"{value}  ({times(bar.ratio)})"
