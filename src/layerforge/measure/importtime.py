"""The imports of a function's init phase as a tree, as ``-X importtime`` tells them and as JSON keeps them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

VARIABLE = {"PYTHONPROFILEIMPORTTIME": "1"}
"""Makes an interpreter tell how long each import took."""

_ROW = re.compile(r"import time:\s*(\d+)\s*\|\s*(\d+)\s*\| ( *)(\S+)\s*$")


@dataclass(frozen=True, kw_only=True)
class Import:
    """One module as it was imported, with those that it imported itself. Times in microseconds."""

    name: str
    self_us: int
    total_us: int
    bytes: int = 0
    """Unzipped bytes of the layer that were loaded for it first; 0 for a module of the runtime's own."""
    children: tuple[Import, ...] = ()


def parse_importtime(output: str) -> tuple[Import, ...]:
    """The tree of the lines that an interpreter wrote. Whatever else was printed is skipped.

    A module stands after those that it imported, two columns further to the left.
    """
    waiting: list[tuple[int, Import]] = []
    for line in output.splitlines():
        if match := _ROW.search(line):
            own, total, indent, name = match.groups()
            depth, children = len(indent) // 2, []
            while waiting and waiting[-1][0] > depth:
                children.append(waiting.pop()[1])
            imported = Import(name=name, self_us=int(own), total_us=int(total), children=tuple(reversed(children)))
            waiting.append((depth, imported))
    return tuple(node for _, node in waiting)


def walk(nodes: Iterable[Import]) -> Iterator[Import]:
    """Every module of a tree."""
    for node in nodes:
        yield node
        yield from walk(node.children)


def as_data(nodes: Iterable[Import]) -> list[dict[str, Any]]:
    """The tree as data for JSON."""
    return [
        {
            "name": node.name,
            "self_us": node.self_us,
            "total_us": node.total_us,
            "bytes": node.bytes,
            "children": as_data(node.children),
        }
        for node in nodes
    ]
