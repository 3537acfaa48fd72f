"""Carries out the source steps of a plan: each in a container of its own, its result kept by the step's key."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from graphlib import TopologicalSorter
from pathlib import Path

from layerforge.build import durations
from layerforge.build.durations import Compiled
from layerforge.build.errors import EngineError
from layerforge.build.outcome import promised_files, refuse_native, require_outputs, require_success
from layerforge.build.packed import one_wheel, pack, unpack
from layerforge.build.plan import Built, PackageStep, SourceStep, name_of, needs_of
from layerforge.build.task import StepContext, fetched_source, task_of, unpacked_source
from layerforge.core import process
from layerforge.core.text import megabytes
from layerforge.resolve.recipe import Source

_PATIENCE = 0.5
"""Seconds between two attempts to end what still runs."""


def build(context: StepContext, jobs: int) -> Built:
    """Carries out every source step, ``jobs`` of them at a time. Raises ``StepError`` where one fails."""
    steps = {name_of(step): step for step in context.plan.steps if isinstance(step, SourceStep)}
    done = _in_order(context, steps, jobs)
    wheels = {name: one_wheel(done[name], name) for name, step in steps.items() if isinstance(step, PackageStep)}
    shipped = {name: done[name] for name, step in steps.items() if not isinstance(step, PackageStep)}
    return Built(wheels=wheels, shipped=shipped)


def _in_order(context: StepContext, steps: Mapping[str, SourceStep], jobs: int) -> dict[str, Path]:
    """Result of each step by name. Where one fails or the user interrupts, those that still run are ended."""
    done: dict[str, Path] = {}
    # Before any thread starts: only this one can be interrupted while it waits for a server.
    archives = {
        name: fetched_source(context, step)
        for name, step in steps.items()
        if not context.search.store.get("built", step.key)
    }
    compiled = [name for name in archives if isinstance(steps[name], Compiled)]
    begun: list[str] = []
    graph = TopologicalSorter({name: needs_of(step) for name, step in steps.items()})
    graph.prepare()
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        running: dict[Future[Path], str] = {}
        try:
            while graph.is_active():
                for name in graph.get_ready():
                    begun += [name] if name in compiled else []
                    place = f"{len(begun)} of {len(compiled)}"
                    task = pool.submit(_run_step, context, steps[name], archives.get(name), dict(done), place)
                    running[task] = name
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    name = running.pop(future)
                    done[name] = future.result()
                    graph.done(name)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            # Again and again, since a thread may have been just about to start its container.
            while not all(future.done() for future in running):
                with suppress(EngineError):
                    context.builder.stop()
                process.stop_all()
                wait(running, timeout=_PATIENCE)
            raise
    return done


def _run_step(
    context: StepContext, step: SourceStep, source: Source | None, done: Mapping[str, Path], place: str
) -> Path:
    """Folder with the result of a step, from the store or made from ``source`` as the step of that ``place``."""
    name = name_of(step)
    folder = context.workspace / f"step-{name.replace(' ', '-')}"
    folder.mkdir()
    with context.search.progress.step(name) as shown:
        kept = context.search.store.get("built", step.key)
        if kept is not None and tarfile.is_tarfile(io.BytesIO(kept)):
            out = folder / "out"
            unpack(kept, out, name)
            # What a recipe ships is no part of the key: it may have been named after this was made.
            require_outputs(name, out, promised_files(step), "does `ship` name what the script installs?")
            shown.note(f"from the store, {megabytes(len(kept))}")
            return out
        if isinstance(step, Compiled):
            expected = durations.expected(step, context.plan.target.arch, context.search.store)
            shown.takes_long(place, expected.duration.seconds if expected else None)
        with context.clock.running() as spent:
            packed = _made(context, step, source, folder, done)
            # What comes out of the archive is what later builds get, and nothing of it leads out of its folder.
            unpack(packed, built := folder / "made", name)
            context.search.store.put("built", step.key, packed)
            if isinstance(step, Compiled):
                durations.keep(step, context.plan.target.arch, spent(), context.search.store)
        shown.note(megabytes(len(packed)))
    return built


def _made(
    context: StepContext, step: SourceStep, source: Source | None, folder: Path, done: Mapping[str, Path]
) -> bytes:
    """The packed result of a step that is carried out."""
    name, out = name_of(step), folder / "out"
    out.mkdir()
    log = context.logs / f"{name.replace(' ', '-')}-{step.key[:12]}.log"
    # What lay in the store a moment ago may have been cleared.
    source = source or fetched_source(context, step)
    unpacked = unpacked_source(context, source, name, folder) if source else folder
    task = task_of(context, step, folder, unpacked, log, done)
    outcome = context.builder.perform(task, lambda _line: None)
    require_success(outcome, task, out, promised_files(step))
    refuse_native(task)
    return pack(out, name)
