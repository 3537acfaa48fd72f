"""What an installer put into a zip: packages with their versions, and what belongs to none of them."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from layerforge.core import guarded
from layerforge.core.errors import VerificationError
from layerforge.core.paths import site_dir
from layerforge.core.runtimes import Target
from layerforge.core.text import visible
from layerforge.examine.examination import Examination, Member
from layerforge.layer.distributions import Distribution, placed
from layerforge.resolve import markers
from layerforge.resolve.requirement import PACKAGE_NAME

_LEFT_BEHIND = ".lock"
"""What uv leaves in the folder that it installs into."""

_REQUIREMENTS = ".requirements.zip"
"""What serverless-python-requirements packs packages into with ``zip: true``."""


@dataclass(frozen=True, kw_only=True)
class Held:
    """A package as its metadata in a zip names it."""

    name: str
    """Normalised name."""
    version: str
    info: str
    """Its folder of metadata."""
    bytes: int
    """Unzipped, of all its files."""
    broken: str = ""
    """Why it cannot be asked for at all; empty where its metadata are sound."""
    own: str = ""
    """Why no index is to be asked for it; empty where one may be."""
    requires: tuple[Requirement, ...] = ()
    """What it requires without extras."""


@dataclass(frozen=True, kw_only=True)
class Installed:
    """What an installer put into a zip."""

    root: str
    """``python/`` or the like, with its slash; empty for the top of the zip, where a function has them."""
    packages: tuple[Held, ...]
    """By name, each once."""
    loose: tuple[Member, ...]
    """Files that come with no package: own code, and libraries and programs that were laid beside."""
    remarks: tuple[str, ...] = ()
    """What was found more than once, and what does not go together, a line each."""

    @property
    def lacking(self) -> dict[str, str]:
        """What packages require and the zip does not hold, each with one that requires it."""
        there = {one.name for one in self.packages}
        named = ((canonicalize_name(wanted.name), one.name) for one in self.packages for wanted in one.requires)
        return {name: by for name, by in named if name not in there}

    @property
    def roots(self) -> tuple[str, ...]:
        """Names of the packages that no other one requires: those that were asked for in the first place."""
        pairs = ((canonicalize_name(wanted.name), one.name) for one in self.packages for wanted in one.requires)
        needed = {name for name, by in pairs if name != by}
        return tuple(one.name for one in self.packages if one.name not in needed)


def installed(seen: Examination, read: Callable[[str], bytes], target: Target) -> Installed:
    """The packages of a zip. ``read`` gives its files.

    Raises ``VerificationError`` where it has no metadata of packages, or has them where nothing looks for them.
    """
    refuse_without_metadata(seen)
    root = _root(seen)
    groups: dict[str, list[Distribution]] = {}
    for one in seen.distributions:
        groups.setdefault(one.name, []).append(one)
    chosen = [_first(many, seen) for many in groups.values()]
    packages = sorted((_held(one, seen, read, target) for one in chosen), key=lambda one: one.name)
    apart = {f"{root}{_LEFT_BEHIND}"} | {path for one in seen.distributions for path in _scripts(one, seen)}
    apart |= {path for one in seen.distributions for path in _metadata(one, seen)}
    return Installed(
        root=root,
        packages=tuple(packages),
        loose=tuple(one for one in seen.members if not one.package and one.path not in apart),
        remarks=(
            *(_twice(one, groups[one.name]) for one in chosen if len(groups[one.name]) > 1),
            *_unmet(packages),
            *_aside(chosen, root),
        ),
    )


def refuse_without_metadata(seen: Examination) -> None:
    """Raises ``VerificationError`` for a zip that says no versions, with what is likely the reason."""
    if seen.distributions:
        return
    names = [one.path for one in seen.members]
    if any(posixpath.basename(name) == _REQUIREMENTS for name in names):
        inner = next(name for name in names if posixpath.basename(name) == _REQUIREMENTS)
        hint = f"its packages lie in the {inner} in it: unpack that (`unzip`), and rebuild that zip"
    elif any(".egg-info/" in name for name in names):
        hint = "its packages have .egg-info folders, of an old installer: build from the requirements instead"
    else:
        hint = "`slim: true` of serverless-python-requirements takes it away: `layerforge build -r requirements.txt`"
    raise VerificationError(f"{seen.path.name} holds no metadata of packages (.dist-info), so no versions", hint=hint)


def _root(seen: Examination) -> str:
    """The folder that most packages lie in. Raises ``VerificationError`` where it is none of a layer or a function."""
    folders = Counter(_folder(one) for one in seen.distributions)
    root = max(folders, key=lambda folder: (folders[folder], folder))
    if root and site_dir(root) != root:
        raise VerificationError(
            f"the packages of {seen.path.name} lie in {visible(root)}, where neither a layer nor a function has them",
            hint="zip what is in that folder, not the folder: at the top for a function, in python/ for a layer",
        )
    return root


def _folder(one: Distribution) -> str:
    folder = posixpath.dirname(one.info)
    return f"{folder}/" if folder else ""


def _first(many: list[Distribution], seen: Examination) -> Distribution:
    """Of several versions of one package, the one that an import finds: of the folder that comes first on ``sys.path``;
    in one folder that whose files are there.
    """
    return min(many, key=lambda one: (_place(_folder(one)), -_true_rows(one, seen), one.info))


def _place(folder: str) -> int:
    """Lambda looks in a layer's ``site-packages`` before its ``python``."""
    return 0 if "site-packages" in site_dir(folder) else 1 if site_dir(folder) == folder else 2


def _true_rows(one: Distribution, seen: Examination) -> int:
    files = seen.by_path
    return sum(path in files and files[path].sha256 == row.sha256 for path, row in placed(one))


def _twice(first: Distribution, many: Iterable[Distribution]) -> str:
    others = ", ".join(f"{one.version} in {_folder(one) or 'its top'}" for one in many if one is not first)
    return visible(f"{first.name} is there more than once: {first.version} counts, which is found first; not {others}")


def _aside(chosen: Iterable[Distribution], root: str) -> Iterator[str]:
    """Packages that lie apart from the others, which the code must look for in a way of its own."""
    for one in chosen:
        if (folder := _folder(one)) != root and site_dir(folder) != folder:
            yield visible(f"{one.name} {one.version} lies in {folder}, and is built to stand beside the others")


def _unmet(packages: Iterable[Held]) -> Iterator[str]:
    """What packages require of others in vain: several installations into one folder leave such behind."""
    versions = {one.name: one.version for one in packages if not one.broken}
    for one in packages:
        for wanted in one.requires:
            found = versions.get(canonicalize_name(wanted.name), "")
            if found and not wanted.specifier.contains(found, prereleases=True):
                yield visible(
                    f"{one.name} {one.version} requires {wanted.name}{wanted.specifier}, and {found} is there"
                )


def _scripts(one: Distribution, seen: Examination) -> Iterator[str]:
    """Programs that an installer with ``--target`` lays beside a package, which RECORD names as if they lay outside."""
    for row in one.record or ():
        name = posixpath.basename(row.path)
        path = f"{_folder(one)}bin/{name}"
        if row.path.startswith("../") and posixpath.basename(posixpath.dirname(row.path)) == "bin":
            yield from (path,) if path in seen.by_path else ()


def _metadata(one: Distribution, seen: Examination) -> Iterator[str]:
    """Files of metadata, listed in a RECORD or not."""
    return (member.path for member in seen.members if posixpath.dirname(member.path) == one.info)


def files_of(name: str, info: str, seen: Examination) -> Iterator[Member]:
    """The files of a package whose metadata lie in ``info``, without what another version of it left behind."""
    for member in seen.members:
        apart = ".dist-info/" in member.path
        if member.path.startswith(f"{info}/") or (member.package == name and not apart):
            yield member


def _held(one: Distribution, seen: Examination, read: Callable[[str], bytes], target: Target) -> Held:
    metadata = read(f"{one.info}/METADATA") if f"{one.info}/METADATA" in seen.by_path else b""
    required = markers.asked(metadata, markers.environment(target))
    return Held(
        name=one.name,
        version=one.version,
        info=one.info,
        bytes=sum(member.size for member in files_of(one.name, one.info, seen)),
        broken=_unnamed(one),
        own=_origin(one, seen, read),
        requires=required,
    )


def _unnamed(one: Distribution) -> str:
    """Why a package cannot be asked for at all."""
    if not PACKAGE_NAME.fullmatch(one.name):
        return "its metadata name it like no package"
    try:
        Version(one.version)
    except InvalidVersion:
        return f"its metadata say no version: {visible(one.version)[:40]!r}"
    return ""


def _origin(one: Distribution, seen: Examination, read: Callable[[str], bytes]) -> str:
    """Where the installer had a package from, where that was no index: a stranger's may have the same name there."""
    path = f"{one.info}/direct_url.json"
    if path not in seen.by_path:
        return ""
    try:
        value = guarded.json_value(read(path))
    except guarded.Unreadable:
        value = None
    kinds = {"dir_info": "a folder", "vcs_info": "a repository", "archive_info": "a file"}
    found = next((what for key, what in kinds.items() if isinstance(value, dict) and key in value), "an address")
    return f"it was installed from {found}, not from an index"
