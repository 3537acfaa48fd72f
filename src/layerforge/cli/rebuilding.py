"""From a zip of any make to the request for a layer of the same packages in the same versions."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from packaging.utils import canonicalize_name

from layerforge.core.progress import Progress
from layerforge.core.runtimes import Target
from layerforge.core.text import counted, fitting_name, megabytes, visible
from layerforge.examine import kept, zip_content
from layerforge.examine.examination import Examination
from layerforge.examine.examine import examine
from layerforge.examine.installed import Held, Installed, installed, refuse_without_metadata
from layerforge.examine.kept import KeptWheel
from layerforge.examine.made_for import made_for
from layerforge.examine.not_whole import not_whole
from layerforge.examine.rooted import as_layer
from layerforge.resolve import exact, excluding, left_out, lock, uv
from layerforge.resolve.catalogue import Catalogue
from layerforge.resolve.errors import LockError
from layerforge.resolve.exact import Wanted
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.left_out import LeftOut, Why
from layerforge.resolve.lock import Pin
from layerforge.resolve.recipe import LONGEST_NAME
from layerforge.resolve.request import Request
from layerforge.resolve.requirement import PACKAGE_NAME
from layerforge.resolve.uv import Asked

_LABEL = re.compile(r"-py3\d+-(?:x86_64|arm64)$")
CODE, OTHERS = "own code", "other files"
MOST_NAMED = 5
"""Files and folders of own code that one line names."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """A zip that is to be built again, and what it holds."""

    target: Target
    seen: Examination
    """As its files lie in the zip."""
    found: Installed
    remarks: tuple[str, ...]
    """What is worth knowing of how it was read, a line each."""

    @property
    def name(self) -> str:
        """Of the layer that is built of it."""
        return fitting_name(_LABEL.sub("", self.seen.path.stem), LONGEST_NAME)

    @cached_property
    def layer(self) -> Examination:
        """As a layer of the same files; see ``examine.rooted``."""
        return as_layer(self.seen, self.found.root)


@dataclass(frozen=True, kw_only=True)
class Unbuilt:
    """A part of a zip that no index has."""

    name: str
    version: str
    bytes: int
    why: str
    kept: bool
    """Whether it comes along as it is; else the new layer is without it."""


@dataclass(frozen=True, kw_only=True)
class Missed:
    """A package that has no pin."""

    held: Held
    why: str
    out: bool
    """Whether the command line leaves it out."""

    def told(self, *, kept: bool) -> Unbuilt:
        """The package as people are told of it."""
        held = self.held
        return Unbuilt(name=held.name, version=held.version, bytes=held.bytes, why=self.why, kept=kept)


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is built of a zip."""

    request: Request
    unbuilt: tuple[Unbuilt, ...]


def origin(zip_file: Path, python: str | None, arch: str | None) -> Origin:
    """What a zip holds. Raises ``UsageError`` where Python or processor cannot be told and are not given, and
    ``VerificationError`` where it is damaged or names no packages.
    """
    seen = examine(zip_file)
    refuse_without_metadata(seen)
    with zip_content.reader(zip_file) as read:
        target, unsure = made_for(seen, read, python, arch)
        seen = examine(zip_file, target)
        found = installed(seen, read, target)
    line = f"{seen.path.name} has its packages at its top, as a function's code; it is compared as if it were a layer"
    place = () if found.root else (line,)
    parts = ", ".join(not_whole(seen.members))
    whole = (f"{seen.path.name} is a variant, which is without parts of {parts}; the new layer has all of them",)
    remarks = (*unsure, *place, *(whole if parts else ()), *found.remarks)
    return Origin(target=target, seen=seen, found=found, remarks=remarks)


def order(
    of: Origin,
    known: Catalogue,
    workspace: Path,
    progress: Progress,
    *,
    compiled: Sequence[str],
    leave_out: Sequence[str],
    keep: bool,
) -> Order:
    """What is to be built of a zip: its very versions and nothing besides. The lock and what is kept of the zip go into
    ``workspace``.

    ``compiled`` and ``leave_out`` are what the command line names. Raises ``LockError`` where packages cannot be had
    and are neither kept nor left out.
    """
    with progress.step("versions") as step:
        asked = [_wanted(one) for one in of.found.packages if not (one.own or one.broken)]
        got = exact.exact(asked, of.target, progress)
        pins = [*got.pins, *_sources(got.absent, asked, of, compiled)]
        step.note(f"{counted(len(pins), 'package')} of an index")
    missed = _missed(of, pins, got.absent, excluding.excluded(leave_out, of.target.runtime))
    _refuse(missed, of, keep=keep)
    wheels = _kept(of, [one.held for one in missed if not one.out]) if keep else []
    pins += [_pin(wheel, workspace) for wheel in wheels]
    names = {wheel.name for wheel in wheels}
    parts = [one.told(kept=one.held.name in names) for one in missed]
    request = _request(of, pins, [one.held for one in missed], known, workspace)
    return Order(request=request, unbuilt=(*parts, *_loose(of, keep=keep)))


def _missed(of: Origin, pins: Sequence[Pin], absent: Mapping[str, str], out: Collection[str]) -> list[Missed]:
    have = {pin.name for pin in pins}
    return [
        Missed(held=one, why=one.broken or one.own or absent.get(one.name, ""), out=one.name in out)
        for one in of.found.packages
        if one.name not in have
    ]


def _wanted(one: Held) -> Wanted:
    requires = tuple(canonicalize_name(wanted.name) for wanted in one.requires)
    return Wanted(name=one.name, version=one.version, requires=requires)


def _sources(absent: Mapping[str, str], asked: Sequence[Wanted], of: Origin, compiled: Sequence[str]) -> Iterator[Pin]:
    """Pins to source distributions, of what has no wheel and is to be compiled."""
    names = {canonicalize_name(name) for name in compiled}
    for one in (one for one in asked if one.name in names and absent.get(one.name) == exact.NO_WHEEL):
        if release := uv.newest_sdist(one.line, of.target, Asked(source="")):
            yield Pin(name=one.name, version=release.version, hashes=(f"sha256:{release.source.sha256}",))


def _refuse(missed: Sequence[Missed], of: Origin, *, keep: bool) -> None:
    """Raises ``LockError`` for packages that cannot be had and that nothing was said about. What was not installed from
    an index is own code, and may stay out.
    """
    rest = [one for one in missed if not one.out and (one.held.broken or not (one.held.own or keep))]
    if not rest:
        return
    sound = [one.held for one in rest if not one.held.broken]
    hints = ["--keep-code takes their files from the zip as they are"] if sound else []
    hints.append(f"`{excluding.options(one.held.name for one in rest)}` builds without them")
    if any(one.why == exact.NO_WHEEL for one in rest):
        hints.append("--from-source NAME compiles one that has a source")
    if any("+" in one.version for one in sound):
        hints.append("UV_INDEX names an index that has such versions")
    raise LockError(
        f"{counted(len(rest), 'package')} of {of.seen.path.name} cannot be had in the same version",
        hint=", or ".join(hints),
        details=tuple(
            visible(f"{one.held.name} {one.held.version}, {megabytes(one.held.bytes)}: {one.why}") for one in rest
        ),
    )


def _kept(of: Origin, packages: Sequence[Held]) -> list[KeptWheel]:
    """What no index has, as wheels of its files in the zip."""
    with zip_content.reader(of.seen.path) as read:
        wheels = [kept.of_package(one, of.found, of.seen, read, of.target) for one in packages]
        code = kept.of_code(canonicalize_name(f"{of.name}-code"), of.found, read, of.target)
    return [*wheels, *([code] if code else [])]


def _pin(wheel: KeptWheel, workspace: Path) -> Pin:
    path = workspace / wheel.file
    path.write_bytes(wheel.data)
    return lock.local_pin(wheel.name, path)


def _request(of: Origin, pins: Sequence[Pin], missed: Sequence[Held], known: Catalogue, workspace: Path) -> Request:
    """The request for exactly these pins, from a lock of its own: nothing is resolved."""
    there = {pin.name for pin in pins}
    if not there:
        raise LockError(
            f"none of the packages of {of.seen.path.name} can be had", hint="--keep-code takes them as they are"
        )
    own = excluding.distributions(of.target.runtime)
    absent = {*of.found.lacking, *(one.name for one in missed)} - there
    names = [name for name in absent if PACKAGE_NAME.fullmatch(name)]
    out = [LeftOut(name=name, why=Why.RUNTIME if name in own else Why.ASKED) for name in sorted(names)]
    path = workspace / f"{of.name}.lock"
    path.write_text(left_out.lines(out) + lock.render(pins), "utf-8")
    requires = tuple(f"{pin.name}=={pin.version or lock.wheel_version(pin.address)}" for pin in pins)
    spec = LayerSpec(name=of.name, requires=requires, exact=True)
    return Request(spec=spec, text="\n".join(requires), catalogue=known, lock=path, given=requires)


def _loose(of: Origin, *, keep: bool) -> Iterator[Unbuilt]:
    """The files that come with no package: beside the packages, where they can be kept, and elsewhere."""
    beside = kept.keepable(of.found.loose, of.found.root)
    paths = {one.path for one in beside}
    rest = [one for one in of.found.loose if one.path not in paths]
    for name, members, keeps in ((CODE, beside, keep), (OTHERS, rest, False)):
        if members:
            tops = sorted({one.path.removeprefix(of.found.root).partition("/")[0] for one in members})
            more = f" and {len(tops) - MOST_NAMED} more" if len(tops) > MOST_NAMED else ""
            yield Unbuilt(
                name=name,
                version="",
                bytes=sum(one.size for one in members),
                why=f"{counted(len(members), 'file')} of no package: {', '.join(tops[:MOST_NAMED])}{more}",
                kept=keeps,
            )
