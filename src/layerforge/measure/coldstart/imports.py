"""What each module of the init phase brings of the layer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from posixpath import basename

from layerforge.core.paths import below_site
from layerforge.examine.examination import Examination, Member
from layerforge.layer import pyc
from layerforge.layer.imports import module_name
from layerforge.measure.importtime import Import
from layerforge.verify.layout import index, reached


def weighed(nodes: Iterable[Import], seen: Examination) -> tuple[Import, ...]:
    """The tree with the bytes that each module brings: its own files, and the layer's libraries that they need.

    Every file counts once, for the module that was done first of those that have it.
    """
    files: dict[str, list[Member]] = {}
    for member in seen.members:
        if name := module_of(member.path):
            files.setdefault(name, []).append(member)
    libraries, taken = _libraries(seen), set[str]()

    def weigh(node: Import) -> Import:
        children = tuple(map(weigh, node.children))
        brought = {one.path: one.size for one in _brought(files.get(node.name, ()), libraries)}
        size = sum(brought[path] for path in brought.keys() - taken)
        taken.update(brought)
        return replace(node, bytes=size, children=children)

    return tuple(map(weigh, nodes))


def module_of(path: str) -> str:
    """Dotted name of the module that a file is source, bytecode or code of; empty where it is of none."""
    return module_name(below_site(pyc.source_path(path) if path.endswith(".pyc") else path))


def _libraries(seen: Examination) -> Mapping[str, Member]:
    """The layer's native files by each name that they have in it."""
    layer = index(seen)
    found = ((basename(path), reached(layer, path)) for path in layer.members)
    return {name: member for name, member in found if member and member.elf}


def _brought(files: Iterable[Member], libraries: Mapping[str, Member]) -> Iterator[Member]:
    """Files, and what the loader adds to them of the layer."""
    pending, done = list(files), set[str]()
    while pending:
        one = pending.pop()
        if one.path not in done:
            done.add(one.path)
            yield one
            pending += [libraries[name] for name in (one.elf.needed if one.elf else ()) if name in libraries]
