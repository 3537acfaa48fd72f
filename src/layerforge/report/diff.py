"""Differences between two layers: pure functions over what is known of each, largest growth first.

Works for layers of any make. Every unzipped byte is counted once: the files' changes add up to the packages', and those
to the layer's.
"""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from layerforge.core.findings import Finding
from layerforge.core.limits import FULL_CPU_MB
from layerforge.core.runtimes import Target
from layerforge.examine.examination import Examination, Member
from layerforge.report.manifest import Manifest

UNKNOWN = "unknown"
"""Version of what is there without metadata."""

_VOLATILE = re.compile(
    r"""
    (?<=[^/])-[^/-]+(?=\.dist-info/)              # version of a distribution
    | (?<=/)__pycache__/                          # where bytecode stands
    | \.cpython-3\d+(?:-[^/.]*)?(?:\.opt-\d)?(?=\.)  # Python and platform that a module was compiled for
    | (?<=[^/])-[0-9a-f]{8}(?=(?:\.[^/]*)?\.so)   # hash that auditwheel puts into a library's name
    """,
    re.VERBOSE,
)
"""Parts of a path that vary between builds of the same file."""

Times = Mapping[int, tuple[float, ...]]
"""Milliseconds of each init phase, by memory of the function in MB."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two layers, and what is known of it."""

    target: Target
    examination: Examination
    findings: tuple[Finding, ...]
    manifest: Manifest | None = None
    init_ms: Times = field(default_factory=dict)
    """Where they were measured."""


@dataclass(frozen=True, kw_only=True)
class Delta:
    """A number before and after."""

    before: float
    after: float

    @property
    def change(self) -> float:
        """Positive for growth."""
        return self.after - self.before

    @property
    def ratio(self) -> float | None:
        """Change as a share of what was before; ``None`` where that was nothing."""
        return self.change / self.before if self.before else None


@dataclass(frozen=True, kw_only=True)
class Init:
    """The init phases of both layers at one size of the function."""

    memory_mb: int
    ms: Delta
    """Medians."""
    in_turns: bool
    """Measured in one run, the one layer and the other in turns, so that a slow minute met both."""
    overlap: bool
    """The slowest of the one took as long as the fastest of the other, so that the difference may be chance."""


@dataclass(frozen=True, kw_only=True)
class ChangedPart:
    """A package, a kind or a file that is not what it was."""

    name: str
    """Empty for the files that belong to no package."""
    before: str
    """Version of a package, path of a file; empty where it was not there."""
    after: str
    files: Delta
    unzipped: Delta
    zipped: Delta


@dataclass(frozen=True, kw_only=True)
class Circumstance:
    """A circumstance of how the layers were made that differs."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Differences between two layers. Parts are sorted by growth of the unzipped bytes, largest first."""

    same_bytes: bool
    same_content: bool
    """Equal files at equal paths, whatever compressed them."""
    zipped: Delta
    unzipped: Delta
    count: Delta
    """Files and links."""
    init: Init | None
    """``None`` where it was not measured of both at one size."""
    packages: tuple[ChangedPart, ...]
    kinds: tuple[ChangedPart, ...]
    files: tuple[ChangedPart, ...]
    """Each file with other bytes, or that is there on one side only; ``name`` is the package."""
    new: tuple[Finding, ...]
    gone: tuple[Finding, ...]
    made: tuple[Circumstance, ...]


def compare(old: Side, new: Side, *, in_turns: bool = False) -> Changes:
    """What ``new`` has that ``old`` had not, and the other way round. ``in_turns``: whether the init phases were
    measured so.
    """
    then, now = old.examination, new.examination
    return Changes(
        same_bytes=then.sha256 == now.sha256,
        same_content=then.content_sha256 == now.content_sha256,
        zipped=Delta(before=then.zipped, after=now.zipped),
        unzipped=Delta(before=then.unzipped, after=now.unzipped),
        count=Delta(before=len(then.members), after=len(now.members)),
        init=_init(old.init_ms, new.init_ms, in_turns=in_turns),
        packages=_by_growth(_packages(old, new)),
        kinds=_by_growth(_kinds(then, now)),
        files=_by_growth(_files(then, now)),
        new=tuple(_only_first(new.findings, old.findings)),
        gone=tuple(_only_first(old.findings, new.findings)),
        made=tuple(_differing(old, new)),
    )


def _init(before: Times, after: Times, *, in_turns: bool) -> Init | None:
    """At the size that both were measured at: that of one whole processor, else the largest."""
    size = max(before.keys() & after.keys(), key=lambda size: (size == FULL_CPU_MB, size), default=None)
    if size is None:
        return None
    then, now = before[size], after[size]
    return Init(
        memory_mb=size,
        ms=Delta(before=statistics.median(then), after=statistics.median(now)),
        in_turns=in_turns,
        overlap=min(now) <= max(then) and min(then) <= max(now),
    )


def _by_growth(parts: Iterable[ChangedPart]) -> tuple[ChangedPart, ...]:
    return tuple(sorted(parts, key=lambda one: (-one.unzipped.change, -one.zipped.change, one.name, one.after)))


def _part_of(name: str, before: str, after: str, old: Iterable[Member], new: Iterable[Member]) -> ChangedPart:
    old, new = tuple(old), tuple(new)
    return ChangedPart(
        name=name,
        before=before,
        after=after,
        files=Delta(before=len(old), after=len(new)),
        unzipped=Delta(before=sum(one.size for one in old), after=sum(one.size for one in new)),
        zipped=Delta(before=sum(one.zipped for one in old), after=sum(one.zipped for one in new)),
    )


def _packages(old: Side, new: Side) -> Iterator[ChangedPart]:
    """Packages with another version or other bytes; what no package owns is one of them, without a name."""
    then, now = _versions(old), _versions(new)
    before, after = _groups(old.examination, "package"), _groups(new.examination, "package")
    for name in sorted({*then, *now, *before, *after}):
        was, now_is = before.get(name, ()), after.get(name, ())
        versions = [
            version or (UNKNOWN if group else "")
            for version, group in ((then.get(name, ""), was), (now.get(name, ""), now_is))
        ]
        if versions[0] != versions[1] or _content(was) != _content(now_is):
            yield _part_of(name, versions[0], versions[1], was, now_is)


def _versions(side: Side) -> dict[str, str]:
    """Version by package: of the distributions, and of the libraries that the manifest names beside them."""
    found: dict[str, list[str]] = {}
    for one in side.examination.distributions:
        found.setdefault(one.name, []).append(one.version)
    versions = {name: ", ".join(sorted(set(many))) for name, many in found.items()}
    libraries = side.manifest.packages if side.manifest else ()
    return {one.name: one.version for one in libraries if not one.info} | versions


def _kinds(old: Examination, new: Examination) -> Iterator[ChangedPart]:
    before, after = _groups(old, "kind"), _groups(new, "kind")
    for name in sorted({*before, *after}):
        was, now = before.get(name, ()), after.get(name, ())
        if _content(was) != _content(now):
            yield _part_of(name, name if was else "", name if now else "", was, now)


def _groups(examination: Examination, key: str) -> dict[str, tuple[Member, ...]]:
    groups: dict[str, list[Member]] = {}
    for member in examination.members:
        groups.setdefault(str(getattr(member, key)), []).append(member)
    return {name: tuple(members) for name, members in groups.items()}


def _content(members: Iterable[Member]) -> frozenset[tuple[str, str, int]]:
    return frozenset((member.path, member.sha256, member.mode) for member in members)


def _files(old: Examination, new: Examination) -> Iterator[ChangedPart]:
    """Each file that is not what it was. One whose name alone tells another build counts as the same file."""
    then, now = _paths(old.members), _paths(new.members)
    was = {after: before for before, after in _pairs(then, now).items()}
    for path, member in now.items():
        before = then.get(was.get(path, ""))
        if before is None:
            yield _part_of(member.package, "", path, (), (member,))
        elif (before.sha256, before.mode) != (member.sha256, member.mode):
            yield _part_of(member.package, before.path, path, (before,), (member,))
    for path in then.keys() - was.values():
        yield _part_of(then[path].package, path, "", (then[path],), ())


def _paths(members: Iterable[Member]) -> dict[str, Member]:
    return {member.path: member for member in members}


def _pairs(then: Mapping[str, Member], now: Mapping[str, Member]) -> dict[str, str]:
    """Path after by path before, for files that are there on both sides."""
    same = {path: path for path in then.keys() & now.keys()}
    old, new = _stable(then.keys() - same.keys()), _stable(now.keys() - same.keys())
    return same | {old[name]: new[name] for name in old.keys() & new.keys()}


def _stable(paths: Iterable[str]) -> dict[str, str]:
    """Path by its name without what changes with every build, where that is one path's alone."""
    paths = tuple(paths)
    counts = Counter(map(stable_name, paths))
    return {name: path for path in paths if counts[name := stable_name(path)] == 1}


def stable_name(path: str) -> str:
    """``path`` without version, platform and hash: ``demo.dist-info/RECORD``, ``demo.libs/libx.so.1``."""
    return _VOLATILE.sub("", path)


def _only_first(first: Iterable[Finding], second: Iterable[Finding]) -> Iterator[Finding]:
    """The findings that only ``first`` has: of a rule and about a file of which the other has fewer."""
    known = Counter(map(_subject, second))
    for finding in first:
        known[_subject(finding)] -= 1
        if known[_subject(finding)] < 0:
            yield finding


def _subject(finding: Finding) -> tuple[str, str, str]:
    return finding.rule, str(finding.severity), stable_name(finding.path)


def _differing(old: Side, new: Side) -> Iterator[Circumstance]:
    before, after = _circumstances(old), _circumstances(new)
    for name in (name for name in before if name in after and before[name] != after[name]):
        yield Circumstance(name=name, before=before[name], after=after[name])


def _circumstances(side: Side) -> dict[str, str]:
    plain = {"Python": side.target.python, "processor": str(side.target.arch)}
    manifest = side.manifest
    if manifest is None:
        return plain
    packages = manifest.bytecode.packages
    return plain | {
        "layerforge": manifest.layerforge,
        "engine": manifest.engine,
        "interpreter": manifest.interpreter,
        "requirements": " ".join(manifest.requires),
        "left out": " ".join(one.name for one in manifest.left_out),
        "compression": str(manifest.compression),
        "bytecode": str(manifest.bytecode.mode),
        "docstrings": manifest.bytecode.told,
        "columns": manifest.bytecode.told_of_columns,
        **{f"optimize of {name}": str(one.optimize) for name, one in packages.items() if one.optimize},
        "budget, unzipped": _bytes(manifest.budget.unzipped),
        "budget, zipped": _bytes(manifest.budget.zipped),
        **{f"origin of {one.name}": one.origin for one in manifest.packages},
    }


def _bytes(size: int | None) -> str:
    return "none" if size is None else f"{size:,} bytes"
