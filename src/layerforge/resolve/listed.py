"""What a list of requirements holds, sorted into what can be locked and what cannot."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from layerforge.core import guarded
from layerforge.resolve import lock, wheel_source
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.wheel_source import Form, NoSource, WheelSource

_WHEEL_LINE = re.compile(
    r"(?:(?P<name>[A-Za-z0-9][\w.-]*)\s*(?P<extras>\[[^\]]*\])?\s*@\s*)?(?P<address>\S+\.whl(?:[?#]\S*)?)(?:\s+;\s*(?P<marker>.*))?",
    re.DOTALL,
)


@dataclass(frozen=True, kw_only=True)
class Listed:
    """What a file of requirements lists."""

    requires: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    """What wheels are made of before anything is locked, each as ``wheel_source.read`` reads it: projects on this disk,
    source distributions, repositories."""
    instead: tuple[str, ...] = ()
    """The same for what a project requires by name, or at an address, itself."""
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
    prerelease: str = ""
    """Which prereleases are taken, in uv's own words; empty where nothing says it."""
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
        instead=tuple(dict.fromkeys(text for part in parts for text in part.instead)),
        unread=tuple(line for part in parts for line in part.unread),
        refused=tuple(line for part in parts for line in part.refused),
        text="\n".join(part.text for part in parts if part.text),
        constraints="\n".join(part.constraints for part in parts if part.constraints),
        indexes=tuple(dict.fromkeys(line for part in parts for line in part.indexes)),
        compiled=tuple(dict.fromkeys(name for part in parts for name in part.compiled)),
        hashes=tuple(sorted(hashes.items())),
        prerelease=next((part.prerelease for part in parts if part.prerelease), ""),
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
    local: list[str] = []
    texts: list[str] = []
    for where, text in lines:
        try:
            one = understood(text)
        except NoSource as error:
            refused.append(f"{lock.redacted(cut(where))}: {error}")
            unread.append(lock.redacted(where))
            continue
        if isinstance(one, WheelSource):
            local.append(one.text)
            continue
        texts.append(one)
        if why := unlockable(one):
            refused.append(f"{lock.redacted(where)}: {why}")
        try:
            requires.append(str(guarded.requirement(one)))
        except guarded.Unreadable as error:
            unread.append(lock.redacted(where))
            if not why:
                refused.append(f"{lock.redacted(cut(where))}: {lock.redacted(str(error))}")
    return Listed(
        requires=tuple(requires),
        unread=tuple(unread),
        refused=tuple(refused),
        local=tuple(dict.fromkeys(local)),
        text="\n".join(texts),
    )


def understood(text: str, folders: Iterable[Path] = (Path(),), hashes: tuple[str, ...] = ()) -> str | WheelSource:
    """A line as a requirement that says its wheel's name and whole place, or as what a wheel is made of first.

    A path counts from the first of ``folders`` where it is there; ``hashes`` are what an archive may have. Raises
    ``NoSource`` for what is neither.
    """
    folders = tuple(folders)
    source = wheel_source.read(text, folders, hashes)
    if source is None:
        return _with_name(text.strip(), folders)
    if lock.holds_credentials(source.place):
        raise NoSource(f"its address holds credentials: {_CREDENTIALS[source.form]}")
    return source


_CREDENTIALS = {
    Form.REPOSITORY: "let git know them, by a credential helper or by SSH",
    Form.ARCHIVE: "download it, and name the file",
    Form.FOLDER: "leave them out",
}


def cut(text: str) -> str:
    """A text that a message can hold."""
    return text if len(text) <= 200 else f"{text[:200]}…"


def unlockable(text: str) -> str:
    """Why no layer can be made of the wheel that a line names, and what helps; empty where one can or it names none."""
    _name, at, address = text.partition("@") if re.match(r"[\w.\[\], -]+@", text) else ("", "", text)
    plain = re.split(r"[?#]", address.strip().partition(" ;")[0].strip())[0]
    if at and plain.startswith("file:") and not _regular(plain):
        return "there is no regular file of that name"
    return ""


def _regular(address: str) -> bool:
    """Whether what a ``file:`` address names is there and no pipe or device, which uv would wait for."""
    return os.path.isfile(unquote(address.removeprefix("file:").removeprefix("//")))  # noqa: PTH113 - never raises


def _with_name(text: str, folders: Iterable[Path]) -> str:
    """A requirement as it is written where its wheel has a name and a whole place; any other as it is."""
    match = _WHEEL_LINE.fullmatch(text)
    if match is None or (match["name"] and ":" in match["address"]):
        return text
    address = match["address"]
    if ":" not in address:
        address = _whole(address, folders)
    try:
        name = parse_wheel_filename(unquote(re.split(r"[?#]", address)[0].rpartition("/")[2]))[0]
    except InvalidWheelFilename as error:
        raise NoSource(f"a wheel is called name-version-tags.whl: {error}") from error
    marker = f" ; {match['marker']}" if match["marker"] else ""
    return f"{match['name'] or name}{match['extras'] or ''} @ {address}{marker}"


def _whole(path: str, folders: Iterable[Path]) -> str:
    """The ``file:`` address of a path that counts from the first of ``folders`` where it is there."""
    try:
        places = [folder / Path(path).expanduser() for folder in folders]
        return next((place for place in places if place.exists()), places[0]).resolve().as_uri()
    except (OSError, RuntimeError, ValueError) as error:
        raise NoSource(f"it cannot be looked at: {error}") from error
