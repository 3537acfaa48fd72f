"""The layers of one function, as commands take them that run one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from layerforge.cli import code_options
from layerforge.core.progress import Progress
from layerforge.examine import examine, stacked, union
from layerforge.examine.examination import Examination
from layerforge.layer.passes.deferring import Deferral
from layerforge.measure.coldstart.experiment import MeasuredLayer
from layerforge.report.beside import manifest
from layerforge.report.manifest import Manifest


@dataclass(frozen=True, kw_only=True)
class Layers:
    """The layers of one function, in Lambda's order, with what lies beside them."""

    seen: tuple[Examination, ...]
    manifests: tuple[Manifest | None, ...]

    @property
    def requires(self) -> tuple[str, ...]:
        """What they were asked for with, as far as that is known of all of them."""
        known = [one.requires for one in self.manifests if one]
        return tuple(word for words in known for word in words) if len(known) == len(self.manifests) else ()

    @property
    def deferred(self) -> tuple[Deferral, ...]:
        """Imports of their modules that wait, as far as manifests tell."""
        return tuple(one for told in self.manifests if told for one in told.deferred)


def read(paths: Iterable[Path], progress: Progress) -> Layers:
    """Layers as they are. Raises what ``examine`` raises."""
    seen = tuple(examine.examine(path) for path in paths)
    return Layers(seen=seen, manifests=tuple(manifest(one, progress.warn) for one in seen))


def unpacked(layers: Layers, folder: Path, given: Mapping[str, str]) -> MeasuredLayer:
    """Layers as one function has them, unpacked in ``folder``; ``given`` are variables that it has besides."""
    stacked.stack(layers.seen, folder, folder.with_name(f"{folder.name}-parts"))
    return MeasuredLayer(
        examination=union.together(layers.seen),
        opt=folder,
        env=code_options.env_of(layers.manifests, given),
        given=given,
        parts=layers.seen if len(layers.seen) > 1 else (),
    )
