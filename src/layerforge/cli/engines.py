"""Chooses where a layer is built and run, and says so."""

from __future__ import annotations

from dataclasses import dataclass, replace

from layerforge.errors import EngineError, UsageError
from layerforge.host import HostEngine
from layerforge.model import Builder, Engine, Interpreter, Progress, Target

CHOICES = ("auto", "docker", "host")


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Where checks run, and what compiles; without a builder everything comes from wheels."""

    engine: Engine
    builder: Builder | None


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
    from layerforge import container

    required = name == "docker" or image is not None
    if not required and (reason := container.available()):
        progress.say(f"engine host: {reason}")
        return host
    try:
        client = container.connect()
        found = container.find_image(client, target, image, progress)
    except EngineError as error:
        if required:
            raise
        progress.say(f"engine host: {error.message}")
        return host
    engine = container.DockerEngine(client=client, image=found)
    if memory is not None:
        engine = replace(engine, memory=memory * 2**20)
    progress.say(f"engine docker: {found.reference}")
    return Chosen(engine=engine, builder=engine)
