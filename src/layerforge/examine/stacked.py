"""Several layers of one function: each is unpacked over those before it, as Lambda does."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from layerforge.core.errors import UsageError, VerificationError
from layerforge.core.faults import writing
from layerforge.examine import unpack as unpacking
from layerforge.examine.examination import Examination

MOST_LAYERS = 5
"""That a function may have."""


def refuse_many(paths: Sequence[Path]) -> None:
    """Raises ``UsageError`` where a function could not have that many layers."""
    if len(paths) > MOST_LAYERS:
        raise UsageError(
            f"a function takes {MOST_LAYERS} layers, and {len(paths)} are named", hint="put several into one layer"
        )


def stack(layers: Sequence[Examination], into: Path, workspace: Path) -> None:
    """Unpacks layers below ``into``, in Lambda's order: a file of a later one takes the place of an earlier one's.

    ``workspace`` is a folder of the same disk. Raises what ``unpack`` raises, and ``VerificationError`` where one layer
    has a folder and another a file in the same place.
    """
    with writing(into):
        into.mkdir(parents=True, exist_ok=True)
        into.chmod(0o755)
        for number, one in enumerate(layers):
            part = workspace / f"layer-{number}"
            unpacking.unpack(one.path, part)
            _move(part, into, one.path)


def _move(part: Path, into: Path, layer: Path) -> None:
    """Moves all files and links of ``part`` to the same places below ``into``."""
    for folder, names, files in os.walk(part):
        here = Path(folder)
        for name in (*files, *(one for one in names if (here / one).is_symlink())):
            _replace(here / name, into / (here / name).relative_to(part), layer)
        for name in names:
            place = into / (here / name).relative_to(part)
            if not (here / name).is_symlink():
                _refuse_mixed(place, layer, mixed=place.is_symlink() or place.is_file())
                place.mkdir(exist_ok=True)
                place.chmod(0o755)


def _replace(source: Path, place: Path, layer: Path) -> None:
    _refuse_mixed(place, layer, mixed=place.is_dir() and not place.is_symlink())
    source.replace(place)


def _refuse_mixed(place: Path, layer: Path, *, mixed: bool) -> None:
    if mixed:
        raise VerificationError(
            f"{layer} cannot lie over the layers before it: {place.name} is a folder in one and a file in another",
            hint="name them in another order, or build both into one layer",
        )
