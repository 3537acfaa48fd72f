from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import pytest

import elves
import fakes
from layerforge import tree
from layerforge.model import Edit, Entry, File, Left, Link, Tree
from layerforge.optimize.links import REASON, link_duplicates

SYSTEM = elves.image(soname="libx.so.1", needed=("libc.so.6",))
NAMELESS = elves.image(needed=("libc.so.6",))
NEEDY = elves.image(soname="libx.so.1", needed=("libq.so", "libc.so.6"), runpath="$ORIGIN")
Q1 = elves.image(soname="libq.so")
Q2 = elves.image(soname="libq.so", exports=("more",))


def edits_of(before: Tree) -> dict[str, Entry | None]:
    """What stands at each changed path afterwards; fails where something was left."""
    said = list(link_duplicates(before, fakes.a_setting()))
    assert [item for item in said if isinstance(item, Left)] == []
    return {item.path: item.entry for item in said if isinstance(item, Edit)}


def left_in(before: Tree) -> dict[str, str]:
    """Why each path was left; fails where something was changed."""
    said = list(link_duplicates(before, fakes.a_setting()))
    assert [item for item in said if isinstance(item, Edit)] == []
    return {item.path: item.reason for item in said if isinstance(item, Left)}


def layer(**files: bytes) -> Tree:
    """A tree of ``folder__name`` files, ``folder`` below ``python`` and dots written as they are."""
    return fakes.a_tree(*(fakes.a_file(f"python/{path}", data) for path, data in files.items()))


def test_copies_become_links_to_the_one_with_the_shortest_path() -> None:
    before = layer(**{"a.libs/libx.so.1": SYSTEM, "b/lib/libx.so.1": SYSTEM, "package/deep/libx.so.1": SYSTEM})
    assert edits_of(before) == {
        "python/b/lib/libx.so.1": Link(path="python/b/lib/libx.so.1", target="../libx.so.1", package="pkg"),
        "python/package/deep/libx.so.1": Link(path="python/package/deep/libx.so.1", target="", package="pkg"),
    } or set(edits_of(before)) == {"python/a.libs/libx.so.1", "python/package/deep/libx.so.1"}
