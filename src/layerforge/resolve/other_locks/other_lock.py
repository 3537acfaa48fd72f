"""What the lock of another tool holds, as layerforge goes on with it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from layerforge.core import guarded
from layerforge.resolve.errors import LockError
from layerforge.resolve.lock import Lock, Pin
from layerforge.resolve.wanted import NOTHING, Wanted


@dataclass(frozen=True, kw_only=True)
class Local:
    """A package that a lock holds as no release: a folder, an archive on the disk, a repository."""

    name: str
    """Normalised name."""
    text: str
    """As a requirement: ``name @ file:///folder``, ``name @ file:///archive#sha256=…``, ``name @ git+https://…@commit``,
    with the marker that it counts for."""


@dataclass(frozen=True, kw_only=True)
class OtherLock:
    """The lock of another tool, as far as it is wanted."""

    path: Path
    renew: str
    """The command of the tool that writes it anew, in its folder: ``uv lock``."""
    lock: Lock
    locals: tuple[Local, ...] = ()
    """What of it becomes wheels first."""
    name: str = ""
    """Of the project that it is the lock of; empty where it does not say."""
    requires: tuple[str, ...] = ()
    """What its project asks for, where no ``pyproject.toml`` says so but another file beside it."""
    requires_python: str = ""
    offered: Wanted = NOTHING
    """The extras and groups that it holds."""
    indexes: tuple[str, ...] = ()
    """Options that say where to look besides uv's own configuration, a line each."""
    exact: bool = False
    """Whether it changes what its packages say that they require, so that nothing is to be made of that."""


def command_in(folder: Path, command: str) -> str:
    """A command as it is given in another folder."""
    return command if folder.resolve() == Path.cwd().resolve() else f"cd {shlex.quote(str(folder))} && {command}"


def text_of(path: Path, renew: str) -> str:
    """The text of a lock. Raises ``LockError``."""
    try:
        return guarded.text(path)
    except guarded.Unreadable as error:
        raise LockError(
            f"{path} cannot be read", hint=f"write it anew with `{renew}`", details=(str(error),)
        ) from error


def ill(path: Path, renew: str, *details: str) -> LockError:
    """The error for a lock that does not hold what such a file has to."""
    return LockError(f"{path} is not a lock that holds", hint=f"write it anew with `{renew}`", details=details[:20])


def local(name: str, address: str, marker: str = "", hashes: Iterable[str] = ()) -> Local:
    """What lies at an address. ``hashes`` are what an archive may have, ``sha256:…``."""
    name = canonicalize_name(name)
    parts = [one for one in [address.partition("#")[2]] if one] + [one.replace(":", "=") for one in hashes]
    whole = "#".join([address.partition("#")[0], *(["&".join(parts)] if parts else [])])
    return Local(name=name, text=f"{name} @ {whole}" + (f" ; {marker}" if marker else ""))


def names_of(pins: Iterable[Pin]) -> tuple[str, ...]:
    """Requirements that ask for all pins, each where it counts."""
    return tuple(f"{pin.name} ; {pin.marker}" if pin.marker else pin.name for pin in pins)
