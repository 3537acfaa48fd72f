"""What advice is built on: an examined layer, the bytes of its files, and what lies beside it."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from layerforge.core.paths import below_site
from layerforge.core.runtimes import Target
from layerforge.examine.examination import Examination, Member
from layerforge.layer.imports import top_level
from layerforge.report.manifest import Manifest
from layerforge.resolve import markers
from layerforge.resolve.runtime_versions import is_capped

Reader = Callable[[str], bytes]
"""Contents of a file of the layer, by its path."""


class Imported(Protocol):
    """A module as a cold start imported it. Times in microseconds, those of the modules that it imported included."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def total_us(self) -> int: ...  # noqa: D102
    @property
    def children(self) -> Sequence[Imported]: ...  # noqa: D102


@dataclass(frozen=True, kw_only=True)
class Saving:
    """Bytes of one file that would go. ``zipped`` is ``None`` where that was not measured."""

    unzipped: int
    zipped: int | None


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """Something that would help, file by file, before it is weighed against the others."""

    kind: str
    what: str
    """What is the matter, as the beginning of a sentence that goes on with the bytes."""
    how: str
    """What to do about it."""
    savings: Mapping[str, Saving] = field(default_factory=dict)
    """By path. Empty where it saves time alone."""
    ms: float | None = None


@dataclass(frozen=True, kw_only=True)
class LayerEvidence:
    """Everything that is known of a layer without running it, and the import times of a cold start where there are."""

    target: Target
    examination: Examination
    read: Reader
    manifest: Manifest | None = None
    imports: Sequence[Imported] = ()

    @cached_property
    def tops(self) -> Mapping[str, frozenset[str]]:
        """Names by which each distribution can be imported."""
        found: dict[str, set[str]] = {one.name: set() for one in self.examination.distributions}
        for member in self.examination.members:
            if member.package in found and (name := top_level(below_site(member.path))):
                found[member.package].add(name)
        return {name: frozenset(tops) for name, tops in found.items()}

    @cached_property
    def requirements(self) -> Mapping[str, tuple[Requirement, ...]]:
        """What each distribution's METADATA asks for, what its extras ask for left out."""
        environment = markers.environment(self.target)
        return {
            one.name: markers.asked(self.read(f"{one.info}/METADATA"), environment)
            for one in self.examination.distributions
            if f"{one.info}/METADATA" in self.examination.by_path
        }

    @cached_property
    def needs(self) -> Mapping[str, frozenset[str]]:
        """Names of the distributions that each distribution asks for."""
        return {name: frozenset(map(_name, wanted)) for name, wanted in self.requirements.items()}

    @cached_property
    def capped(self) -> Mapping[str, frozenset[str]]:
        """Names of those that each distribution asks for in no newer a version than it names, unless the runtime's own
        will do in any case.
        """
        return {
            name: frozenset(_name(one) for one in wanted if is_capped(one, self.target.runtime))
            for name, wanted in self.requirements.items()
        }

    @cached_property
    def requested(self) -> frozenset[str]:
        """Distributions that the layer is for: as its manifest says, else those that no other one asks for."""
        if self.manifest:
            return frozenset(map(_name, filter(None, map(_requirement, self.manifest.requires))))
        asked = {need for name, needs in self.needs.items() for need in needs - {name}}
        return frozenset(self.tops) - asked

    def needed_by(self, names: Iterable[str]) -> frozenset[str]:
        """``names``, and all that they need, directly or not."""
        found: set[str] = set()
        waiting = set(names)
        while waiting:
            found |= waiting
            waiting = {need for name in waiting for need in self.needs.get(name, ())} - found
        return frozenset(found)

    def members(self, paths: Iterable[str]) -> Iterator[Member]:
        """The members at ``paths``, of those that are there."""
        wanted = frozenset(paths)
        return (member for member in self.examination.members if member.path in wanted)


def whole(members: Iterable[Member]) -> dict[str, Saving]:
    """What it saves to leave ``members`` out."""
    return {member.path: Saving(unzipped=member.size, zipped=member.zipped) for member in members}


def info(path: str) -> str:
    """The ``.dist-info`` folder that ``path`` lies in; empty where it lies in none."""
    folder = posixpath.dirname(path)
    while folder and not folder.endswith(".dist-info"):
        folder = posixpath.dirname(folder)
    return folder


def _name(requirement: Requirement) -> str:
    return canonicalize_name(requirement.name)


def _requirement(text: str) -> Requirement | None:
    try:
        return Requirement(text)
    except InvalidRequirement:
        return None
