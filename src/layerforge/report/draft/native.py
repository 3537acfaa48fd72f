"""What a package's native code wants, and what the package could be compiled from."""

from __future__ import annotations

import posixpath
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from layerforge.core import elf, elf_layout
from layerforge.core.elf import ElfFacts
from layerforge.core.errors import LayerforgeError
from layerforge.core.runtimes import Target
from layerforge.layer.imports import module_parts
from layerforge.layer.tree import File, Tree, holds_elf
from layerforge.report.draft.portions import MOST, Portion, inside
from layerforge.resolve import sources, unpack_source, uv
from layerforge.resolve.sources import Search
from layerforge.resolve.uv import Asked


@dataclass(frozen=True, kw_only=True)
class Native:
    """What its native code is, and what it wants."""

    files: int = 0
    bundled: tuple[Portion, ...] = ()
    """Libraries that came with the wheel."""
    lacking: tuple[str, ...] = ()
    """Sonames that neither the layer nor Lambda has."""


@dataclass(frozen=True, kw_only=True)
class SourceDistribution:
    """What the package could be compiled from."""

    file: str
    """Its name."""
    requires: tuple[str, ...] = ()
    """What it declares to be built with."""


def native_code(own: Sequence[File], tree: Tree, target: Target) -> Native:
    """What of a package is native code: ``own`` are its files in the layer ``tree``."""
    facts = [(file, found) for file in own if (found := _elf(file))]
    if not facts:
        return Native()
    there = {posixpath.basename(file.path) for file in tree.files}
    there |= {found.soname for file in tree.files if (found := _elf(file))}
    wanted = {name for _, found in facts for name in found.needed}
    bundled = (
        Portion(glob=path, files=1, bytes=file.size)
        for path, file in inside(file for file, _ in facts)
        if not module_parts(path) and ".so" in posixpath.basename(path)
    )
    return Native(
        files=len(facts),
        bundled=tuple(sorted(bundled, key=lambda one: -one.bytes)[: 2 * MOST]),
        lacking=tuple(sorted(wanted - there - target.runtime.libraries)),
    )


def _elf(file: File) -> ElfFacts | None:
    try:
        return elf.facts(file.blob.read()) if holds_elf(file.blob) else None
    except elf_layout.Damaged:
        return None


def source_distribution(name: str, version: str, target: Target, search: Search) -> SourceDistribution | None:
    """The source distribution of a version, and what it declares. It is unpacked, and nothing of it is run."""
    found = uv.newest_sdist(f"{name}=={version}", target, Asked(source=""))
    if found is None:
        return None
    file = posixpath.basename(found.source.url)
    try:
        data = sources.fetch(found.source, search)
        with tempfile.TemporaryDirectory() as folder:
            declared = sources.build_requires(unpack_source.unpack(data, name, Path(folder)))
    except LayerforgeError as error:
        search.progress.warn(f"what {file} is built with cannot be told: {error.message}")
        return SourceDistribution(file=file)
    return SourceDistribution(file=file, requires=declared)
