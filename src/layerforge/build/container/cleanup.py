"""Whose a container is: each says which process of which machine it belongs to, so that no orphan stays behind."""

from __future__ import annotations

import os
import platform
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from docker import DockerClient
from docker.errors import APIError
from docker.models.containers import Container

from layerforge.build.container.errors import FAILURES, as_engine_error

LABEL = "layerforge"


@contextmanager
def container(client: DockerClient, settings: Mapping[str, Any], job_key: str = "") -> Iterator[Container]:
    """A container that is made but not started, and is gone afterwards whatever happens. ``job_key`` is whose."""
    # The name is known before the engine is asked, so that a signal in between leaves nothing behind.
    name = f"{LABEL}-{os.getpid()}-{secrets.token_hex(6)}"
    try:
        with as_engine_error():
            created = client.containers.create(name=name, labels=labels(job_key), **settings)
        yield created
    finally:
        # Where the engine is lost, the next start removes it.
        with suppress(*FAILURES):
            client.api.remove_container(name, force=True, v=True)


def labels(job_key: str = "") -> dict[str, str]:
    """What says that a container is this process's, and which of its jobs it belongs to, where it does jobs."""
    own = {LABEL: "1", f"{LABEL}.host": platform.node(), f"{LABEL}.boot": boot(), f"{LABEL}.pid": str(os.getpid())}
    return own | ({f"{LABEL}.job": job_key} if job_key else {})


@cache
def boot() -> str:
    """What changes when the machine starts again; empty where the system does not tell."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    return ""


def remove_leftovers(client: DockerClient) -> None:
    """Removes the containers of this machine whose process is dead. Raises ``EngineError``."""
    _remove(client, lambda found: is_dead(found.labels))


def stop_all(client: DockerClient, job_key: str = "") -> None:
    """Removes every container of this process, or of one of its jobs, so that threads that wait for them go on."""
    _remove(client, lambda found: found.labels.items() >= labels(job_key).items())


def _remove(client: DockerClient, chosen: Callable[[Container], bool]) -> None:
    with as_engine_error():
        for found in client.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True):
            if chosen(found):
                _remove_one(found)


def _remove_one(found: Container) -> None:
    try:
        found.remove(force=True, v=True)
    except APIError as error:
        # Gone already, or going: another thread or process does the same.
        if error.status_code not in {404, 409}:
            raise


def is_dead(owner: Mapping[str, str]) -> bool:
    """Whether the process that the labels name was one of this machine and is no more.

    A process of another machine, or of a container that uses the same engine, is never taken for dead.
    """
    if owner.get(f"{LABEL}.host") != platform.node():
        return False
    if owner.get(f"{LABEL}.boot") != boot():
        return True
    pid = owner.get(f"{LABEL}.pid", "")
    return not pid.isdigit() or not _alive(int(pid))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
