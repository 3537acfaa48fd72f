"""A zip whose packages lie where a layer's do not, such as a function's own, seen as a layer of the same files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from layerforge.core.paths import SITE, site_dir
from layerforge.examine import unpack as unpacking
from layerforge.examine.examination import Examination, Member


def is_layer(root: str) -> bool:
    """Whether a layer's packages may lie in the folder ``root``, whose name ends in a slash."""
    return bool(root) and site_dir(root) == root


def moved(path: str, root: str) -> str:
    """Where a file stands in a layer, whose zip has its packages in ``root``."""
    if is_layer(root) or not path.startswith(root):
        return path
    return f"{SITE}/{path.removeprefix(root)}"


def as_layer(seen: Examination, root: str) -> Examination:
    """The examination of a layer with the same files: those below ``root`` stand in ``python/``."""
    if is_layer(root):
        return seen

    def member(one: Member) -> Member:
        return replace(one, path=moved(one.path, root))

    return replace(
        seen,
        members=tuple(sorted(map(member, seen.members), key=lambda one: one.path)),
        folders=tuple(member(one) for one in seen.folders),
        distributions=tuple(replace(one, info=moved(one.info, root)) for one in seen.distributions),
    )


def unpack(path: Path, root: str, into: Path) -> None:
    """Unpacks a zip into the folder ``into``, which is not there yet, as the layer that ``as_layer`` describes.

    Raises what ``examine.unpack`` raises.
    """
    if is_layer(root):
        unpacking.unpack(path, into)
        return
    aside = into.with_name(f"{into.name}-aside")
    unpacking.unpack(path, aside)
    into.mkdir()
    into.chmod(0o755)
    (aside / root).rename(into / SITE)
