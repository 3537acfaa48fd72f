"""Chooses where a layer is built and run, and says so."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from layerforge.build.durations import SharedClock
from layerforge.build.engine import Builder, Engine
from layerforge.build.errors import EngineError
from layerforge.build.host import HostEngine
from layerforge.build.interpreters import Interpreter
from layerforge.build.session import Session
from layerforge.core import digest, guarded
from layerforge.core.errors import UsageError
from layerforge.core.limits import MIB
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Target
from layerforge.core.store import disk
from layerforge.core.store.disk import DiskStore
from layerforge.core.store.protocol import Store
from layerforge.core.text import counted

REMEMBERED = 10 * 60
"""Seconds for which an image that could not be had is not asked for again, unless it is named or required."""

CHOICES = ("auto", "docker", "host")


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Where checks run, and what compiles; without a builder everything comes from wheels."""

    engine: Engine
    builder: Builder | None
    lacking: str = ""
    """Why nothing can be compiled; empty where it can, or where the host was asked for."""
    hint: str = ""
    """What to do about that."""

    def session(
        self, store: DiskStore, progress: Progress, sources: Path | None, clock: SharedClock | None = None
    ) -> Session:
        """What a run works with there. ``sources`` is the user's folder of archives that need no download; ``clock``
        measures all that runs at the same time.
        """
        return Session(
            store=store,
            progress=progress,
            engine=self.engine,
            builder=self.builder,
            folders=(sources,) if sources else (),
            clock=clock or SharedClock(),
        )


@dataclass(frozen=True, kw_only=True)
class ImageFailure:
    """That an image could not be had, as the store keeps it."""

    at: float
    """Seconds since 1970."""
    message: str
    hint: str


def choose(
    name: str,
    image: str | None,
    target: Target,
    interpreter: Interpreter | None,
    progress: Progress,
    memory: int | None = None,
) -> Chosen:
    """The engine that ``name`` asks for. ``auto`` takes the container engine where it answers, else the host.

    ``memory`` is the function's, in MB, where layers are run in containers.

    Raises ``EngineError`` where the container engine is asked for and cannot be used.
    """
    host = Chosen(engine=HostEngine(interpreter=interpreter), builder=None)
    if name == "host":
        if image:
            raise UsageError("--image goes with the container engine", hint="leave out `--engine host`")
        return host
    # The SDK takes longer to import than a whole build that comes from the store.
    from layerforge.build.container.connect import connect, unavailable
    from layerforge.build.container.docker_engine import DockerEngine
    from layerforge.build.container.images import find_image

    required = name == "docker" or image is not None
    if not required and (reason := unavailable()):
        return _without(host, reason.message, reason.hint, progress)
    memories = disk.DiskStore(root=disk.default_root(), progress=progress)
    if not required and (known := failed_before(memories, target)):
        minutes = int((time.time() - known.at) // 60)
        when = f"{counted(minutes, 'minute')} ago" if minutes else "just now"
        return _without(host, f"{known.message} ({when}; --engine docker tries again)", known.hint, progress)
    try:
        client = connect()
        found = find_image(client, target, image, progress)
    except EngineError as error:
        if required:
            raise
        remember(memories, target, ImageFailure(at=time.time(), message=error.message, hint=error.hint))
        return _without(host, error.message, error.hint, progress)
    engine = DockerEngine(client=client, image=found)
    if memory is not None:
        engine = replace(engine, memory=memory * MIB)
    progress.say(f"engine docker: {found.reference}")
    return Chosen(engine=engine, builder=engine)


def _without(host: Chosen, reason: str, hint: str, progress: Progress) -> Chosen:
    reason = " ".join(reason.split())
    progress.aside(f"engine host: {reason}")
    return replace(host, lacking=reason, hint=hint)


def refuse_compiling(from_source: tuple[str, ...], where: Chosen, *, always: bool) -> None:
    """Raises ``EngineError`` where compiling is asked for and nothing can."""
    if from_source or always:
        raise EngineError(
            f"compiling {', '.join(from_source) or 'what recipes say'} takes a container engine and its image",
            hint=compiling(where),
            details=(where.lacking,) if where.lacking else (),
        )


def compiling(where: Chosen) -> str:
    """What to do where compiling is asked for and nothing here can compile."""
    if not where.lacking:
        way = "leave `--engine host` out"
    elif where.hint and "--engine" not in where.hint:
        way = where.hint
    else:  # the other way out, the host, is none here
        way = "it takes Docker or Podman, with Lambda's image or one that --image names; `layerforge doctor` says more"
    return f"{way}; or leave --from-source, --compile and a file's --no-binary out"


def _place(target: Target) -> str:
    return digest.of_json([target.label, os.environ.get("DOCKER_HOST", "")])


def remember(kept: Store, target: Target, failure: ImageFailure) -> None:
    """Keeps that the image of a target could not be had."""
    kept.put("no-image", _place(target), json.dumps(asdict(failure)).encode())


def failed_before(kept: Store, target: Target) -> ImageFailure | None:
    """Why the image of a target could not be had a short while ago; ``None`` where that is not so."""
    found = kept.get("no-image", _place(target))
    if found is None:
        return None
    try:
        failure = guarded.json_as(found, ImageFailure)
    except guarded.Unreadable:
        return None
    return failure if 0 <= time.time() - failure.at < REMEMBERED else None
