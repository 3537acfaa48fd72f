"""What ``layerforge lock`` makes wheels with: its engine is the project file's, since it builds no layer itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from layerforge.build import interpreters
from layerforge.build.making_wheels import WheelMaking
from layerforge.cli import engines
from layerforge.core import runtimes
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Arch
from layerforge.core.store import disk
from layerforge.core.store.disk import DiskStore
from layerforge.resolve.project_settings import project_settings


def for_locks(python: str, store: DiskStore, progress: Progress, *, build_here: bool) -> Callable[[], WheelMaking]:
    """What wheels for a lock from a Python on are made with; an engine is looked for once it is called, and once."""

    @cache
    def making() -> WheelMaking:
        target = runtimes.target(python, Arch.X86_64)
        interpreter = interpreters.find(python, own=disk.pythons())
        said = project_settings(Path())
        chosen = engines.choose(said.engine or "auto", said.image, target, interpreter, progress)
        session = chosen.session(store, progress, None)
        return WheelMaking(
            search=session.search,
            store=store,
            target=target,
            logs=session.logs,
            builder=session.builder,
            interpreter=interpreter,
            build_here=build_here,
            everywhere=tuple(runtimes.target(one, arch) for one in runtimes.runtimes() for arch in Arch),
        )

    return making
