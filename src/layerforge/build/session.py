"""What a run of layerforge works with, from the first look at an index to the last file that it writes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from layerforge.build.durations import SharedClock
from layerforge.build.engine import Builder, Engine
from layerforge.build.interpreters import Interpreter
from layerforge.core import digest
from layerforge.core.faults import writing
from layerforge.core.progress import Progress
from layerforge.core.store.disk import DiskStore
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.sources import Search
from layerforge.resolve.wheels import KIND as WHEEL


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
    interpreter: Interpreter | None = None
    """A CPython of the target's minor version, where one has been found."""
    clock: SharedClock = field(default_factory=SharedClock)
    """Measures the steps that run at the same time."""
    lasting: DiskStore | None = None
    """Where files for people go, while ``store`` is one that is thrown away; ``None`` where it is not."""

    @property
    def logs(self) -> Path:
        """Folder of what steps wrote, which outlives the build."""
        return (self.lasting or self.store).place("logs")

    @property
    def search(self) -> Search:
        """What is looked up and downloaded with."""
        # `cache pull` brings wheels for when nobody can be reached.
        taken = self.store.shared or self.store.has_any(WHEEL)
        wheels = self.store.place("wheels") if taken else None
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
