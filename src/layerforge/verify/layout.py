"""Paths of a layer as Lambda sees them below ``/opt``, with links followed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from layerforge.examine.examination import Examination, Member
from layerforge.layer.loader import follow


@dataclass(frozen=True, kw_only=True)
class Index:
    """The members of an archive by path, and every folder that they lie in."""

    members: Mapping[str, Member]
    folders: frozenset[str]
    links: Mapping[str, str]
    """Where each link leads."""


def index(examination: Examination) -> Index:
    """The index of an archive."""
    members = examination.by_path
    folders = {member.path.rstrip("/") for member in examination.folders}
    for path in members:
        parts = path.split("/")[:-1]
        folders.update("/".join(parts[:count]) for count in range(1, len(parts) + 1))
    links = {path: member.link for path, member in members.items() if member.link}
    return Index(members=members, folders=frozenset(folders), links=links)


def reached(layer: Index, path: str) -> Member | None:
    """The file that ``path`` leads to; ``None`` where there is none."""
    place = follow(layer.links, path)
    return None if place is None else layer.members.get(place)
