"""Paths of a layer as Lambda sees them below ``/opt``: links followed, modules told from other files."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from layerforge.examine.examination import Examination, Member

_OPT = "/opt/"
_MOST_LINKS = 40
"""Links that the kernel follows for one path."""


@dataclass(frozen=True, kw_only=True)
class Index:
    """The members of an archive by path, and every folder that they lie in."""

    members: Mapping[str, Member]
    folders: frozenset[str]


def index(examination: Examination) -> Index:
    """The index of an archive."""
    members = {member.path: member for member in examination.members}
    folders = {member.path.rstrip("/") for member in examination.folders}
    for path in members:
        parts = path.split("/")[:-1]
        folders.update("/".join(parts[:count]) for count in range(1, len(parts) + 1))
    return Index(members=members, folders=frozenset(folders))


def follow(layer: Index, path: str) -> str | None:
    """Where ``path`` leads once every link in it is followed; ``None`` where it leaves the layer or goes in circles.

    What it leads to need not be there.
    """
    ahead, done, links = deque(path.split("/")), list[str](), 0
    while ahead:
        part = ahead.popleft()
        if part == "..":
            if not done:
                return None
            done.pop()
        elif part not in {"", "."}:
            done.append(part)
            member = layer.members.get("/".join(done))
            if member is None or not member.link:
                continue
            links += 1
            if links > _MOST_LINKS or (member.link.startswith("/") and not member.link.startswith(_OPT)):
                return None
            done = [] if member.link.startswith(_OPT) else done[:-1]
            ahead.extendleft(reversed(member.link.removeprefix(_OPT).split("/")))
    return "/".join(done)


def reached(layer: Index, path: str) -> Member | None:
    """The file that ``path`` leads to; ``None`` where there is none."""
    place = follow(layer, path)
    return None if place is None else layer.members.get(place)
