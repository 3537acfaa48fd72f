"""Variables of the function that a layer's recipes set: those count that name something which is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from layerforge.core.paths import in_layer
from layerforge.layer.tree import Link, Tree


def settled(env: Mapping[str, str], tree: Tree) -> dict[str, str]:
    """The variables that count for a finished layer: those that name no path of it, or one where something is."""
    return {name: value for name, value in env.items() if _counts(value, tree)}


def unsettled(env: Mapping[str, str], settled: Mapping[str, str]) -> Iterator[str]:
    """A line on each variable that does not count."""
    for name, value in env.items():
        if name not in settled:
            yield f"{name} is not set: the layer has nothing at {value}"


def _counts(value: str, tree: Tree) -> bool:
    paths = in_layer(value)
    return not paths or any(_holds(tree, path) for path in paths)


def _holds(tree: Tree, path: str) -> bool:
    """Whether a file or link is at a path, below it, or is a link to the folder that it lies in."""
    return any(
        entry.path == path
        or entry.path.startswith(f"{path}/")
        or (isinstance(entry, Link) and path.startswith(f"{entry.path}/"))
        for entry in tree.entries
    )
