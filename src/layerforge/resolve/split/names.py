"""What the layers of a split are called."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from layerforge.core.limits import LONGEST_LAYER_NAME
from layerforge.core.text import fitting_name
from layerforge.resolve.split.asked import Function
from layerforge.resolve.split.blocks import bits
from layerforge.resolve.split.groups import Group

SHARED = "shared"
_ROOM = 40
"""Characters that Python, processor and whatever a publication adds may take."""


def named(
    blocks: Iterable[Sequence[Group]],
    functions: Sequence[Function],
    sizes: Mapping[str, int],
    reserved: Iterable[str] = (),
) -> list[tuple[str, Sequence[Group]]]:
    """Each block with its name: that of the last split where it is a layer of that; the function's where one alone has
    it; else that of its largest package. None has a name that is ``reserved``.
    """
    blocks = list(blocks)
    found = [(group.layer.name, block) for block in blocks for group in block if group.layer is not None]
    taken = {name.casefold() for name in (*reserved, *(name for name, _ in found))}
    rest = [block for block in blocks if all(group.layer is None for group in block)]
    wanted = [(_wanted(block, functions, sizes), block) for block in rest]
    # Shared names first, so that a function which is called like one of them changes no other layer's name.
    for (alone, name), block in sorted(wanted, key=lambda one: (one[0], one[1][0].packages)):
        free = _free(name, taken, "only" if alone else "more")
        taken.add(free.casefold())
        found.append((free, block))
    return found


def _wanted(block: Sequence[Group], functions: Sequence[Function], sizes: Mapping[str, int]) -> tuple[bool, str]:
    users = 0
    for group in block:
        users |= group.users
    if users.bit_count() == 1:
        return True, _fitting(functions[next(bits(users))].name)
    largest = min((name for group in block for name in group.packages), key=lambda name: (-sizes[name], name))
    return False, _fitting(f"{SHARED}-{largest}")


def _fitting(name: str) -> str:
    return fitting_name(name, LONGEST_LAYER_NAME - _ROOM)


def _free(name: str, taken: Collection[str], word: str) -> str:
    """The name itself, or one like it that no other layer has, on disks too that take A for a."""
    number = 1
    free = name
    while free.casefold() in taken:
        free = f"{name}-{word}" + (f"-{number}" if number > 1 else "")
        number += 1
    return free
