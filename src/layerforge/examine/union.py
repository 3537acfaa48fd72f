"""Several archives as a function has them: laid over one another below ``/opt``, where the last one's files count."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from layerforge.core import digest
from layerforge.core.filing import write_atomically
from layerforge.examine import zip_content, zip_directory
from layerforge.examine.examination import Examination, Member
from layerforge.layer.archive import EARLIEST, Packed, write


def together(parts: Sequence[Examination]) -> Examination:
    """What is known of archives together, of which a function with these layers finds the last one's files."""
    if len(parts) == 1:
        return parts[0]
    members: dict[str, Member] = {member.path: member for part in parts for member in part.members}
    kept = tuple(members[path] for path in sorted(members))
    return Examination(
        path=Path(" + ".join(part.path.name for part in parts)),
        sha256="",
        content_sha256=digest.of_contents((one.mode, one.sha256, one.path) for one in kept),
        zipped=sum(part.zipped for part in parts),
        unzipped=sum(part.unzipped for part in parts),
        members=kept,
        distributions=tuple(sorted((one for part in parts for one in part.distributions), key=lambda one: one.info)),
        folders=tuple({member.path: member for part in parts for member in part.folders}.values()),
    )


def union(parts: Sequence[Examination], into: Path) -> Examination:
    """The same of archives that are written to ``into`` as one. Each is uploaded by itself, so the largest one's zipped
    bytes count.

    Raises ``VerificationError`` where one was damaged since it was examined.
    """
    rows: dict[str, Packed] = {}
    for part in parts:
        rows |= {row.name.decode("utf-8", "surrogateescape"): row for row in _rows(part.path)}
    write_atomically(into, write([rows[name] for name in sorted(rows)], EARLIEST))
    sha256 = digest.of_json([part.sha256 for part in parts])
    return replace(together(parts), path=into, sha256=sha256, zipped=max(part.zipped for part in parts))


def contested(parts: Sequence[Examination]) -> dict[str, tuple[Member, ...]]:
    """What several archives have at the same path, by that path, in their order."""
    found: dict[str, tuple[Member, ...]] = {}
    for part in parts:
        for member in part.members:
            found[member.path] = (*found.get(member.path, ()), member)
    return {path: members for path, members in sorted(found.items()) if len(members) > 1}


def _rows(path: Path) -> list[Packed]:
    """The entries of an archive as they stand there, without those for folders."""
    with zip_content.opened(path) as data:
        return [
            Packed(
                name=entry.name.encode("utf-8", "surrogateescape"),
                mode=entry.mode or stat.S_IFREG | 0o644,
                size=entry.size,
                crc=entry.crc,
                sha256="",
                stored=not entry.deflated,
                stream=data[entry.start : entry.start + entry.zipped],
            )
            for entry in zip_directory.entries(data, path)
            if not entry.is_folder
        ]
