"""What a list of requirements holds, sorted into what can be locked and what cannot."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from layerforge.core import guarded
from layerforge.resolve import lock
from layerforge.resolve.errors import RecipeError

EDITABLE = re.compile(r"(?:-e\s*|--editable[\s=]+)(.*)")
_VCS = re.compile(r"(?:git|hg|bzr|svn)\+")
_WHEEL = ".whl"


@dataclass(frozen=True, kw_only=True)
class Listed:
    """What a file of requirements lists."""

    requires: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    """What wheels are made of before anything is locked: ``name @ file:///folder``, ``name @ git+https://…@commit``."""
    unread: tuple[str, ...] = ()
    """Lines that only uv can make something of, with where they stand."""
    refused: tuple[str, ...] = ()
    """Lines that no layer can be made of, with where they stand and what helps."""
    text: str = ""
    """The requirements as uv reads them; empty for a ``pyproject.toml``, which it reads itself."""
    constraints: str = ""
    """Lines of the files that are included as constraints."""
    indexes: tuple[str, ...] = ()
    """Options that say where packages are looked for, a line each; they may hold passwords."""
    compiled: tuple[str, ...] = ()
    """Packages of which no wheel is to be taken."""
    hashes: tuple[tuple[tuple[str, str], frozenset[str]], ...] = ()
    """What packages that are named with hashes may be, ``sha256:…``: by normalised name and the exact version that they
    are named with, without zeros at its end; the version is empty where there is none."""
    all_hashed: bool = False
    """Whether a hash is asked for of every package."""


def together(parts: Sequence[Listed]) -> Listed:
    """What several files, or words, list as one. What is named twice with hashes has to have both."""
    hashes: dict[tuple[str, str], frozenset[str]] = {}
    for key, named in (row for part in parts for row in part.hashes):
        hashes[key] = hashes.get(key, named) & named
    return Listed(
        requires=tuple(dict.fromkeys(text for part in parts for text in part.requires)),
        local=tuple(dict.fromkeys(text for part in parts for text in part.local)),
        unread=tuple(line for part in parts for line in part.unread),
        refused=tuple(line for part in parts for line in part.refused),
        text="\n".join(part.text for part in parts if part.text),
        constraints="\n".join(part.constraints for part in parts if part.constraints),
        indexes=tuple(dict.fromkeys(line for part in parts for line in part.indexes)),
        compiled=tuple(dict.fromkeys(name for part in parts for name in part.compiled)),
        hashes=tuple(sorted(hashes.items())),
        all_hashed=any(part.all_hashed for part in parts),
    )


def unreadable(path: Path, error: guarded.Unreadable) -> RecipeError:
    """The error for a file that holds no readable text."""
    return RecipeError(f"{path} cannot be read: {error}", hint="name a text file with a requirement a line")


def sorted_out(lines: Iterable[tuple[str, str]]) -> Listed:
    """Requirements apart from what is none. Each line comes with what to call it."""
    requires: list[str] = []
    unread: list[str] = []
    refused: list[str] = []
    for where, text in lines:
        if why := unlockable(text):
            refused.append(f"{lock.redacted(where)}: {why}")
        try:
            requires.append(str(guarded.requirement(text)))
        except guarded.Unreadable as error:
            unread.append(lock.redacted(where))
            if not why and not _local(text):
                refused.append(f"{lock.redacted(cut(where))}: {lock.redacted(str(error))}")
    return Listed(requires=tuple(requires), unread=tuple(unread), refused=tuple(refused))


def cut(text: str) -> str:
    """A text that a message can hold."""
    return text if len(text) <= 200 else f"{text[:200]}…"


def _local(text: str) -> bool:
    return text.startswith((".", "/", "~", "file:")) or "/" in text.partition("@")[0]


def unlockable(text: str) -> str:
    """Why no layer can be made of what a line names, and what helps; empty where one can or the line is no address."""
    if editable := EDITABLE.match(text):
        return f"{lock.LOCAL_PROJECT}: {_wheel_of(editable[1])}"
    _name, at, address = text.partition("@") if re.match(r"[\w.\[\], -]+@", text) else ("", "", text)
    address = address.strip().partition(" ;")[0].strip()
    if _VCS.match(address):
        return f"a repository is no release: {_made_by_pip(address)}"
    plain = re.split(r"[?#]", address)[0]
    if plain.endswith(_WHEEL) and not (at and ":" in address):
        return _with_name(address, plain)
    if plain.startswith("file:") and not _regular(plain):
        return "there is no regular file of that name"
    if "://" in address and not plain.endswith(_WHEEL):
        return f"this is no wheel: {_made_by_pip(address)}"
    if not at and _local(address) and "://" not in address:
        return f"{lock.LOCAL_PROJECT}: {_wheel_of(address)}"
    return ""


def _regular(address: str) -> bool:
    """Whether what a ``file:`` address names is there and no pipe or device, which uv would wait for."""
    return os.path.isfile(unquote(address.removeprefix("file:").removeprefix("//")))  # noqa: PTH113 - never raises


def _made_by_pip(text: str) -> str:
    command = shlex.join(
        ["pip", "wheel", "--no-deps", "-w", "wheels", lock.redacted(text) if lock.holds_credentials(text) else text]
    )
    return f"`{command}` makes a wheel of it in ./wheels, to name instead"


def _wheel_of(folder: str) -> str:
    return f"`{shlex.join(['uv', 'build', '--wheel', folder])}`, then name the wheel in its dist/"


def _with_name(address: str, plain: str) -> str:
    """What a wheel without its name is to be written as."""
    try:
        name = parse_wheel_filename(plain.rpartition("/")[2])[0]
    except InvalidWheelFilename as error:
        return str(error)
    where = address if ":" in address else Path(address).absolute().as_uri()
    return f"write `{name} @ {where}`"
