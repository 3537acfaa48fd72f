"""The packages that Lambda's own Python has, for runs on a machine that has none of them."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from layerforge.build.engine import Engine
from layerforge.core import digest
from layerforge.core.errors import LayerforgeError
from layerforge.core.faults import writing
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Target
from layerforge.core.store.disk import DiskStore
from layerforge.resolve import excluding, left_out, lock, uv, uv_install
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.lock import Pin
from layerforge.resolve.uv import Asked

PLACE = "runtime-packages"
"""Of the store: a folder for each target and month, since AWS brings its packages up to date now and then."""


class Provided(NamedTuple):
    """What a layer is run beside."""

    folder: Path | None = None
    """Where the runtime's own packages lie; ``None`` where they are not needed, or cannot be had."""
    lacking: str = ""
    """Why they cannot be had."""


ALONE = Provided()
"""Beside nothing."""


def provided(spec: LayerSpec | None, target: Target, engine: Engine, store: DiskStore, progress: Progress) -> Provided:
    """The runtime's own packages, for a layer that counts on them and an engine that has none. Every other layer has to
    prove itself without them.
    """
    if spec is None or not left_out.by_runtime(spec.left_out) or engine.has_runtime_packages or engine.refusal(target):
        return ALONE
    try:
        return Provided(folder=folder_for(target, store, progress))
    except LayerforgeError as error:
        return Provided(lacking=f"it counts on packages of Lambda's own Python, which cannot be had: {error.message}")


def folder_for(target: Target, store: DiskStore, progress: Progress, *, month: str = "") -> Path:
    """The folder with the newest of the runtime's packages that a target takes, installed once a month.

    Where they cannot be had anew, those of an earlier month will do. Raises ``LayerforgeError`` where there are none.
    """
    month = month or datetime.datetime.now(datetime.UTC).strftime("%Y-%m")
    place = store.place(PLACE)
    key = digest.of_json(sorted(excluding.distributions(target.runtime)))[:12]
    folder = place / f"{target.label}-{key}-{month}"
    if not folder.is_dir():
        try:
            _install(target, folder, store, progress)
        except LayerforgeError as error:
            earlier = sorted(place.glob(f"{target.label}-{key}-????-??"))
            if not earlier:
                raise
            progress.warn(f"the runtime's packages are those of {earlier[-1].name[-7:]}: {error.message}")
            return earlier[-1]
    return folder


def _install(target: Target, folder: Path, store: DiskStore, progress: Progress) -> None:
    with progress.step("runtime") as step, store.workspace() as workspace, writing(folder.parent):
        names = sorted(excluding.distributions(target.runtime))
        text = uv.compile_lock(Asked(source="\n".join(names)), target)
        uv_install.install(text, target, workspace / "runtime", lambda _line: None)
        # The program runs as another user.
        (workspace / "runtime").chmod(0o755)
        with suppress(OSError):  # another process was first
            (workspace / "runtime").rename(folder)
        step.note(f"{_told(lock.parse(text, 'the runtime').pins)}, as Lambda's Python has them, to run the layer with")


def _told(pins: Iterable[Pin]) -> str:
    return ", ".join(f"{pin.name} {pin.version}" for pin in pins)
