"""Links: a shared library that the layer holds several times over becomes one file and symbolic links to it.

Wheels cannot hold links, so ``libx.so``, ``libx.so.1`` and ``libx.so.1.2`` are often three copies, and each wheel of a
family brings its own copy of what they share.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping
from functools import cache

from layerforge.core import elf, elf_layout, globs
from layerforge.core.elf import ElfFacts
from layerforge.layer.loader import follow, own_folders
from layerforge.layer.passes.setting import LeftAlone, Setting
from layerforge.layer.tree import Edit, File, Link, Tree, holds_elf, swap

REASON = "copies of a shared library"
_LIBRARIES = ("**/lib*.so", "**/lib*.so.*", "**/*.libs/*")


def link_duplicates(tree: Tree, setting: Setting) -> Iterator[Edit | LeftAlone]:  # noqa: ARG001 - a pass takes both
    """Links byte-identical libraries to the one with the shortest path, where the loader then finds the same things.

    Extension modules stay: Python tells two of them apart by their files.
    """
    reach = _reaching(tree)
    for group in _groups(tree):
        first = group[0]
        if not holds_elf(first.blob):
            continue
        for copy in group[1:]:
            yield from _link(copy, first, reach)


def _groups(tree: Tree) -> list[list[File]]:
    """Libraries of equal bytes, shortest path first."""
    groups: dict[str, list[File]] = {}
    for file in sorted(tree.files, key=lambda file: (len(file.path), file.path)):
        if globs.matches(file.path, _LIBRARIES):
            groups.setdefault(file.blob.sha256, []).append(file)
    return [group for group in groups.values() if len(group) > 1]


def _link(copy: File, first: File, reach: _Reach) -> Iterator[Edit | LeftAlone]:
    data = first.blob.read()
    try:
        facts = elf.facts(data)
    except elf_layout.Damaged as damaged:
        yield LeftAlone(path=copy.path, reason=str(damaged))
        return
    if facts.init or elf_layout.header(data).type != elf_layout.SHARED:
        return
    obstacle = _obstacle(copy, first, facts, reach)
    if obstacle:
        yield LeftAlone(path=copy.path, reason=obstacle)
        return
    target = posixpath.relpath(first.path, posixpath.dirname(copy.path))
    yield swap(copy, Link(path=copy.path, target=target, package=copy.package), REASON)


def _obstacle(copy: File, first: File, facts: ElfFacts, reach: _Reach) -> str:
    """Why ``copy`` must stay a file of its own; empty where it need not.

    The loader knows that a link and a file are one library, so a process gets one copy of its variables, and
    ``$ORIGIN`` is the folder through which it was first opened. Neither may matter:

    * Libraries with a soname are shared by it already when something needs them. One without, in another folder, is
      opened by its path, perhaps by a program that wants a copy for itself.
    * What the library and all that it brings in need must be the same, seen from both folders: either both find
      equal bytes below ``$ORIGIN``, or neither finds anything there and the runtime provides it.
    """
    if posixpath.dirname(copy.path) == posixpath.dirname(first.path):
        return ""
    if not facts.soname:
        return f"equal to {first.path}, but without a soname each may be meant to be loaded for itself"
    here, there = reach(copy.path), reach(first.path)
    differing = sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))
    if differing:
        return f"equal to {first.path}, which would find another {differing[0]}"
    return ""


_Reach = Callable[[str], Mapping[str, str]]
"""Digest of what is found for each name that a library needs, directly or not; empty where its folders hold none."""


def _reaching(tree: Tree) -> _Reach:
    files = {file.path: file for file in tree.files}
    links = {entry.path: entry.target for entry in tree.entries if isinstance(entry, Link)}

    def file_at(path: str) -> File | None:
        place = follow(links, path)
        return None if place is None else files.get(place)

    @cache
    def facts(opened: str) -> tuple[ElfFacts, ...]:
        file = file_at(opened)
        try:
            return (elf.facts(file.blob.read()),) if file else ()
        except elf_layout.Damaged:
            return ()

    def reach(path: str) -> dict[str, str]:
        found: dict[str, str] = {}
        queue = [path]
        while queue:
            opened = queue.pop()
            for name, runpath in [(name, known.runpath) for known in facts(opened) for name in known.needed]:
                if name not in found:
                    places = (posixpath.join(folder, name) for folder in own_folders(opened, runpath))
                    hit, file = next(((place, one) for place in places if (one := file_at(place))), ("", None))
                    found[name] = file.blob.sha256 if file else ""
                    queue += [hit] if file else []
        return found

    return reach
