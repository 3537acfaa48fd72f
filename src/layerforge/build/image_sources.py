"""Where source archives lie that need no download."""

from __future__ import annotations

from pathlib import Path

from layerforge.build.engine import Builder
from layerforge.build.options import Options
from layerforge.core import digest
from layerforge.core.faults import writing
from layerforge.core.store.disk import DiskStore


def source_folders(options: Options, builder: Builder | None, store: DiskStore) -> tuple[Path, ...]:
    """Where archives lie that need no download: the user's folder, then the one that the build image carries."""
    folders = (options.sources,) if options.sources else ()
    if builder is None or not builder.image.sources:
        return folders
    carried = store.place("image-sources") / digest.of_json([builder.image.digest, builder.image.sources])
    with writing(store.root):
        if not carried.is_dir():
            builder.copy_out(builder.image.sources, carried)
    return (*folders, carried)
