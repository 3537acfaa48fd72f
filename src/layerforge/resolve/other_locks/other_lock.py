"""What the lock of another tool holds, as layerforge goes on with it."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from packaging.utils import canonicalize_name

from layerforge.core import guarded
from layerforge.resolve.errors import LockError
from layerforge.resolve.lock import Lock, Pin
from layerforge.resolve.wanted import NOTHING, Wanted

T = TypeVar("T")
_HASH = re.compile(r"sha256:[0-9a-f]{64}")


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
    """Whether it was written against what its packages say that they require."""
    only: str | None = ""
    """The marker of the targets that it is for; empty where it does not say, ``None`` where Lambda has none of them."""


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


def sorted_out(
    rows: Iterable[T], entry: Callable[[T], Pin | Local | None], named: Callable[[T], str], path: Path, renew: str
) -> tuple[tuple[Pin, ...], tuple[Local, ...]]:
    """Rows as pins, and as what becomes wheels first; ``entry`` says ``None`` of what does not count.

    Raises ``LockError`` with every row for which ``entry`` raises ``ValueError``.
    """
    found: list[Pin | Local] = []
    problems: list[str] = []
    for row in rows:
        try:
            one = entry(row)
        except ValueError as error:
            problems.append(f"{named(row)}: {error}")
        else:
            found += [one] if one is not None else []
    if problems:
        raise ill(path, renew, *problems)
    pins = sorted((one for one in found if isinstance(one, Pin)), key=lambda one: (one.name, one.version, one.marker))
    return tuple(pins), tuple(one for one in found if isinstance(one, Local))


def sound(hashes: Iterable[object]) -> tuple[str, ...]:
    """Hashes as a lock has them, of those that a file tells. Raises ``ValueError`` where it has none of SHA-256."""
    found = tuple(sorted({one for one in map(str, hashes) if _HASH.fullmatch(one)}))
    if not found:
        raise ValueError("it has no SHA-256")
    return found


def elsewhere(indexes: Iterable[str]) -> tuple[str, ...]:
    """Options that name the indexes which few packages come from. What most come from is uv's own to know: a mirror
    may stand for it here.
    """
    by_number = [name.rstrip("/") for name, _ in Counter(indexes).most_common()]
    others = [name for name in dict.fromkeys(by_number[1:]) if name and name != by_number[0]]
    return tuple(f"{'--extra-index-url' if '://' in name else '--find-links'} {name}" for name in others)


def names_of(pins: Iterable[Pin]) -> tuple[str, ...]:
    """Requirements that ask for all pins, each where it counts."""
    return tuple(f"{pin.name} ; {pin.marker}" if pin.marker else pin.name for pin in pins)
