"""``layers.lock``: which packages, in which versions, lie in which layer, and which function has which layers.

It is written by ``layerforge split`` and read by ``layerforge build``. The same split gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from layerforge.core import guarded
from layerforge.core.runtimes import Target
from layerforge.resolve.errors import LockError
from layerforge.resolve.left_out import LeftOut, Why
from layerforge.resolve.lock import Pin

FILE = "layers.lock"
SCHEMA = 1
_HERE = "./"
_HEAD = "# Written by layerforge: which layers the functions of this project share. Renew with: layerforge split\n"


@dataclass(frozen=True, kw_only=True)
class LockedPackage:
    """A package of a layer, or a library that its recipes compile."""

    name: str
    version: str
    bytes: int
    """Unzipped, as it was measured."""
    hashes: tuple[str, ...] = ()
    """Of its files; none for a library."""
    address: str = ""
    """Where it comes from, if that is no index; a wheel beside the lock begins with ``./`` in the file."""


@dataclass(frozen=True, kw_only=True)
class LockedLayer:
    """A layer that functions share, or that one alone has."""

    name: str
    packages: tuple[LockedPackage, ...]
    beside: tuple[str, ...] = ()
    """``name version`` of what its packages require and another layer has."""
    left_out: tuple[str, ...] = ()
    """``name version (why)`` of what its packages require and no layer has."""

    @property
    def bytes(self) -> int:
        """Unzipped, as it was measured."""
        return sum(one.bytes for one in self.packages)

    @property
    def pins(self) -> tuple[Pin, ...]:
        """What is installed for it."""
        return tuple(
            Pin(name=one.name, version="" if one.address else one.version, hashes=one.hashes, address=one.address)
            for one in self.packages
            if one.hashes
        )

    @property
    def absent(self) -> tuple[LeftOut, ...]:
        """What its packages require and it does not hold, by name."""
        found = [LeftOut(name=name, version=version, why=Why.BESIDE) for name, version in map(_pair, self.beside)]
        return tuple(sorted([*found, *map(_absent, self.left_out)], key=lambda one: one.name))


def _pair(text: str) -> tuple[str, str]:
    name, _, version = text.partition(" ")
    return name, version


def _absent(line: str) -> LeftOut:
    """What a line of ``left-out`` says. Raises ``ValueError`` for a reason that there is not."""
    what, _, why = line.removesuffix(")").partition(" (")
    name, version = _pair(what)
    return LeftOut(name=name, version=version, why=Why(why))


@dataclass(frozen=True, kw_only=True)
class LockedFunction:
    """A function, what it asked for, and what it gets."""

    name: str
    asks: tuple[str, ...]
    """Its requirements, and the digest of its lock, as they were for this split; one for others is out of date."""
    leave_out: tuple[str, ...] = ()
    code: int = 0
    own_layers: int = 0
    layers: tuple[str, ...]
    """Names of its layers, in the order in which it has them."""
    packages: tuple[str, ...]
    """Names of all that it needs, sorted; its layers hold them, and perhaps more."""
    left_out: tuple[str, ...] = ()
    """``name version (why)`` of what it would need and goes without."""

    @property
    def absent(self) -> tuple[LeftOut, ...]:
        """What it would need and goes without, by name."""
        return tuple(sorted(map(_absent, self.left_out), key=lambda one: one.name))

    @property
    def question(self) -> tuple[Any, ...]:
        """What decided the split."""
        return self.name, self.asks, self.leave_out, self.code, self.own_layers


@dataclass(frozen=True, kw_only=True)
class TargetSplit:
    """The split for one Python and processor."""

    python: str
    arch: str
    function: tuple[LockedFunction, ...]
    layer: tuple[LockedLayer, ...]

    @property
    def label(self) -> str:
        """``py313-x86_64``, as a target's."""
        return f"py{self.python.replace('.', '')}-{self.arch}"

    def is_for(self, target: Target) -> bool:
        """Whether it is for that target."""
        return (self.python, self.arch) == (target.python, str(target.arch))


@dataclass(frozen=True, kw_only=True)
class LayersLock:
    """The splits of a project."""

    target: tuple[TargetSplit, ...]
    schema: int = SCHEMA

    def of(self, target: Target) -> TargetSplit | None:
        """The split for a target; ``None`` where there is none."""
        return next((one for one in self.target if one.is_for(target)), None)


def read(path: Path) -> LayersLock | None:
    """What a file says; ``None`` where there is no file. Raises ``LockError`` where it cannot be understood."""
    if not path.is_file():
        return None
    try:
        lock = _understood(guarded.text(path))
    except guarded.Unreadable as error:
        raise LockError(
            f"{path} cannot be understood",
            hint="write it anew with `layerforge split`",
            details=(str(error),),
        ) from error
    return _addressed(lock, lambda address: _absolute(address, path.parent))


def _addressed(lock: LayersLock, told: Callable[[str], str]) -> LayersLock:
    """The lock with other addresses of packages."""

    def layer(one: LockedLayer) -> LockedLayer:
        packages = (replace(package, address=told(package.address)) for package in one.packages)
        return replace(one, packages=tuple(packages))

    return replace(lock, target=tuple(replace(one, layer=tuple(map(layer, one.layer))) for one in lock.target))


def _absolute(address: str, folder: Path) -> str:
    """The address of a wheel that lies beside the lock; any other stays."""
    return (folder / address).resolve().as_uri() if address.startswith(_HERE) else address


def _relative(address: str, folder: Path) -> str:
    """An address that others can use: a wheel in the lock's folder has its path there, and one elsewhere none."""
    if not address.startswith("file:"):
        return address
    path = Path(unquote(urlsplit(address).path))
    return f"{_HERE}{path.relative_to(folder.resolve()).as_posix()}" if path.is_relative_to(folder.resolve()) else ""


def _understood(text: str) -> LayersLock:
    """What the text of a file says. Raises ``Unreadable``."""
    found = guarded.toml(text)
    if found.get("schema") != SCHEMA:
        raise guarded.Unreadable(f"its schema is {found.get('schema')!r}, and this layerforge reads {SCHEMA}")
    lock = guarded.as_(_spelled(found), LayersLock)
    for split in lock.target:
        _refuse_loose(split)
    return lock


def _refuse_loose(split: TargetSplit) -> None:
    """Raises ``Unreadable`` where functions have layers, or need packages, that are not there, or one is twice."""
    names = [one.name for one in split.layer]
    for what, found in (("layer", names), ("function", [one.name for one in split.function])):
        if len(set(found)) < len(found):
            raise guarded.Unreadable(f"{split.label} has a {what} twice")
    held = {layer.name: {one.name for one in layer.packages} for layer in split.layer}
    for function in split.function:
        if strangers := set(function.layers) - set(names):
            raise guarded.Unreadable(f"{function.name} has the layer {min(strangers)}, which is not there")
        mine = [held[name] for name in function.layers]
        if sum(map(len, mine)) > len(set().union(*mine)):
            raise guarded.Unreadable(f"{function.name} has a package in two of its layers")
        if missing := set(function.packages) - set().union(*mine):
            raise guarded.Unreadable(f"{function.name} needs {min(missing)}, which none of its layers holds")
    if any(not packages for packages in held.values()):
        raise guarded.Unreadable(f"{split.label} has a layer without packages")
    told: tuple[LockedLayer | LockedFunction, ...] = (*split.layer, *split.function)
    for one in told:
        try:
            _ = one.absent
        except ValueError as error:
            raise guarded.Unreadable(f"{one.name}: {error}") from error


def _spelled(value: Any) -> Any:
    """Tables whose keys are called as fields are."""
    match value:
        case dict():
            return {key.replace("-", "_"): _spelled(item) for key, item in value.items()}
        case list():
            return [_spelled(item) for item in value]
        case _:
            return value


# --- writing


def text(lock: LayersLock, folder: Path) -> str:
    """The text of the file, which is to lie in ``folder``."""
    lock = _addressed(lock, lambda address: _relative(address, folder))
    return (
        _HEAD
        + "\n".join([f"schema = {SCHEMA}", *(line for one in _sorted(lock.target) for line in _target(one))])
        + "\n"
    )


def _sorted(targets: Iterable[TargetSplit]) -> list[TargetSplit]:
    return sorted(targets, key=lambda one: (tuple(map(int, one.python.split("."))), one.arch))


def _target(split: TargetSplit) -> Iterator[str]:
    yield from ("", "[[target]]", f"python = {_quoted(split.python)}", f"arch = {_quoted(split.arch)}")
    for function in sorted(split.function, key=lambda one: one.name):
        yield from ("", "[[target.function]]", *_table(function))
    users = {one.name: [f.name for f in split.function if one.name in f.layers] for one in split.layer}
    for layer in split.layer:
        yield from ("", "[[target.layer]]", f"# of {', '.join(sorted(users[layer.name]))}")
        yield from (f"name = {_quoted(layer.name)}", *_lists({"beside": layer.beside, "left-out": layer.left_out}))
        for package in layer.packages:
            yield from ("", "[[target.layer.packages]]", *_table(package))


def _table(value: LockedFunction | LockedPackage) -> Iterator[str]:
    for key, item in _fields(value).items():
        if isinstance(item, tuple):
            yield from _lists({key: item})
        elif item not in ("", 0) or key in {"version", "bytes"}:
            yield f"{key} = {_quoted(item) if isinstance(item, str) else item}"


def _fields(value: LockedFunction | LockedPackage) -> dict[str, Any]:
    return {one.name.replace("_", "-"): getattr(value, one.name) for one in fields(value)}


def _lists(rows: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """Lists, a line each where they are short, and a line an item where they are not; none where they are empty."""
    for key, items in rows.items():
        short = f"{key} = [{', '.join(map(_quoted, items))}]"
        if items and len(short) <= 100:
            yield short
        elif items:
            yield f"{key} = ["
            yield from (f"  {_quoted(one)}," for one in items)
            yield "]"


def _quoted(value: str) -> str:
    """A text as TOML has it, which takes all escapes of JSON."""
    return json.dumps(value)
