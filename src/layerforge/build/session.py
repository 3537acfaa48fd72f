"""What a run of layerforge works with, from the first look at an index to the last file that it writes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from layerforge.build.engine import Builder, Engine
from layerforge.core import digest
from layerforge.core.faults import writing
from layerforge.core.progress import Progress
from layerforge.core.store.disk import DiskStore
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.sources import Search


@dataclass(frozen=True, kw_only=True)
class Session:
    """Where results are kept and shown, and what runs programs."""

    store: DiskStore
    progress: Progress
    engine: Engine
    """What finished layers are run in."""
    builder: Builder | None = None
    """What compiles; without it every package comes from its wheel."""
    folders: tuple[Path, ...] = ()
    """Where source archives lie that need no download."""

    @property
    def logs(self) -> Path:
        """Folder of what steps wrote, which outlives the build."""
        return self.store.place("logs")

    @property
    def search(self) -> Search:
        """What is looked up and downloaded with."""
        wheels = self.store.place("wheels") if self.store.shared else None
        return Search(store=self.store, folders=self.folders, progress=self.progress, wheels=wheels)


def equipped(session: Session, spec: LayerSpec) -> Session:
    """The session with what a layer's steps need of the build image: packages of its system, archives it carries."""
    builder = session.builder
    if builder is None:
        return session
    if spec.build_packages:
        builder = builder.equipped(spec.build_packages, session.progress)
    return replace(session, builder=builder, folders=(*session.folders, *_carried(builder, session.store)))


def _carried(builder: Builder, store: DiskStore) -> tuple[Path, ...]:
    """The folder of archives that the image carries, copied out of it once."""
    if not builder.image.sources:
        return ()
    carried = store.place("image-sources") / digest.of_json([builder.image.identity, builder.image.sources])
    with writing(store.root):
        if not carried.is_dir():
            builder.copy_out(builder.image.sources, carried)
    return (carried,)
