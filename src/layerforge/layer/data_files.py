"""Data of recipes: files that no wheel carries, laid below ``/opt`` beside the packages.

They are fetched before anything is compiled, so that a wrong hash is found in seconds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from layerforge.core import globs
from layerforge.core.errors import StepError
from layerforge.core.paths import folders
from layerforge.core.text import counted, megabytes
from layerforge.layer.assemble import on_disk, walk
from layerforge.layer.tree import Entry, File, Link, Tree, make
from layerforge.resolve import sources, unpack_data
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.recipe import Data
from layerforge.resolve.sources import Search


@dataclass(frozen=True, kw_only=True)
class LaidData:
    """Data that a layer was made with."""

    package: str
    name: str
    """Of the file that was fetched."""
    sha256: str
    """Of that file."""
    into: str
    """Folder of the layer."""
    files: int
    bytes: int
    """Unzipped, of the files in the layer."""


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """What one entry of data gives a layer."""

    data: Data
    entries: tuple[Entry, ...]


def fetched(data: Sequence[Data], search: Search, workspace: Path) -> tuple[Fetched, ...]:
    """The files of all data, which lie below ``workspace``; that must outlive them.

    Raises ``LockError`` where a file cannot be had or has another hash, ``StepError`` for an archive that cannot be
    unpacked, and ``RecipeError`` where a recipe asks for files that are not in it.
    """
    found: list[Fetched] = []
    for number, one in enumerate(data):
        content = sources.fetch(one.source, search)
        folder = workspace / f"data-{number}"
        folder.mkdir()
        with search.progress.step("data") as step:
            entries = tuple(_unpacked(one, content, folder) if one.unpack else _single(one, content, folder))
            found.append(Fetched(data=one, entries=entries))
            step.note(f"{one.name}, {counted(len(entries), 'file')}, {megabytes(sum(one.size for one in entries))}")
    return tuple(found)


def _single(data: Data, content: bytes, folder: Path) -> Iterator[Entry]:
    (folder / "file").write_bytes(content)
    yield on_disk(f"{data.into}/{data.name}", folder / "file", data.package)


def _unpacked(data: Data, content: bytes, folder: Path) -> Iterator[Entry]:
    """The wanted files of an archive, as they stand in it."""
    root = unpack_data.unpack(content, f"the data {data.name} of {data.package}", folder)
    names = {path.relative_to(root).as_posix(): path for path in walk(root)}
    unmatched = [glob for glob in data.files if not any(globs.matches(name, (glob,)) for name in names)]
    if unmatched or not names:
        raise RecipeError(
            f"the data {data.name} of {data.package} holds no file" + (f" like {unmatched[0]}" if unmatched else ""),
            hint="`files` are globs of paths in the archive" if unmatched else "find out what the archive is",
            details=tuple(sorted(names)[:10]),
        )
    for name in sorted(names):
        if not data.files or globs.matches(name, data.files):
            yield _entry(data, name, names[name], root)


def _entry(data: Data, name: str, path: Path, root: Path) -> Entry:
    place = f"{data.into}/{name}"
    if not path.is_symlink():
        return on_disk(place, path, data.package)
    target = str(path.readlink())
    # Where links lead by way of others is seen by following them.
    if target.startswith("/") or not Path(os.path.realpath(path)).is_relative_to(root.resolve()):
        raise StepError(
            f"the data {data.name} of {data.package} cannot be unpacked",
            hint="do not use that archive, or pack its files anew: nothing of it may lead out of its folder",
            details=(f"the link {name} leads out of its folder, to {target}",),
        )
    return Link(path=place, target=target, package=data.package)


def laid(found: Sequence[Fetched]) -> tuple[LaidData, ...]:
    """What is told of data beside the layer."""
    return tuple(
        LaidData(
            package=one.data.package,
            name=one.data.name,
            sha256=one.data.source.sha256,
            into=one.data.into,
            files=len(one.entries),
            bytes=sum(entry.size for entry in one.entries),
        )
        for one in found
    )


def with_data(tree: Tree, found: Sequence[Fetched]) -> Tree:
    """The tree with the files of all data. Raises ``RecipeError`` where one stands in the way of another.

    A file that is there already with the same contents stays as it is.
    """
    entries = dict(tree.by_path)
    owners = {path: f"the package {entry.package}" if entry.package else "the layer" for path, entry in entries.items()}
    inside = {folder: path for path in entries for folder in folders(path)}
    for one in found:
        for entry in one.entries:
            other = entries.setdefault(entry.path, entry)
            place = next((path for path in (inside.get(entry.path), *folders(entry.path)) if path in entries), "")
            if place or not _alike(entry, other):
                raise _collision(one.data, entry.path, place or entry.path, owners)
            owners.setdefault(entry.path, f"the data {one.data.name} of {one.data.package}")
            inside |= dict.fromkeys(folders(entry.path), entry.path)
    return make(entries.values(), tree)


def _alike(one: Entry, other: Entry) -> bool:
    match one, other:
        case File(), File():
            return (one.blob.sha256, one.executable) == (other.blob.sha256, other.executable)
        case Link(), Link():
            return one.target == other.target
    return False


def _collision(data: Data, path: str, place: str, owners: dict[str, str]) -> RecipeError:
    other = owners[place]
    return RecipeError(
        f"the data {data.name} of {data.package} brings {path}, and {other} brings "
        + ("other contents of it" if place == path else f"{place}: one would have to be a file and a folder"),
        hint="lay it into another folder with `into`, or leave the file out with `files`",
    )
