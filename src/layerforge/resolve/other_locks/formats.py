"""The locks of other tools by the names of their files: what each is, what lies beside it, and what reads it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from layerforge.resolve.other_locks import pipfile_lock, poetry_lock, pylock, uv_lock
from layerforge.resolve.other_locks.other_lock import OtherLock
from layerforge.resolve.project_file import PROJECT
from layerforge.resolve.wanted import Wanted


@dataclass(frozen=True, kw_only=True)
class Format:
    """One kind of lock."""

    name: re.Pattern[str]
    """Of its files."""
    project: str
    """Name of the file beside it that says what it locks; empty where it stands for itself."""
    read: Callable[[Path, Wanted, str], OtherLock]
    """Reads one: its path, what is wanted of it, and the name of the project that is meant, where that is known."""


FORMATS = (
    Format(name=re.compile(r"uv\.lock"), project=PROJECT, read=uv_lock.read),
    Format(name=re.compile(r"poetry\.lock"), project=PROJECT, read=poetry_lock.read),
    Format(name=re.compile(r"pylock\.toml"), project=PROJECT, read=pylock.read),
    Format(name=re.compile(r"Pipfile\.lock"), project="", read=pipfile_lock.read),
    Format(name=re.compile(r"pylock\.[^.]+\.toml"), project="", read=pylock.read),
)
"""Those of a folder that has several count in this order."""


def format_of(path: Path) -> Format | None:
    """What kind of lock a file is by its name; ``None`` for layerforge's own, and for what is none."""
    return next((one for one in FORMATS if one.name.fullmatch(path.name)), None)


def beside(folder: Path) -> list[Path]:
    """The locks of a project in ``folder``, the one that counts first."""
    known = ("uv.lock", "poetry.lock", "pylock.toml", "Pipfile.lock")
    return [folder / name for name in known if (folder / name).is_file()]
