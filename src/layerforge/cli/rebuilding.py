"""From a zip of any make to the request for a layer of the same packages in the same versions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from layerforge.core.progress import Progress
from layerforge.core.runtimes import Target
from layerforge.core.text import counted, fitting_name, megabytes
from layerforge.examine import kept, zip_content
from layerforge.examine.examination import Examination
from layerforge.examine.examine import examine
from layerforge.examine.installed import Held, Installed, installed
from layerforge.examine.kept import KeptWheel
from layerforge.examine.made_for import made_for
from layerforge.examine.rooted import as_layer, is_layer
from layerforge.resolve import exact, excluding, left_out, lock, uv
from layerforge.resolve.catalogue import Catalogue
from layerforge.resolve.errors import LockError
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.left_out import LeftOut, Why
from layerforge.resolve.lock import Pin
from layerforge.resolve.recipe import LONGEST_NAME
from layerforge.resolve.request import Request
from layerforge.resolve.uv import Asked

_LABEL = re.compile(r"-py3\d+-(?:x86_64|arm64)$")
CODE = "own code"


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
class Order:
    """What is built of a zip."""

    request: Request
    unbuilt: tuple[Unbuilt, ...]


def origin(zip_file: Path, python: str | None, arch: str | None) -> Origin:
    """What a zip holds. Raises ``UsageError`` where Python or processor cannot be told and are not given, and
    ``VerificationError`` where it is damaged or names no packages.
    """
    seen = examine(zip_file)
    with zip_content.reader(zip_file) as read:
        target, unsure = made_for(seen, read, python, arch)
        seen = examine(zip_file, target)
        found = installed(seen, read, target)
    place = () if is_layer(found.root) else (_placed(seen, found),)
    return Origin(target=target, seen=seen, found=found, remarks=(*unsure, *place, *found.remarks))


def _placed(seen: Examination, found: Installed) -> str:
    where = f"in {found.root}" if found.root else "at its top"
    return (
        f"{seen.path.name} has its packages {where}, as a function's own code; they are compared as a layer's would be"
    )


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
        asked = {one.name: one.version for one in of.found.packages if not one.own}
        got = exact.exact(asked, of.target, progress)
        pins = [*got.pins, *_sources(got.absent, asked, of, compiled)]
        step.note(f"{counted(len(pins), 'package')} of an index")
    have = {pin.name for pin in pins}
    missed = [(one, one.own or got.absent.get(one.name, "")) for one in of.found.packages if one.name not in have]
    _refuse_missed([pair for pair in missed if not pair[0].own], of, leave_out, keep=keep)
    wheels = _kept(of, [one for one, _ in missed], keep=keep)
    pins += [_pin(wheel, workspace) for wheel in wheels]
    request = _request(of, pins, [one for one, _ in missed], known, workspace)
    return Order(request=request, unbuilt=tuple(_unbuilt(of, missed, keep=keep)))


def _sources(absent: Mapping[str, str], asked: Mapping[str, str], of: Origin, compiled: Sequence[str]) -> Iterator[Pin]:
    """Pins to source distributions, of what has no wheel and is to be compiled."""
    for name in (name for name in compiled if absent.get(name) == exact.NO_WHEEL):
        release = uv.newest_sdist(f"{name}=={asked[name]}", of.target, Asked(source=""))
        if release:
            yield Pin(name=name, version=release.version, hashes=(f"sha256:{release.source.sha256}",))


def _refuse_missed(missed: Sequence[tuple[Held, str]], of: Origin, leave_out: Sequence[str], *, keep: bool) -> None:
    """Raises ``LockError`` for packages that an index was asked for in vain, and that nothing was said about."""
    out = excluding.excluded(leave_out, of.target.runtime)
    rest = [(one, why) for one, why in missed if one.name not in out]
    if not rest or keep:
        return
    names = excluding.options(one.name for one, _ in rest)
    hints = [f"--keep-code takes their files from the zip as they are, `{names}` builds without them"]
    if any(why == exact.NO_WHEEL for _, why in rest):
        hints.append("--from-source NAME compiles one of which there is a source")
    if any("+" in one.version for one, _ in rest):
        hints.append("UV_INDEX names an index of your own, or the one that has +versions")
    raise LockError(
        f"{counted(len(rest), 'package')} of {of.seen.path.name} cannot be had in the same version",
        hint="; ".join(hints),
        details=tuple(f"{one.name} {one.version}, {megabytes(one.bytes)}: {why}" for one, why in rest),
    )


def _kept(of: Origin, missed: Sequence[Held], *, keep: bool) -> list[KeptWheel]:
    if not keep:
        return []
    with zip_content.reader(of.seen.path) as read:
        wheels = [kept.of_package(one, of.found, of.seen, read, of.target) for one in missed if one.version]
        code = kept.of_code(f"{of.name.lower()}-code", of.found, read, of.target)
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
    names = {*of.found.lacking, *(one.name for one in missed)} - there
    out = [LeftOut(name=name, why=Why.RUNTIME if name in own else Why.ASKED) for name in sorted(names)]
    path = workspace / f"{of.name}.lock"
    path.write_text(left_out.lines(out) + lock.render(pins), "utf-8")
    requires = tuple(f"{pin.name}=={pin.version or lock.wheel_version(pin.address)}" for pin in pins)
    spec = LayerSpec(name=of.name, requires=requires)
    return Request(spec=spec, text="\n".join(requires), catalogue=known, lock=path, given=requires)


def _unbuilt(of: Origin, missed: Sequence[tuple[Held, str]], *, keep: bool) -> Iterator[Unbuilt]:
    for one, why in missed:
        yield Unbuilt(name=one.name, version=one.version, bytes=one.bytes, why=why, kept=keep)
    if of.found.loose:
        beside = kept.keepable(of.found.loose, of.found.root)
        rest = [one for one in of.found.loose if one not in beside]
        for members, keeps in ((beside, keep), (rest, False)):
            if members:
                tops = sorted({one.path.removeprefix(of.found.root).partition("/")[0] for one in members})
                yield Unbuilt(
                    name=CODE,
                    version="",
                    bytes=sum(one.size for one in members),
                    why=f"{counted(len(members), 'file')} of no package: {', '.join(tops[:5])}"
                    + (f" and {len(tops) - 5} more" if len(tops) > 5 else ""),
                    kept=keeps,
                )
