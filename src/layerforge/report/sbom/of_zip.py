"""The SBOM of any layer's zip, whoever made it."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence

from layerforge.core import digest
from layerforge.core.paths import below_site
from layerforge.core.runtimes import Target
from layerforge.examine.examination import Examination, Member
from layerforge.layer.distributions import Distribution
from layerforge.report.sbom import vendored
from layerforge.report.sbom.cyclonedx import text
from layerforge.report.sbom.parts import Document, SbomPart, SharedLibrary, is_library, pypi
from layerforge.resolve import markers

_NO_MODULES = frozenset({"lib", "bin", "__pycache__"})


def wanted(path: str) -> bool:
    """Whether ``of_zip`` reads the contents of the file at ``path``."""
    return vendored.is_metadata(path) or vendored.is_sbom(path)


def of_zip(seen: Examination, target: Target, contents: Mapping[str, bytes]) -> str:
    """The SBOM of any layer's zip, made for ``target``. ``contents`` are those of the ``wanted`` files by path."""
    files, unowned = _shared_out(seen)
    orphans = _by_top(unowned)
    known = {member.path for group in orphans.values() for member in group}
    environment = markers.environment(target)
    document = Document(
        name=seen.path.stem,
        sha256=seen.sha256,
        content_sha256=seen.content_sha256,
        parts=(
            *(_found(one, files.get(one.info, ()), contents, environment) for one in seen.distributions),
            *(_orphan(name, group) for name, group in orphans.items()),
        ),
        loose=tuple(_native(member for member in unowned if member.path not in known)),
    )
    return text(document)


def without_metadata(seen: Examination) -> tuple[str, ...]:
    """Names of the top-level packages and modules of which nothing but the name is known."""
    return tuple(_by_top(_shared_out(seen)[1]))


def _shared_out(seen: Examination) -> tuple[dict[str, list[Member]], list[Member]]:
    """Files by the ``.dist-info`` folder that they came with, each with one, and those that came with none."""
    infos = {one.info: one for one in seen.distributions}
    by_name: dict[str, list[Distribution]] = {}
    for one in seen.distributions:
        by_name.setdefault(one.name, []).append(one)
    files: dict[str, list[Member]] = {}
    unowned: list[Member] = []
    for member in seen.members:
        head, mark, _ = member.path.partition(".dist-info/")
        own = infos.get(f"{head}.dist-info") if mark else None
        # Of a package that is there twice, each has what lies in its own folder.
        owners = [own] if own else by_name.get(member.package, [])
        if owners:
            owner = max(owners, key=lambda one: _nearness(one, member.path))
            files.setdefault(owner.info, []).append(member)
        else:
            unowned.append(member)
    return files, unowned


def _nearness(one: Distribution, path: str) -> int:
    site = posixpath.dirname(one.info)
    return len(site) if path.startswith(f"{site}/") else 0


def _found(
    one: Distribution, members: Sequence[Member], contents: Mapping[str, bytes], environment: Mapping[str, str]
) -> SbomPart:
    metadata = contents.get(f"{one.info}/METADATA", b"")
    told = [path for member in members if (path := member.path) in contents and path != f"{one.info}/METADATA"]
    return SbomPart(
        name=one.name,
        version=one.version,
        purl=pypi(one.name, one.version),
        licence=one.licence,
        content=_content(members),
        record=next((member.sha256 for member in members if member.path == f"{one.info}/RECORD"), ""),
        libraries=tuple(library for library in _native(members) if is_library(library.path)),
        inside=tuple(row for path in told for row in vendored.declared_components(path, contents[path], one.name)),
        requires=vendored.requires(metadata, environment),
        sonames=_sonames(members),
    )


def _orphan(name: str, members: Sequence[Member]) -> SbomPart:
    """A top-level package or module without any metadata, of which only the name is known."""
    return SbomPart(name=name, content=_content(members), libraries=tuple(_native(members)), sonames=_sonames(members))


def _by_top(members: Iterable[Member]) -> dict[str, list[Member]]:
    """Files of the top-level modules, by name; without those of folders that hold no code."""
    tops: dict[str, list[Member]] = {}
    for member in members:
        tops.setdefault(_top(member.path), []).append(member)
    return {name: group for name, group in sorted(tops.items()) if name and any(map(_is_code, group))}


def _top(path: str) -> str:
    """Name of the top-level module that a file stands under; empty where none can be there."""
    name = below_site(path).partition("/")[0].partition(".")[0]
    return name if name.isidentifier() and name not in _NO_MODULES else ""


def _is_code(member: Member) -> bool:
    return member.path.endswith((".py", ".pyc")) or member.elf is not None


def _content(members: Sequence[Member]) -> str:
    rows = [(0, member.sha256, member.path) for member in members if not member.link]
    return digest.of_contents(rows) if rows else ""


def _sonames(members: Iterable[Member]) -> frozenset[str]:
    return frozenset(soname for member in members if member.elf for soname in member.elf.needed)


def _native(members: Iterable[Member]) -> Iterator[SharedLibrary]:
    for member in members:
        if (member.elf or is_library(member.path)) and not member.link:
            soname, needed = (member.elf.soname, member.elf.needed) if member.elf else ("", ())
            yield SharedLibrary(path=member.path, sha256=member.sha256, soname=soname, needed=needed)
