"""Whose a store is: what lies in it goes into layers, so nobody else may write there."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path

from layerforge.core.errors import StoreError


def make_private(folder: Path) -> None:
    """Makes a folder for this user alone, in the place of whatever is there and is none."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        if not stat.S_ISDIR(folder.lstat().st_mode):
            folder.unlink()
            folder.mkdir(mode=0o700)


def refuse_shared(folder: Path, *, ours: bool) -> None:
    """Raises ``StoreError`` for a folder in which somebody else may put values, which would go into layers.

    ``ours`` is the folder that layerforge makes itself; the one around it may be a common one, such as ``/tmp``.
    """
    try:
        facts = folder.lstat() if ours else folder.stat()
    except OSError:
        return
    if facts.st_uid not in {os.geteuid(), 0}:
        raise StoreError(
            f"the store {folder} belongs to another user (number {facts.st_uid}), who could put anything into layers",
            hint="set LAYERFORGE_CACHE to a folder of your own",
        )
    others = facts.st_mode & stat.S_IWOTH or (facts.st_mode & stat.S_IWGRP and not _alone(facts.st_gid))
    if others and not (facts.st_mode & stat.S_ISVTX and not ours):
        raise StoreError(
            f"others may write to the store {folder}, and so put anything into layers",
            hint=f"`chmod go-w '{folder}'` if you know that nobody did, or set LAYERFORGE_CACHE to a new folder",
        )


def _alone(group: int) -> bool:
    """Whether a group is the user's private one, as many systems give everybody."""
    try:
        user, found = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except KeyError:
        return False
    return user.pw_gid == group and not set(found.gr_mem) - {user.pw_name} and found.gr_name == user.pw_name
