"""What two makings of one layer gave, held against each other to the byte: the steps' results and the layer's files."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from layerforge.build.plan import BUILT, Plan, name_of, needs_of
from layerforge.build.work import sources_of
from layerforge.core import digest
from layerforge.core.errors import StepError
from layerforge.core.store.protocol import Store
from layerforge.core.text import counted

NONE = "not there"
"""Stands for the digest of a file that only one of the two has."""

_SHOWN = 12
"""Files of a step, or of the zip, that an error names, and digits of a digest."""

_PACKED = (".whl", ".zip")


class NotReproducibleError(StepError):
    """A layer that was made twice came out in two ways."""


@dataclass(frozen=True, kw_only=True)
class Differing:
    """A file that is not the same in both."""

    path: str
    first: str
    """SHA-256, or what it is if it is no file; ``NONE`` where it is not there."""
    second: str

    @property
    def told(self) -> str:
        """On one line."""
        return f"{self.path}: {_short(self.first)}, then {_short(self.second)}"


@dataclass(frozen=True, kw_only=True)
class DifferingPart:
    """The result of a step, or a file of the layer, that came out in two ways."""

    name: str
    """Of the step, or of the file."""
    key: str = ""
    """Of the step."""
    digests: Differing
    members: tuple[Differing, ...] = ()
    """What differs within it; empty where that is nothing, or it holds no files."""

    @property
    def told(self) -> Iterator[str]:
        """A line on the whole, and one for each of the first files in it."""
        yield f"the step {self.digests.told}" if self.key else self.digests.told
        yield from (f"  {one.told}" for one in self.members[:_SHOWN])
        if not self.members and (self.key or self.name.endswith(_PACKED)):
            yield "  the files in it are the same, but not how they are packed"
        if len(self.members) > _SHOWN:
            yield f"  and {counted(len(self.members) - _SHOWN, 'more file')}"


@dataclass(frozen=True, kw_only=True)
class Differences:
    """All in which two makings of a layer differ."""

    steps: tuple[DifferingPart, ...]
    """Steps that differ though all that they need was the same."""
    files: tuple[DifferingPart, ...]


def compare(
    plan: Plan, first: Store, second: Store, files: Mapping[str, bytes], others: Mapping[str, bytes]
) -> Differences:
    """In which the two makings differ: the results of the steps in either store, and the layer's files by name."""
    names = sorted({*files, *others})
    parts = (_part(name, "", files.get(name), others.get(name)) for name in names)
    return Differences(
        steps=tuple(_steps(plan, first, second)), files=tuple(part for part in parts if part is not None)
    )


def refusal(plan: Plan, found: Differences, where: str) -> NotReproducibleError:
    """The error for a layer that came out in two ways, which lie in ``where``."""
    names = ", ".join(one.name for one in found.steps)
    if found.steps:
        hint = (
            "look for the time, random numbers, the order of folders and sets, and the number of processors in what "
            f"the step writes; both results lie in {where}"
        )
    else:
        hint = f"no step is to blame, so this is a fault of layerforge: please report it, with what lies in {where}"
    return NotReproducibleError(
        f"the layer {plan.spec.name} is not reproducible: made twice, "
        + (f"{names} came out in two ways" if names else "its files came out in two ways"),
        hint=hint,
        details=tuple(line for part in (*found.steps, *found.files) for line in part.told),
    )


def _steps(plan: Plan, first: Store, second: Store) -> Iterator[DifferingPart]:
    """The steps that differ first: what is made of them may differ for that reason alone."""
    tainted: set[str] = set()
    for name, step in sources_of(plan).items():
        if tainted & set(needs_of(step)):
            tainted.add(name)
        elif part := _part(name_of(step), step.key, first.get(BUILT, step.key), second.get(BUILT, step.key)):
            tainted.add(name)
            yield part


def _part(name: str, key: str, first: bytes | None, second: bytes | None) -> DifferingPart | None:
    if first == second:
        return None
    members = tuple(_differing(_members(name, first, tar=bool(key)), _members(name, second, tar=bool(key))))
    whole = Differing(path=name, first=_digest(first), second=_digest(second))
    return DifferingPart(name=name, key=key, digests=whole, members=members)


def _differing(first: Mapping[str, str], second: Mapping[str, str]) -> Iterator[Differing]:
    for path in sorted({*first, *second}):
        before, after = first.get(path, NONE), second.get(path, NONE)
        if before != after:
            yield Differing(path=path, first=before, second=after)


def _members(name: str, data: bytes | None, *, tar: bool) -> dict[str, str]:
    """Digests, or what they are, of the files that a value holds, by path."""
    if data is None:
        return {}
    if tar:
        return dict(_of_tar(data))
    return dict(_of_zip(data)) if name.endswith(_PACKED) else {}


def _of_tar(data: bytes) -> Iterator[tuple[str, str]]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isreg() else None
            if file is None:
                yield member.name, f"a link to {member.linkname}" if member.issym() else "a folder"
                continue
            content = file.read()
            packed = dict(_of_zip(content)) if member.name.endswith(_PACKED) else {}
            yield from ((f"{member.name}/{path}", value) for path, value in packed.items())
            if not packed:
                yield member.name, _file(content, member.mode)


def _of_zip(data: bytes) -> Iterator[tuple[str, str]]:
    """Nothing for what is no zip. What only says how the files are packed is no file."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for info in archive.infolist():
                yield info.filename, _file(archive.read(info), info.external_attr >> 16)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, RuntimeError):
        return


def _file(data: bytes, mode: int) -> str:
    return digest.sha256(data) + (", executable" if mode & 0o100 else "")


def _digest(data: bytes | None) -> str:
    return NONE if data is None else digest.sha256(data)


def _short(said: str) -> str:
    value, comma, rest = said.partition(",")
    return f"{value[:_SHOWN]}{comma}{rest}" if len(value) == 64 else said
