"""A function's zip, whose packages lie at its top, seen as a layer of the same files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from layerforge.core.paths import SITE
from layerforge.examine import unpack as unpacking
from layerforge.examine.examination import Examination, Member


def as_layer(seen: Examination, root: str) -> Examination:
    """The examination of a layer with the same files: where ``root``, the folder of the packages, is the top of the
    zip, all of them stand in ``python/``.
    """
    if root:
        return seen

    def member(one: Member) -> Member:
        return replace(one, path=f"{SITE}/{one.path}")

    return replace(
        seen,
        members=tuple(map(member, seen.members)),
        folders=tuple(map(member, seen.folders)),
        distributions=tuple(replace(one, info=f"{SITE}/{one.info}") for one in seen.distributions),
    )


def unpack(path: Path, root: str, into: Path) -> None:
    """Unpacks a zip into the folder ``into``, which is not there yet, as the layer that ``as_layer`` describes.

    Raises what ``examine.unpack`` raises.
    """
    if not root:
        into.mkdir()
        into.chmod(0o755)
    unpacking.unpack(path, into if root else into / SITE)
