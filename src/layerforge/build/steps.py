"""Carries out source steps, each by itself: what it takes comes from the store, and what it made goes there."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext
from pathlib import Path

from layerforge import __version__
from layerforge.build import durations
from layerforge.build.durations import Compiled
from layerforge.build.outcome import promised_files, refuse_native, require_outputs, require_success
from layerforge.build.packed import one_wheel, pack, unpack
from layerforge.build.plan import BUILT, Built, PackageStep, Plan, name_of
from layerforge.build.task import StepContext, task_of, unpacked_source
from layerforge.build.work import LackingError, StepWork, sources_of
from layerforge.core.progress import Progress
from layerforge.core.store.protocol import Made, Store
from layerforge.core.text import megabytes

_VERSIONS = {"layerforge": __version__}

LOG, FAILED_LOG = "log", "failed-log"
"""What the store calls what a step wrote, by the step's key."""

_MOST = 4 * 2**20
"""Bytes of a log that others get: its end."""


def carry_out(
    work: StepWork,
    context: StepContext,
    place: Callable[[], str] = lambda: "1 of 1",
    on_line: Callable[[str], None] = lambda _line: None,
) -> str:
    """Makes the result of a step and keeps it, unless the store has it. Returns a note on it for people.

    ``place`` gives its place among those that take long; ``on_line`` gets each line that it writes, as it comes. Raises
    ``LackingError`` where the store has not what the step takes, ``StepError`` where it fails.
    """
    step, store = work.step, context.search.store
    name, arch = name_of(step), work.target.arch
    folder = context.workspace / f"step-{name.replace(' ', '-')}"
    folder.mkdir()
    with context.search.progress.step(name) as shown:
        kept = _kept(store, step.key)
        if kept is None:
            if isinstance(step, Compiled):
                expected = durations.expected(step, arch, store)
                shown.takes_long(place(), expected.duration.seconds if expected else None)
            with context.clock.running() as spent:
                packed = _logged(work, context, folder, on_line)
                # What comes out of the archive is what later builds get, and nothing of it leads out of its folder.
                unpack(packed, folder / "made", name)
                made = Made(image=work.image, versions=_VERSIONS, seconds=spent().seconds, log=step.key)
                store.put(BUILT, step.key, packed, made)
                if isinstance(step, Compiled):
                    durations.keep(step, arch, spent(), store)
            note = megabytes(len(packed))
        else:
            note = f"from the store, {megabytes(len(kept))}"
        shown.note(note)
    return note


def _logged(work: StepWork, context: StepContext, folder: Path, on_line: Callable[[str], None]) -> bytes:
    """The packed result of a step; where others read from the store, they find there what it wrote, however it ends."""
    kind = FAILED_LOG
    try:
        packed = _made(work, context, folder, on_line)
        kind = LOG
    finally:
        log = log_of(work, context.logs)
        if context.search.store.shared and log.is_file():
            context.search.store.put(kind, work.key, log.read_bytes()[-_MOST:])
    return packed


def log_of(work: StepWork, logs: Path) -> Path:
    """The file below ``logs`` that gets what a step writes."""
    return logs / f"{name_of(work.step).replace(' ', '-')}-{work.key[:12]}.log"


def _kept(store: Store, key: str) -> bytes | None:
    """A result that the store has; ``None`` where it has none, or something that is none."""
    kept = store.get(BUILT, key)
    return kept if kept is not None and tarfile.is_tarfile(io.BytesIO(kept)) else None


def _made(work: StepWork, context: StepContext, folder: Path, on_line: Callable[[str], None]) -> bytes:
    """The packed result of a step that is carried out."""
    name, out = name_of(work.step), folder / "out"
    for made in (out, folder / "inputs"):
        made.mkdir()
    keys = {one.name: one.key for one in work.inputs}
    found = _found(keys, context.search.store, name)
    for need, data in found.items():
        unpack(data, folder / "inputs" / need, need)
    unpacked = unpacked_source(context, work, folder)
    task = task_of(work, context, folder, unpacked, log_of(work, context.logs))
    outcome = context.builder.perform(task, on_line)
    require_success(outcome, task, out, promised_files(work.step))
    refuse_native(task)
    return pack(out, name)


def _found(keys: Mapping[str, str], store: Store, needed_by: str) -> dict[str, bytes]:
    """Results of steps by name. Raises ``LackingError`` where the store has not all of them."""
    found = {name: data for name, key in keys.items() if (data := _kept(store, key)) is not None}
    if lacking := [name for name in keys if name not in found]:
        raise _lacking({name: keys[name] for name in lacking}, needed_by)
    return found


def _lacking(keys: Mapping[str, str], needed_by: str) -> LackingError:
    return LackingError(
        f"the store has not what {needed_by} is made of: {', '.join(keys)}",
        hint="run the same again: what is not there is made anew",
        details=tuple(f"{name}: {BUILT} {key}" for name, key in keys.items()),
        keys=tuple(keys.values()),
    )


def collected(plan: Plan, store: Store, workspace: Path, progress: Progress, made: Collection[str] = ()) -> Built:
    """What the source steps of a plan gave, unpacked below ``workspace``.

    Those of the keys ``made`` have been shown already; of the others a line says that the store had them. Raises
    ``LackingError`` where the store has not all of it, ``StepError`` where something is not what its recipe says.
    """
    steps = sources_of(plan)
    if not steps:
        return Built()
    (workspace / "built").mkdir()
    folders: dict[str, Path] = {}
    lacking: dict[str, str] = {}
    for name, step in steps.items():
        if (data := _kept(store, step.key)) is None:
            lacking[name] = step.key
            continue
        with nullcontext() if step.key in made else progress.step(name) as shown:
            folders[name] = workspace / "built" / name
            unpack(data, folders[name], name)
            # What a recipe ships is no part of the key: it may have been named after this was made.
            require_outputs(name, folders[name], promised_files(step), "does `ship` name what the script installs?")
            if shown:
                shown.note(f"from the store, {megabytes(len(data))}")
    if lacking:
        raise _lacking(lacking, f"the layer {plan.spec.name}")
    wheels = {name: one_wheel(folders[name], name) for name, step in steps.items() if isinstance(step, PackageStep)}
    return Built(wheels=wheels, shipped={name: path for name, path in folders.items() if name not in wheels})
