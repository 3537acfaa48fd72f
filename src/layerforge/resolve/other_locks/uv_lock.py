"""``uv.lock``, which uv itself turns into requirements: it runs no code for that and asks no index."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from layerforge.core import guarded
from layerforge.resolve import lock, uv
from layerforge.resolve.errors import LockError
from layerforge.resolve.lock import Lock, Pin
from layerforge.resolve.other_locks import lambdas
from layerforge.resolve.other_locks.other_lock import Local, OtherLock, command_in, elsewhere, ill, local, text_of
from layerforge.resolve.project_file import PROJECT
from layerforge.resolve.uv_failures import ANSI, own_words
from layerforge.resolve.wanted import Wanted, wanted

FILE = "uv.lock"
_EXPORT = ("export", "--frozen", "--no-default-groups", "--no-header", "--no-annotate", "--quiet")
_OWN = ("editable", "virtual", "directory", "path")
"""Kinds of sources that lie on the disk."""

_LINE = re.compile(r"(?P<head>.*?)(?:\s+;\s+(?P<marker>.*?))?(?P<hashes>(?:\s+--hash=\S+)*)$")
_AT = re.compile(r"(?P<name>[\w.-]+) @ (?P<address>.*)")


@dataclass(frozen=True, kw_only=True)
class _Package:
    """A row of the file, as far as it is read here."""

    name: str
    source: Mapping[str, Any]
    version: str = ""
    optional_dependencies: Mapping[str, Any] = field(default_factory=dict)
    dev_dependencies: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Where it lies on the disk, from the lock's folder on; empty where it does not."""
        return next((str(self.source[kind]) for kind in _OWN if kind in self.source), "")


@dataclass(frozen=True, kw_only=True)
class _File:
    """What ``uv.lock`` holds."""

    version: int
    package: list[_Package] = field(default_factory=list)
    requires_python: str = ""
    manifest: Mapping[str, Any] = field(default_factory=dict)


def read(path: Path, asked: Wanted, project: str = "") -> OtherLock:
    """The lock of a project, which is the one at the root of its workspace unless ``project`` names another.

    What it lacks of what is asked for does not come in. Raises ``LockError`` where it is none that uv takes.
    """
    renew = command_in(path.parent, "uv lock")
    text = text_of(path, renew)
    file = _parsed(path, text, renew)
    root = _root(file, canonicalize_name(project))
    offered = _offered(file, root)
    pins, others = _sorted_out(_exported(text, file, path, asked.within(offered), root, renew), file, path, renew)
    return OtherLock(
        path=path,
        renew=renew,
        lock=Lock(pins=pins),
        locals=tuple(one for one in others if root is None or one.name != root.name),
        name=root.name if root else "",
        requires_python=file.requires_python,
        offered=offered,
        exact=any(file.manifest.get(key) for key in ("overrides", "excludes")),
        indexes=elsewhere(_registry(one, path) for one in file.package if one.name in {pin.name for pin in pins}),
    )


def _registry(package: _Package, path: Path) -> str:
    """The index that a package comes from: an address, or a folder."""
    named = str(package.source.get("registry", ""))
    return named if "://" in named or not named else str((path.parent / named).resolve())


def above(folder: Path) -> list[Path]:
    """The lock of the workspace that the project in ``folder`` is a member of; none where it is of none."""
    whole = folder.resolve()
    for parent in whole.parents:
        path = parent / FILE
        if path.is_file():
            file = _parsed(path, text_of(path, "uv lock"), "uv lock")
            return [path] if any(one.place and parent / one.place == whole for one in file.package) else []
    return []


def _parsed(path: Path, text: str, renew: str) -> _File:
    try:
        return guarded.as_(_underscored(guarded.toml(text)), _File)
    except guarded.Unreadable as error:
        raise ill(path, renew, str(error)) from error


def _underscored(value: Any, depth: int = 2) -> Any:
    """Tables whose keys are written as fields are."""
    if isinstance(value, list):
        return [_underscored(one, depth) for one in value]
    if isinstance(value, dict) and depth:
        return {key.replace("-", "_"): _underscored(one, depth - 1) for key, one in value.items()}
    return value


def _root(file: _File, project: str) -> _Package | None:
    """The project that is meant; ``None`` where a workspace has none at its root, and all of it is."""
    own = [one for one in file.package if one.place]
    named = [one for one in own if canonicalize_name(one.name) == project]
    return next(iter(named or [one for one in own if one.place == "."]), None)


def _offered(file: _File, root: _Package | None) -> Wanted:
    own = [root] if root else []
    groups = [name for one in own for name in one.dev_dependencies]
    return wanted(
        [name for one in own for name in _extras(one)], [*groups, *_table(file.manifest, "dependency-groups")]
    )


def _extras(package: _Package) -> list[str]:
    """Extras: those that are told, which may be empty, and those that hold something."""
    named = package.metadata.get("provides-extras", package.metadata.get("provides_extras"))
    told = [one for one in named if isinstance(one, str)] if isinstance(named, list) else []
    return [*told, *package.optional_dependencies]


def _exported(text: str, file: _File, path: Path, asked: Wanted, root: _Package | None, renew: str) -> str:
    """What uv makes of the lock, in a folder that has nothing else. Raises ``LockError``."""
    which = ["--package", root.name] if root else []
    with tempfile.TemporaryDirectory(prefix="layerforge-") as name:
        folder = Path(name)
        (folder / FILE).write_text(text, "utf-8")
        _lay_out(file, folder)
        done = uv.run_uv([*_EXPORT, "--directory", name, *which, *asked.options], stdin="")
    if done.status:
        said = own_words(ANSI.sub("", done.stderr))
        raise LockError(f"uv cannot make anything of {path}", hint=f"write it anew with `{renew}`", details=said)
    return done.stdout.decode()


def _lay_out(file: _File, folder: Path) -> None:
    """Writes project files that say no more than what uv looks for beside a lock: who the members of a workspace are,
    and which extras and groups they have. All else it takes from the lock.
    """
    named = file.manifest.get("members")
    names = [one for one in named if isinstance(one, str)] if isinstance(named, list) else []
    own = [one for one in file.package if one.place and (one.place == "." or one.name in names)]
    inside = {one.place: one for one in own if not {"..", ""} & set(one.place.split("/")[:-1]) and one.place != ".."}
    members = [place for place in inside if place != "."]
    workspace = f"[tool.uv.workspace]\nmembers = {json.dumps(members)}\n" if members else ""
    groups = _groups(_table(file.manifest, "dependency-groups"))
    for place in {".": None, **inside}:
        (folder / place).mkdir(parents=True, exist_ok=True)
        package = inside.get(place)
        said = _said(package, file.requires_python) if package else groups
        (folder / place / PROJECT).write_text(said + (workspace if place == "." else ""), "utf-8")


def _said(package: _Package, requires_python: str) -> str:
    extras = "".join(f"{json.dumps(name)} = []\n" for name in dict.fromkeys(_extras(package)))
    name, python = json.dumps(package.name), json.dumps(requires_python)
    return (
        f'[project]\nname = {name}\nversion = "0"\nrequires-python = {python}\n'
        f"[project.optional-dependencies]\n{extras}{_groups(package.dev_dependencies)}"
    )


def _groups(table: Mapping[str, Any]) -> str:
    return "[dependency-groups]\n" + "".join(f"{json.dumps(name)} = []\n" for name in table)


def _table(table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A table by its key, whose dashes may have become what fields have instead."""
    found = table.get(key, table.get(key.replace("-", "_")))
    return found if isinstance(found, Mapping) else {}


def _sorted_out(text: str, file: _File, path: Path, renew: str) -> tuple[tuple[Pin, ...], list[Local]]:
    """The lines that are releases, as pins, and what lies on the disk or in a repository."""
    places = {(path.parent / one.place).resolve(): canonicalize_name(one.name) for one in file.package if one.place}
    releases: list[str] = []
    others: list[Local] = []
    for _, line in lock.logical_lines(text):
        parts = _LINE.fullmatch(line.removeprefix("-e ").strip())
        if parts is None:
            raise ill(path, renew, lock.redacted(line))
        found = _local(parts, path, places)
        if found is None:
            releases.append(_as_release(line, parts, path, places))
        elif lambdas.where(partial(lambdas.applies, parts["marker"] or "")) is not None:
            others.append(found)
    try:
        return lock.parse("\n".join(releases), path.name).pins, others
    except LockError as error:
        raise ill(path, renew, *(one.partition(": ")[2] for one in error.details)) from error


def _local(parts: re.Match[str], path: Path, places: Mapping[Path, str]) -> Local | None:
    """What a line names that becomes a wheel first; ``None`` where it names a wheel or a release."""
    head, marker, hashes = parts["head"], parts["marker"] or "", re.findall(r"--hash=(\S+)", parts["hashes"])
    if named := _AT.fullmatch(head):
        wheel = re.split(r"[?#]", named["address"])[0].endswith(".whl")
        return None if wheel else local(named["name"], named["address"], marker, hashes)
    place = (path.parent / head).resolve()
    if place not in places or place.suffix == ".whl":
        return None
    return local(places[place], place.as_uri(), marker, hashes)


def _as_release(line: str, parts: re.Match[str], path: Path, places: Mapping[Path, str]) -> str:
    """A line with the name of the wheel on the disk that it names by its path alone."""
    place = (path.parent / parts["head"]).resolve()
    if place not in places:
        return line
    marker = f" ; {parts['marker']}" if parts["marker"] else ""
    return f"{places[place]} @ {place.as_uri()}{marker}{parts['hashes']}"
