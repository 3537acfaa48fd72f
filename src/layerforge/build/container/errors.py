"""What can go wrong with a container engine, as facts that say what to do."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from docker.errors import APIError, DockerException
from urllib3.exceptions import HTTPError

from layerforge.build.errors import EngineError

FAILURES = (DockerException, HTTPError, OSError)
"""What the SDK raises: its own errors, and those of the two libraries below it, which are OSErrors or HTTPErrors."""

EMULATION = (
    "set up emulation with `docker run --privileged --rm tonistiigi/binfmt --install all` (or install qemu-user-static "
    "and binfmt-support), or build on a machine of that kind"
)

SAID: tuple[tuple[str, str, str], ...] = (
    (
        "no space left on device",
        "the container engine's disk is full",
        "free some space, for instance with `docker system prune`, and run the command again",
    ),
    ("exec format error", "this machine cannot run the image's programs", EMULATION),
    (
        "bind source path does not exist",
        "the container engine does not see this machine's folders",
        "it runs on another machine: unset DOCKER_HOST, or set LAYERFORGE_CACHE to a folder that both have",
    ),
    (
        "mounts denied",
        "the container engine may not use this folder",
        "add it to the folders that Docker Desktop shares, or set LAYERFORGE_CACHE to one that is",
    ),
    (
        "no such container",
        "the container was removed while it ran",
        "run the command again; finished steps come from the store",
    ),
    (
        "cannot allocate memory",
        "the machine has no memory left for a container",
        "run fewer steps at a time with --jobs 1",
    ),
)
"""Part of what an engine says, in lower case, then what that means and what to do."""


def host() -> str:
    """Where the engine is looked for."""
    return os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"


def unreachable(error: BaseException) -> EngineError:
    """What it means that no connection could be made."""
    causes = tuple(chain(error))
    for kind, message, hint in (
        (
            PermissionError,
            "this user may not use the container engine",
            "`sudo usermod -aG docker $USER`, then log in again; or set DOCKER_HOST to an engine of your own",
        ),
        (
            FileNotFoundError,
            f"no container engine runs here: there is no {host().removeprefix('unix://')}",
            _installed(),
        ),
        (ConnectionRefusedError, f"no container engine answers at {host()}", _installed()),
        (
            TimeoutError,
            f"the container engine at {host()} does not answer in time",
            "restart it, or set DOCKER_HOST to another",
        ),
        (socket.gaierror, f"DOCKER_HOST={host()} names a machine that is not known", "correct DOCKER_HOST or unset it"),
    ):
        if any(isinstance(cause, kind) for cause in causes):
            return EngineError(message, hint=hint, details=(str(error),))
    return EngineError(
        f"the container engine at {host()} cannot be used: {error}",
        hint="DOCKER_HOST takes unix:///path/to/socket or tcp://machine:port; unset it for the usual place",
    )


def _installed() -> str:
    if shutil.which("dockerd") or shutil.which("docker"):
        return "start it, for instance with `sudo systemctl start docker`; DOCKER_HOST names another place"
    if shutil.which("podman"):
        return "`systemctl --user start podman.socket`, and set DOCKER_HOST=unix://$XDG_RUNTIME_DIR/podman/podman.sock"
    return "install Docker or Podman, or use `--engine host`, which needs neither"


def failure(error: BaseException) -> EngineError:
    """What it means that a call failed which had a connection before."""
    text = str(error.explanation or error) if isinstance(error, APIError) else str(error)
    for part, message, hint in SAID:
        if part in text.lower():
            return EngineError(message, hint=hint, details=(text,))
    if isinstance(error, APIError):
        return EngineError(f"the container engine refused: {text}", hint="its own log says more")
    return EngineError(
        "the container engine stopped answering",
        hint="start it again and repeat the command; finished steps come from the store",
        details=(text,),
    )


@contextmanager
def as_engine_error() -> Iterator[None]:
    """Turns whatever the SDK raises into an ``EngineError``."""
    try:
        yield
    except FAILURES as error:
        raise failure(error) from error


def chain(error: BaseException) -> Iterator[BaseException]:
    """An error and all that led to it, however it was wrapped."""
    pending, seen = [error], set[int]()
    while pending:
        one = pending.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        pending += [cause for cause in (one.__cause__, one.__context__, *one.args) if isinstance(cause, BaseException)]
