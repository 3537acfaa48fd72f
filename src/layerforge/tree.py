"""Trees: looking things up in them and applying edits to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from layerforge.model import Edit, Entry, Tree


def make(entries: Iterable[Entry], tree: Tree) -> Tree:
    """``tree`` with other entries, sorted by path."""
    return replace(tree, entries=tuple(sorted(entries, key=lambda entry: entry.path)))


def apply(tree: Tree, edits: Iterable[Edit]) -> Tree:
    """Carries out all ``edits`` at once. Raises ``ValueError`` where two of them contradict each other."""
    queue: dict[str, Edit] = {}
    for edit in edits:
        if edit.path in queue:
            raise ValueError(f"two edits of {edit.path}: {queue[edit.path].reason!r} and {edit.reason!r}")
        queue[edit.path] = edit
    entries = {entry.path: entry for entry in tree.entries}
    for path in queue:
        entries.pop(path, None)
    for edit in queue.values():
        if edit.entry is not None:
            if edit.entry.path in entries:
                raise ValueError(f"{edit.path} would replace {edit.entry.path}")
            entries[edit.entry.path] = edit.entry
    return make(entries.values(), tree)


def drop(entry: Entry, reason: str) -> Edit:
    """The edit that removes ``entry``."""
    return Edit(path=entry.path, entry=None, reason=reason, saved=entry.size)


def swap(old: Entry, new: Entry, reason: str) -> Edit:
    """The edit that puts ``new`` where ``old`` was."""
    return Edit(path=old.path, entry=new, reason=reason, saved=old.size - new.size)


def add(new: Entry, reason: str) -> Edit:
    """The edit that adds ``new``."""
    return Edit(path=new.path, entry=new, reason=reason, saved=-new.size)
