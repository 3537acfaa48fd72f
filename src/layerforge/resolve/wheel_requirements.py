"""What a wheel that was made requires besides, of which wheels have to be made too."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from packaging.markers import Marker
from packaging.utils import canonicalize_name

from layerforge.core import guarded
from layerforge.core.runtimes import Target
from layerforge.resolve import uv_sources
from layerforge.resolve.errors import LockError
from layerforge.resolve.made_wheel import MadeWheel
from layerforge.resolve.markers import declared, environment, marker_applies
from layerforge.resolve.project_file import project
from layerforge.resolve.wheel_source import PROJECT_FILES, NoSource, WheelSource, read


def readable(metadata: str) -> tuple[str, ...]:
    """The requirements of metadata that make sense; of any other uv says what is wrong."""
    return tuple(str(one) for one in declared(metadata) if _makes_sense(str(one)))


def _makes_sense(text: str) -> bool:
    """Whether a requirement can be worked with."""
    try:
        guarded.requirement(text)
    except guarded.Unreadable:
        return False
    return True


def applies(marker: str, targets: Iterable[Target], extras: Iterable[str] = ()) -> bool:
    """Whether something is required on one of some targets, where those extras are asked for."""
    if not marker:
        return True
    parsed, named = Marker(marker), ("", *extras)
    return any(marker_applies(parsed, environment(one), extra) for one in targets for extra in named)


def required(by: MadeWheel, targets: Iterable[Target]) -> Iterator[WheelSource]:
    """What a wheel requires, as it was asked for, that is none itself: at an address, or by uv's own table.

    A folder counts only where the person's own says it. Raises ``LockError`` where what the table names is not there.
    """
    targets = tuple(targets)
    rows = [guarded.requirement(text) for text in by.requires]
    rows = [one for one in rows if applies(str(one.marker or ""), targets, by.extras)]
    for one in rows:
        try:
            found = read(str(one)) if one.url else None
        except NoSource:
            continue  # uv says what is wrong with it
        if found and (found.foreign or by.own):
            # Where one stands in for another, uv itself heeds the extra by which that is asked for.
            yield replace(found, marker="" if "extra" in found.marker else found.marker)
    path = Path(by.source.place) / PROJECT_FILES[0]
    if by.own and path.is_file():
        yield from _of_table(by, path, {canonicalize_name(one.name) for one in rows if not one.url})


def _of_table(by: MadeWheel, path: Path, names: Collection[str]) -> Iterator[WheelSource]:
    texts, wrong = uv_sources.sources(path, project(path), names)
    if wrong:
        raise LockError(f"what {by.name} requires is not there", hint="mend the table", details=tuple(wrong))
    yield from filter(None, map(read, texts))
