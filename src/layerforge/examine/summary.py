"""Pure sums over an examined archive: where its bytes are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from layerforge.examine.examination import Examination, Member

SMALLEST_DUPLICATE = 4096
"""Bytes from which on a second copy is worth a line."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """What one group of files takes."""

    name: str
    """Package or kind; empty for files that belong to no package."""
    files: int
    unzipped: int
    zipped: int


@dataclass(frozen=True, kw_only=True)
class Duplicate:
    """Files with the same bytes."""

    sha256: str
    size: int
    """Bytes of one copy."""
    paths: tuple[str, ...]

    @property
    def wasted(self) -> int:
        """Unzipped bytes of all copies but one."""
        return self.size * (len(self.paths) - 1)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Where the bytes of an archive are. Packages and kinds each count every byte once; largest first."""

    total: Share
    packages: tuple[Share, ...]
    kinds: tuple[Share, ...]
    largest: tuple[Member, ...]
    duplicates: tuple[Duplicate, ...]
    """Byte-identical files of at least 4 KiB; links are none."""
    overhead: int
    """Bytes of the zip that belong to no file's contents: its headers and its directory."""


def summarize(examination: Examination, *, largest: int = 20) -> Summary:
    """The sums of ``examination``, with its ``largest`` biggest files."""
    members = examination.members
    total = _share("", members)
    return Summary(
        total=total,
        packages=_shares(members, lambda member: member.package),
        kinds=_shares(members, lambda member: str(member.kind)),
        largest=tuple(sorted(members, key=lambda member: (-member.size, member.path))[:largest]),
        duplicates=_duplicates(members),
        overhead=examination.zipped - total.zipped,
    )


def _share(name: str, members: Iterable[Member]) -> Share:
    members = tuple(members)
    return Share(
        name=name,
        files=len(members),
        unzipped=sum(member.size for member in members),
        zipped=sum(member.zipped for member in members),
    )


def _shares(members: Iterable[Member], key: Callable[[Member], str]) -> tuple[Share, ...]:
    groups: dict[str, list[Member]] = {}
    for member in members:
        groups.setdefault(key(member), []).append(member)
    shares = (_share(name, group) for name, group in groups.items())
    return tuple(sorted(shares, key=lambda share: (-share.unzipped, share.name)))


def _duplicates(members: Iterable[Member]) -> tuple[Duplicate, ...]:
    groups: dict[tuple[str, int], list[str]] = {}
    for member in members:
        if member.size >= SMALLEST_DUPLICATE and not member.link:
            groups.setdefault((member.sha256, member.size), []).append(member.path)
    found = (
        Duplicate(sha256=sha256, size=size, paths=tuple(sorted(paths)))
        for (sha256, size), paths in groups.items()
        if len(paths) > 1
    )
    return tuple(sorted(found, key=lambda one: (-one.wasted, one.paths)))
