"""The connection to a container engine: Docker, or Podman through DOCKER_HOST."""

from __future__ import annotations

import socket

import docker
from docker import DockerClient

from layerforge.build.container.cleanup import remove_leftovers
from layerforge.build.container.errors import FAILURES, host, unreachable
from layerforge.build.errors import EngineError
from layerforge.core.runtimes import version

OLDEST_API = "1.40"
"""Of Docker 19.03, the first with everything that is used here."""

CALL_SECONDS = 300
"""How long one call may take; removing a large image takes long on a slow disk."""

ANSWER_SECONDS = 2
"""How long to wait for a sign of life where nobody has asked for the engine."""


def connect() -> DockerClient:
    """The engine, without what killed processes have left in it.

    Raises ``EngineError`` where none answers, or one that is too old.
    """
    client = _client(CALL_SECONDS)
    remove_leftovers(client)
    return client


def unavailable() -> EngineError | None:
    """Why no engine can be used; ``None`` where one can."""
    try:
        client = _client(ANSWER_SECONDS)
    except EngineError as error:
        return error
    client.close()
    return None


def _client(seconds: int) -> DockerClient:
    try:
        _knock(host(), seconds)
        client = docker.from_env(timeout=seconds)
    except (*FAILURES, ValueError) as error:
        raise unreachable(error) from error
    try:
        refuse_old(client.api.api_version)
    except EngineError:
        client.close()
        raise
    return client


def _knock(address: str, seconds: int) -> None:
    """Raises ``OSError`` where nobody listens at a socket; the SDK would leave its own end open."""
    kind, _, path = address.partition("://")
    if kind == "unix":
        with socket.socket(socket.AF_UNIX) as own:
            own.settimeout(seconds)
            own.connect(path)


def refuse_old(api: str) -> None:
    """Raises ``EngineError`` for an engine whose API has a version below the oldest that will do."""
    if version(api) < version(OLDEST_API):
        raise EngineError(
            f"the container engine is too old: its API is {api}, {OLDEST_API} is needed",
            hint="Docker 19.03 and Podman 3.0 are new enough",
        )
