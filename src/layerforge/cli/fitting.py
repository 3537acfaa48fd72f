"""Whether a layer that is too large for a direct upload would fit with other settings, judged by a sample of it."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from layerforge.core.limits import DIRECT_UPLOAD_LIMIT
from layerforge.core.text import megabytes
from layerforge.layer.archive import compressed
from layerforge.report.manifest import Manifest
from layerforge.resolve.recipe import BytecodeMode, Compression

SAMPLE = 1_000_000
"""Bytes that are compressed anew: a tenth of a second, and wrong by half a percent where that was looked at."""

MARGIN = 0.04
"""How far a sample may be wrong, as a part of the size."""


@dataclass(frozen=True, kw_only=True)
class Offer:
    """Settings that make a layer smaller."""

    bytecode_only: bool
    small: bool

    def __str__(self) -> str:
        """As options."""
        words = ("--bytecode only" if self.bytecode_only else "", "--compression small" if self.small else "")
        return " ".join(filter(None, words))


def told(manifest: Manifest, path: Path) -> Iterator[str]:
    """A line on whether smaller settings would do, for a layer that is too large to be uploaded directly."""
    offer = Offer(
        bytecode_only=manifest.bytecode.mode is BytecodeMode.BESIDE, small=manifest.compression is Compression.FAST
    )
    if manifest.zip_bytes > DIRECT_UPLOAD_LIMIT and str(offer):
        size = estimate(path, offer, manifest.fit.won if manifest.fit else None)
        more = "chooses them" if size <= DIRECT_UPLOAD_LIMIT else "says what else could go"
        yield f"`{offer}` would make it about {megabytes(size)}, {judged(size)}; `--fit direct` {more}"


def judged(size: int) -> str:
    """Whether an estimated size fits into a direct upload."""
    if size * (1 + MARGIN) <= DIRECT_UPLOAD_LIMIT:
        return "which fits"
    return "which may just fit" if size * (1 - MARGIN) <= DIRECT_UPLOAD_LIMIT else "which does not fit either"


def estimate(path: Path, offer: Offer, won: float | None = None) -> int:
    """Bytes of the zip with other settings; ``won`` is what small wins of it, where that is known."""
    with zipfile.ZipFile(path) as opened:
        members = opened.infolist()
        besides = path.stat().st_size - sum(one.compress_size for one in members)
        kept = tuple(_kept(members) if offer.bytecode_only else members)
        whole = sum(one.compress_size for one in kept)
        if offer.small:
            whole = round(whole * (_ratio(opened, kept) if won is None else 1 - won))
        return besides + whole


def _kept(members: Iterable[zipfile.ZipInfo]) -> Iterator[zipfile.ZipInfo]:
    """All but the sources that have bytecode."""
    members = tuple(members)
    compiled = {_module(one.filename) for one in members if one.filename.endswith(".pyc")}
    return (one for one in members if not one.filename.endswith(".py") or one.filename[:-3] not in compiled)


def _module(name: str) -> str:
    """``python/a/__pycache__/b.cpython-313.pyc`` as ``python/a/b``."""
    path = PurePosixPath(name)
    folder = path.parent.parent if path.parent.name == "__pycache__" else path.parent
    return str(folder / path.name.split(".")[0])


def _ratio(opened: zipfile.ZipFile, members: Iterable[zipfile.ZipInfo]) -> float:
    """How large a sample is when it is compressed better, as a part of what it is now."""
    before = taken = 0
    sample: list[bytes] = []
    # By checksum, which has to do with nothing.
    for one in sorted(members, key=lambda one: one.CRC):
        if taken + one.file_size > SAMPLE and taken:
            continue
        sample.append(opened.read(one))
        before += one.compress_size
        taken += one.file_size
    return compressed(sample, Compression.SMALL) / before if before else 1.0
