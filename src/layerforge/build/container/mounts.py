"""Folders of this machine in a container, and whose files they are while a step writes into them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from docker import DockerClient
from docker.types import Mount as Bind

from layerforge.build.container.errors import as_engine_error
from layerforge.build.engine import Mount

BUILDER = (1000, 1000)
"""User and group of a step where the caller is root: a step never is."""


def binds(mounts: Iterable[Mount]) -> list[Bind]:
    """The SDK's words for mounts."""
    return [
        Bind(target=mount.target, source=str(mount.source.resolve()), type="bind", read_only=not mount.writable)
        for mount in mounts
    ]


@cache
def is_rootless(client: DockerClient) -> bool:
    """Whether the engine runs as a plain user, who is root in its containers and nowhere else."""
    with as_engine_error():
        return any("rootless" in option for option in client.info().get("SecurityOptions") or [])


def container_user(rootless: bool) -> tuple[int, int]:  # noqa: FBT001
    """The user and group that a step runs as."""
    if rootless:
        return 0, 0
    return (os.getuid(), os.getgid()) if os.getuid() else BUILDER


@contextmanager
def owned_by_container_user(folders: Sequence[Path], rootless: bool) -> Iterator[None]:  # noqa: FBT001
    """Gives folders to the user of the container, and takes them back with all that is in them, readable."""
    uid, gid = container_user(rootless)
    own = os.getuid(), os.getgid()
    if not rootless and own[0] == 0:
        _hand_over(folders, uid, gid)
    try:
        yield
    finally:
        _hand_over(folders, *own)


def _hand_over(folders: Iterable[Path], uid: int, gid: int) -> None:
    for folder in folders:
        _give(folder, uid, gid)
        for root, below, files in os.walk(folder):
            # Folders first: one without rights could not be walked into.
            for name in (*below, *files):
                _give(Path(root, name), uid, gid)


def _give(path: Path, uid: int, gid: int) -> None:
    facts = path.lstat()
    if (facts.st_uid, facts.st_gid) != (uid, gid) and os.getuid() == 0:
        os.lchown(path, uid, gid)
    needed = stat.S_IRWXU if stat.S_ISDIR(facts.st_mode) else stat.S_IRUSR | stat.S_IWUSR
    if not stat.S_ISLNK(facts.st_mode) and facts.st_mode & needed != needed:
        path.chmod(stat.S_IMODE(facts.st_mode) | needed)
