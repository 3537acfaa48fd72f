"""Measures the page of ``inspect --html``: how long it takes, how large it is, how smoothly it zooms.

    python benchmarks/page.py ZIP [--files 5000] [--zooms 12] [--chromium PATH]

Twice: the layer itself, and one of that many files in folders of fifty, each as large as the next, which is the most
that a treemap can be asked to draw. Prints JSON; exits 1 where a goal is missed. Seconds and frames are those of the
clock, so a machine that is busy with other things makes them longer; the processor times beside them tell by how much.
"""

from __future__ import annotations

import json
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from playwright.sync_api import Browser, Page, Position, sync_playwright

MOST_SECONDS, MOST_BYTES, LONGEST_FRAME_MS = 3.0, 3_000_000, 100.0
SETTLED_MS = 700
"""Longer than the animation of a zoom."""
FILES_IN_FOLDER = 50

WATCH = """() => {
  window.frames_seen = []; window.tasks_seen = [];
  let last = performance.now();
  const tick = (now) => { window.frames_seen.push(now - last); last = now; requestAnimationFrame(tick); };
  requestAnimationFrame(tick);
  new PerformanceObserver((list) => list.getEntries().forEach((one) => window.tasks_seen.push(one.duration)))
    .observe({ entryTypes: ["longtask"] });
}"""
"""Gathers the time from frame to frame, and the tasks that keep the page from drawing for more than 50 ms."""


@click.command()
@click.argument("layer", type=click.Path(path_type=Path, exists=True))
@click.option("--files", default=5000, show_default=True, help="Of the made-up layer.")
@click.option("--zooms", default=12, show_default=True, help="In and out again, by mouse and by keyboard.")
@click.option("--chromium", default=shutil.which("chromium"), help="The browser.  [default: the one on the PATH]")
def main(layer: Path, files: int, zooms: int, chromium: str | None) -> None:
    """Measure the page of LAYER and that of a made-up one."""
    if not chromium:
        raise click.ClickException("no chromium is found; name one with --chromium")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        layers = {"layer": layer.resolve(), "made_up": made_up(folder / "made-up.zip", files)}
        found = {title: measured(path, folder, chromium, zooms) for title, path in layers.items()}
    print(json.dumps(found, indent=1))
    sys.exit(0 if all(row["reached"] for row in found.values()) else 1)


def made_up(path: Path, files: int) -> Path:
    """A zip of ``files`` files of about 4 kB that do not compress."""
    source = random.Random(0)  # its bytes guard nothing
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(files):
            folder = f"python/package{number // (10 * FILES_IN_FOLDER)}/folder{number // FILES_IN_FOLDER}"
            archive.writestr(f"{folder}/module_{number}.py", source.randbytes(4000 + number % 200))
    return path


def measured(layer: Path, folder: Path, chromium: str, zooms: int) -> dict[str, Any]:
    """Everything about the page of one layer."""
    page = folder / f"{layer.stem}.html"
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "layerforge", "inspect", str(layer), "--html", str(page)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    seconds, used = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        frames = zoomed(browser, page, zooms)
        browser.close()
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    row = {"seconds": round(seconds, 2), "cpu_seconds": round(cpu, 2), "page_bytes": page.stat().st_size, **frames}
    fits = seconds <= MOST_SECONDS and row["page_bytes"] <= MOST_BYTES
    return {**row, "reached": fits and frames["longest_frame_ms"] <= LONGEST_FRAME_MS}


def zoomed(browser: Browser, page: Path, zooms: int) -> dict[str, Any]:
    """Frames while the page zooms in and out, half by mouse and half by keyboard, after one time to warm up."""
    view = browser.new_page(viewport={"width": 1400, "height": 1000})
    view.goto(page.as_uri())
    view.wait_for_selector("html.ready")
    view.wait_for_timeout(2 * SETTLED_MS)
    by_mouse(view)
    view.evaluate(WATCH)
    browser.start_tracing(page=view, categories=["toplevel"])
    for number in range(zooms):
        (by_keyboard if number % 2 else by_mouse)(view)
    frames, tasks = view.evaluate("() => [window.frames_seen, window.tasks_seen]")
    spent = [event["tdur"] for event in json.loads(browser.stop_tracing())["traceEvents"] if is_task(event)]
    frames.sort()
    return {
        "frames": len(frames),
        "median_frame_ms": round(frames[len(frames) // 2], 1),
        "longest_frame_ms": round(frames[-1], 1),
        "long_tasks": len(tasks),
        "longest_task_ms": max(tasks, default=0),
        "longest_task_cpu_ms": round(max(spent, default=0) / 1000, 1),
    }


def is_task(event: Mapping[str, Any]) -> bool:
    """Whether an event of a trace is a task of some thread, with its processor time."""
    return str(event["name"]).endswith("RunTask") and "tdur" in event


def by_mouse(view: Page) -> None:
    """Two steps in by clicks into the chart, two out by the trail above it."""
    for place in (Position(x=150, y=300), Position(x=300, y=200)):
        view.locator("#map .chart").click(position=place)
        view.wait_for_timeout(SETTLED_MS)
    while view.locator("#map .crumbs button").count() > 1:
        view.locator("#map .crumbs button").nth(-2).click()
        view.wait_for_timeout(SETTLED_MS)


def by_keyboard(view: Page) -> None:
    """Two steps in by the arrow, two out by Backspace."""
    view.locator("#map .areas button").first.focus()
    for key in ("ArrowRight", "ArrowRight", "Backspace", "Backspace"):
        view.keyboard.press(key)
        view.wait_for_timeout(SETTLED_MS)


if __name__ == "__main__":
    main()
