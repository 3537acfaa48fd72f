"""Advice for recipes: what the prune pass left that looks like dead weight, and the globs that would remove it."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from layerforge.core.paths import below_site, folders
from layerforge.core.text import counted, megabytes
from layerforge.examine.examination import Member
from layerforge.layer import pyc
from layerforge.report.advice import sources
from layerforge.report.advice.evidence import LayerEvidence, Proposal, whole

MOST_GLOBS = 6
"""Globs that one piece of advice shows; a recipe of more is for a person to write."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Files of one package that one glob of a recipe would remove."""

    glob: str
    files: tuple[Member, ...]

    @property
    def size(self) -> int:
        """Unzipped bytes."""
        return sum(member.size for member in self.files)


def removable(evidence: LayerEvidence) -> Iterator[Proposal]:
    """What looks like dead weight, package by package: no rule can know that nothing reads it, but a person may."""
    reasons = _left(evidence)
    by_package: dict[str, list[Member]] = {}
    rest: list[str] = []
    for member in evidence.examination.members:
        if _written(member) in reasons and member.package and below_site(member.path):
            by_package.setdefault(member.package, []).append(member)
        else:
            rest.append(below_site(_written(member)))
    for package, members in sorted(by_package.items()):
        yield _proposal(package, groups(members, rest), reasons)


def _written(member: Member) -> str:
    """The path of a file; of a compiled module that of its source, with which it would go."""
    return pyc.source_path(member.path) if member.path.endswith(".pyc") else member.path


def _left(evidence: LayerEvidence) -> Mapping[str, str]:
    """Why each file was left that a recipe may remove, by path."""
    if evidence.manifest:
        return {one.path: one.reason for one in evidence.manifest.left if one.removable}
    return sources.judged(evidence).removable


def _proposal(package: str, found: list[Group], reasons: Mapping[str, str]) -> Proposal:
    shown = found[:MOST_GLOBS]
    largest = shown[0]
    why = Counter(reasons[_written(member)].partition(";")[0] for member in largest.files).most_common(1)[0][0]
    names = ", ".join(f'"{group.glob}"' for group in shown)
    more = f" and {counted(len(found) - len(shown), 'glob')} more" if len(found) > len(shown) else ""
    return Proposal(
        kind="recipe-could-remove",
        what=f"{package} has what no rule may drop, most of it in {largest.glob} ({megabytes(largest.size)}, {why})",
        how=f"if your function reads none of it, a recipe of {package} may say `remove = [{names}]`{more}",
        savings=whole(member for group in shown for member in group.files),
    )


def groups(members: Iterable[Member], rest: Collection[str]) -> list[Group]:
    """``members`` by the widest globs that match nothing of the ``rest``, the largest first. Its paths are those
    below the folder on ``sys.path``.
    """
    busy = {(folder, ending) for path in rest for folder in folders(path) for ending in ("", _ending(path))}
    found: dict[str, list[Member]] = {}
    for member in members:
        found.setdefault(_glob(below_site(_written(member)), busy), []).append(member)
    made = [Group(glob=glob, files=tuple(files)) for glob, files in found.items()]
    return sorted(made, key=lambda group: (-group.size, group.glob))


def _glob(path: str, busy: Collection[tuple[str, str]]) -> str:
    """The outermost folder of which everything could go, else the outermost of which all with that ending could."""
    around = folders(path)
    free = next((folder for folder in around if (folder, "") not in busy), "")
    if free:
        return f"{free}/**"
    ending = _ending(path)
    alike = next((folder for folder in around if ending and (folder, ending) not in busy), "")
    return f"{alike}/**/*{ending}" if alike else path


def _ending(path: str) -> str:
    return posixpath.splitext(path)[1]
