"""What the code of a layer needs: packages that nothing names, and files that the prune pass would drop.

A package counts as named wherever a word in an import statement or in quotes says so, which is more than what is really
imported. So what nothing names is safe to be called so.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from layerforge.core.paths import site_dir
from layerforge.examine.examination import Kind, Member
from layerforge.layer.passes import needs, prune, prune_rules
from layerforge.layer.passes.naming import Source
from layerforge.layer.programs import BIN
from layerforge.report.advice.evidence import LayerEvidence, Proposal, whole
from layerforge.resolve import excluding

_STATEMENT = re.compile(rb"\b(?:from|import)[ \t][^\n]*(?:(?<=\\)\n[^\n]*)*")
MOST_PACKAGES = 500
"""Packages that a layer may have to be judged at all; the largest layers have about 150."""

BY_RUNTIME = frozenset({"tzdata"})
"""Packages that the standard library imports."""


def unused(evidence: LayerEvidence) -> Iterator[Proposal]:
    """Packages that are neither what the layer is for nor named by the code of any other package."""
    candidates = _candidates(evidence) if len(evidence.tops) <= MOST_PACKAGES else set()
    for name in sorted(candidates - _named(evidence, candidates)):
        askers = sorted(one for one, needs in evidence.needs.items() if name in needs)
        asked = f", though {', '.join(askers)} asks for it" if askers else ""
        yield Proposal(
            kind="unused-package",
            what=f"no code of another package names {name}{asked}",
            how=f"`{excluding.options([name])}` leaves it out, if your function does not import it either, and no "
            "plug-in does",
            savings=whole(member for member in evidence.examination.members if member.package == name),
        )


def _candidates(evidence: LayerEvidence) -> set[str]:
    """Packages of which it can be told whether something imports them."""
    counts = Counter(top for names in evidence.tops.values() for top in names)
    plugins = {member.package for member in evidence.examination.members if _is_plugin(evidence, member)}
    judged = {name for name, names in evidence.tops.items() if names and all(counts[top] == 1 for top in names)}
    return judged - evidence.requested - BY_RUNTIME - plugins


def _is_plugin(evidence: LayerEvidence, member: Member) -> bool:
    """Whether a file names entry points, by which other packages find its own without naming it."""
    if not member.path.endswith(".dist-info/entry_points.txt"):
        return False
    groups = re.findall(rb"^\[([^\]\r\n]+)\]", evidence.read(member.path), re.MULTILINE)
    return any(group.strip() not in {b"console_scripts", b"gui_scripts"} for group in groups)


def _named(evidence: LayerEvidence, candidates: Collection[str]) -> set[str]:
    """Those ``candidates`` that a file of another package names: in an import, in quotes, in compiled code, or as a
    library that it needs.
    """
    sonames: dict[str, set[str]] = {name: set() for name in candidates}
    for member in evidence.examination.members:
        if member.elf and member.package in sonames:
            sonames[member.package].add(member.elf.soname)
    waiting = {name: evidence.tops[name] for name in candidates}
    found: set[str] = set()
    # Sources first: they tell most, and cost least.
    for member in sorted(evidence.examination.members, key=_cost):
        if not waiting or _cost(member) == _OTHER:
            break
        others = {name: tops for name, tops in waiting.items() if name != member.package}
        if others:
            found |= set(_names_in(evidence, member, others))
            found |= {name for name in others if member.elf and sonames[name] & set(member.elf.needed)}
            waiting = {name: tops for name, tops in waiting.items() if name not in found}
    return found


_SOURCE, _BYTECODE, _NATIVE, _OTHER = range(4)


def _cost(member: Member) -> int:
    if member.link:
        return _OTHER
    if member.path.endswith(".py"):
        return _SOURCE
    return {Kind.BYTECODE: _BYTECODE, Kind.NATIVE: _NATIVE}.get(member.kind, _OTHER)


def _names_in(evidence: LayerEvidence, member: Member, others: dict[str, frozenset[str]]) -> Iterator[str]:
    data = evidence.read(member.path)
    held = {name: tops for name, tops in others.items() if any(top.encode() in data for top in tops)}
    if held and member.path.endswith(".py"):
        words = b"|".join(re.escape(top.encode()) for tops in held.values() for top in tops)
        quoted = re.compile(rb"[\"'](" + words + rb")[\"'.]")
        statements = b"\n".join(_STATEMENT.findall(data))
        hits = {*re.findall(rb"\b(" + words + rb")\b", statements), *quoted.findall(data)}
        yield from (name for name, tops in held.items() if any(top.encode() in hits for top in tops))
    else:
        yield from held


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What the default rules make of a layer."""

    droppable: Mapping[str, str]
    """Rule by path, of the files that they drop: what the code of the layer needs is not among them."""
    removable: Mapping[str, str]
    """Why they leave it, by path, of what a recipe may remove."""


def judged(evidence: LayerEvidence) -> Judged:
    """What the default rules make of a layer."""
    droppable: dict[str, str] = {}
    removable: dict[str, str] = {}
    programs = [one for one in evidence.examination.members if one.path.startswith(BIN) and one.started_by]
    for folder, members in _by_site(evidence).items():
        names = [member.path.removeprefix(folder) for member in members]
        default = prune_rules.by_default(names, partial(_read, evidence, folder))
        there = [(one, one.path.removeprefix(folder)) for one in members if not one.link]
        files = (
            Source(name=name, package=one.package, read=partial(evidence.read, one.path))
            for one, name in [*there, *((one, f"../{one.path}") for one in programs)]
        )
        found = needs.needed(files, default.doomed, [*default.left, *default.suspected])
        droppable |= {folder + name: rule for name, rule in default.doomed.items() if name not in found}
        left = ((name, prune.why_left(name, default, found)) for name in names)
        removable |= {folder + name: why.reason for name, why in left if why and why.removable}
    return Judged(droppable=droppable, removable=removable)


def _read(evidence: LayerEvidence, folder: str, name: str) -> bytes:
    return evidence.read(folder + name)


def _by_site(evidence: LayerEvidence) -> Mapping[str, list[Member]]:
    """Files by the folder on ``sys.path`` that they lie in."""
    found: dict[str, list[Member]] = {}
    for member in evidence.examination.members:
        if folder := site_dir(member.path):
            found.setdefault(folder, []).append(member)
    return found
