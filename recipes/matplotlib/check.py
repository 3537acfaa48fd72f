"""What a function expects of Matplotlib: plots become PNG, SVG and PDF without a screen and without a home folder."""

import datetime
import importlib.metadata
import io
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import dates, font_manager, pyplot
from matplotlib.figure import Figure
from PIL import Image

STARTS = {"png": b"\x89PNG", "jpg": b"\xff\xd8", "webp": b"RIFF", "svg": b"<?xml", "pdf": b"%PDF-"}
FAMILIES = ("DejaVu Sans", "DejaVu Serif", "DejaVu Sans Mono", "STIXGeneral", "cmr10")


def main() -> None:
    assert mpl.__version__ == importlib.metadata.version("matplotlib")
    assert pyplot.get_backend().lower() == "agg"
    fonts()
    formats()
    other_charts()


def fonts() -> None:
    # Written at the first import, into a temporary folder where the home folder is read-only or missing.
    assert list(Path(mpl.get_cachedir()).glob("fontlist-*.json")), "no font cache was written"
    for family in FAMILIES:
        file = font_manager.findfont(family, fallback_to_default=False)
        assert Path(file).is_relative_to(mpl.get_data_path()), family


def formats() -> None:
    figure = draw()
    for name, start in STARTS.items():
        data = render(figure, name)
        assert data.startswith(start), name
        assert len(data) > 5_000, name
    with Image.open(io.BytesIO(render(figure, "png"))) as picture:
        assert picture.size == (640, 480)
        # The curve of the first chart is pure red where it is not smoothed.
        assert (255, 0, 0) in {colour for _, colour in picture.convert("RGB").getcolors(picture.width * picture.height)}
    pyplot.close(figure)


def draw() -> Figure:
    figure, axes = pyplot.subplots(2, 2, figsize=(6.4, 4.8), dpi=100, layout="constrained")
    x = np.linspace(0.0, 6.0, 200)
    axes[0, 0].plot(x, np.sin(x), "r-", linewidth=3, label=r"$\sin(x^2_i) \geq \frac{1}{2}$")
    axes[0, 0].legend()
    axes[0, 1].contourf(np.outer(np.sin(x), np.cos(x)), cmap="viridis")
    axes[1, 0].hist(np.random.default_rng(0).normal(size=1000), bins=30)
    axes[1, 1].tripcolor([0, 1, 0, 1], [0, 0, 1, 1], [0.0, 1.0, 2.0, 3.0])
    figure.suptitle("Größe über Zeit")
    return figure


def render(figure: Figure, name: str) -> bytes:
    data = io.BytesIO()
    figure.savefig(data, format=name)
    return data.getvalue()


def other_charts() -> None:
    figure = pyplot.figure()
    x, y = np.meshgrid(np.linspace(-1, 1, 10), np.linspace(-1, 1, 10))
    figure.add_subplot(221, projection="3d").plot_surface(x, y, x**2 - y**2)
    figure.add_subplot(222, projection="polar").bar([0.0, 1.0, 2.0], [1, 2, 3])
    axes = figure.add_subplot(223)
    axes.plot([datetime.datetime(2024, 1, day, tzinfo=datetime.UTC) for day in (1, 2, 3)], [1, 3, 2])
    axes.xaxis.set_major_locator(dates.DayLocator())
    axes.xaxis.set_major_formatter(dates.DateFormatter("%d.%m."))
    figure.canvas.draw()
    assert [label.get_text() for label in axes.get_xticklabels()] == ["01.01.", "02.01.", "03.01."]
    pyplot.close(figure)


main()
