"""How Lambda's kernel and loader find a file of a layer: links followed, libraries looked for."""

from __future__ import annotations

import posixpath
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from layerforge.core.paths import LIBRARIES, OPT

_MOST_LINKS = 40
"""Links that the kernel follows for one path."""

_ORIGIN = re.compile(r"\$(?:ORIGIN\b|\{ORIGIN\})", re.ASCII)


def follow(links: Mapping[str, str], path: str) -> str | None:
    """Where ``path`` of a layer leads once every link in it is followed, by the target of each link's path; ``None``
    where it leaves the layer or goes in circles.

    What it leads to need not be there.
    """
    ahead, done, followed = deque(path.split("/")), list[str](), 0
    while ahead:
        part = ahead.popleft()
        if part == "..":
            if not done:
                return None
            done.pop()
        elif part not in {"", "."}:
            done.append(part)
            link = links.get("/".join(done))
            if not link:
                continue
            followed += 1
            if followed > _MOST_LINKS or (link.startswith("/") and not link.startswith(OPT)):
                return None
            done = [] if link.startswith(OPT) else done[:-1]
            ahead.extendleft(reversed(link.removeprefix(OPT).split("/")))
    return "/".join(done)


def expanded(entry: str, path: str) -> str:
    """An entry of an RPATH as the absolute path that it means for a library that was opened at ``path`` of a layer."""
    origin = posixpath.join(OPT, posixpath.dirname(path))
    return posixpath.normpath(_ORIGIN.sub(lambda _: origin, entry))


def own_folders(path: str, runpath: Iterable[str]) -> Iterator[str]:
    """Folders of the layer that the RPATH of a library opened at ``path`` names."""
    for entry in runpath:
        folder = f"{expanded(entry, path)}/"
        if folder.startswith(OPT):
            yield folder.removeprefix(OPT).rstrip("/")


def searched(path: str, runpath: Iterable[str]) -> Iterator[str]:
    """Folders of the layer that the loader searches for what a library opened at ``path`` needs."""
    yield from own_folders(path, runpath)
    # In a wheel's own folder of libraries, what loads them has the RPATH, and they inherit it.
    here = posixpath.dirname(path)
    if here.endswith(".libs"):
        yield here
    yield LIBRARIES
