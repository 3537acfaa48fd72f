"""What a layer has to fit into, and what may be done to have it fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from layerforge.core import sizes
from layerforge.core.errors import UsageError
from layerforge.core.limits import DIRECT_UPLOAD_LIMIT, LAMBDA_UNZIPPED_LIMIT
from layerforge.core.text import megabytes

DIRECT = "direct"
"""The word for what can be published without a bucket."""

ROOM = "room"
"""The word before the bytes that a function's own code takes."""

HOW = "direct, a size such as 60MB for the zip, or room=40MB for what the function's own code takes unzipped"
_SHORTEST = 1_000
"""Bytes below which a limit is a slip: a zip with a single file in it takes some hundreds."""


class Way(StrEnum):
    """What may be done to have a layer fit, as the option that does it; what costs least stands first."""

    SMALL = "--compression small"
    """Half a minute of the build."""
    RUNTIME = "--leave-out runtime"
    """The function gets whatever versions Lambda's own Python has."""
    ONLY = "--bytecode only"
    """Tracebacks show no source, nor does ``inspect.getsource``."""
    MAX = "--compression max"
    """Minutes of the build, for about a hundredth of the zip."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """What a layer has to fit into. Sizes in bytes."""

    zipped: int | None = None
    """Most of the zip; ``None`` where that may be any size."""
    room: int = 0
    """What the function's own code takes unzipped, of what Lambda takes for it and all its layers."""

    @property
    def unzipped(self) -> int:
        """Most that the layer may take unzipped."""
        return LAMBDA_UNZIPPED_LIMIT - self.room

    def allows(self, unzipped: int, zipped: int | None) -> bool:
        """Whether a layer of these sizes fits. ``zipped`` is ``None`` where it is not known."""
        fits = self.zipped is None or (zipped is not None and zipped <= self.zipped)
        return unzipped <= self.unzipped and fits

    @property
    def told(self) -> str:
        """As words of a sentence: ``60.0 MB zipped``."""
        if self.zipped == DIRECT_UPLOAD_LIMIT:
            return f"a direct upload, {megabytes(self.zipped)} zipped"
        if self.zipped is not None:
            return f"{megabytes(self.zipped)} zipped"
        return f"{megabytes(self.unzipped)} unzipped" + (
            f", beside {megabytes(self.room)} of the function's own" if self.room else ""
        )


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What the settings of a layer are chosen for, and what may be chosen."""

    fit: Fit
    ways: tuple[Way, ...] = tuple(Way)
    """What nobody has decided otherwise."""
    required: bool = True
    """Whether a layer that does not fit is none; else it stays as it is asked for."""


AUTO = Goal(fit=Fit(zipped=DIRECT_UPLOAD_LIMIT), ways=(Way.SMALL,), required=False)
"""What a build tries where nobody says how its zip is compressed."""


def wrong(value: object) -> str:
    """What is wrong with a value that says what a layer has to fit into; empty where nothing is."""
    match value:
        case str() if value.strip().lower() == DIRECT:
            return ""
        case str() if value.strip().lower().startswith(ROOM):
            return _wrong_room(value.strip()[len(ROOM) :].lstrip().removeprefix("="))
        case Mapping():
            strangers = [str(key) for key in value if key != ROOM]
            return f"has {strangers[0]}: it takes {ROOM} alone" if strangers else _wrong_room(value.get(ROOM))
        case _:
            return _wrong_size(value)


def _wrong_size(value: object) -> str:
    size = _bytes(value)
    if size is None:
        return f"must be {HOW}"
    return f"is {size} bytes, less than any layer takes: was MB meant?" if size < _SHORTEST else ""


def _wrong_room(value: object) -> str:
    size = _bytes(value)
    if size is None:
        return "has a room that is no size: such as 40MB"
    most = megabytes(LAMBDA_UNZIPPED_LIMIT)
    return f"leaves no room for a layer: Lambda takes {most} in all" if size >= LAMBDA_UNZIPPED_LIMIT else ""


def _bytes(value: object) -> int | None:
    if isinstance(value, str):
        return sizes.parsed(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def parse_fit(value: object) -> Fit:
    """What ``direct``, ``60MB``, ``room=40MB`` or a project file's ``{ room = "40 MB" }`` says.

    Sizes are numbers with a unit; those of a project file may be bytes. Raises ``UsageError`` for anything else.
    """
    if problem := wrong(value):
        raise UsageError(f"--fit {value!r} {problem}", hint="" if HOW in problem else f"it takes {HOW}")
    match value:
        case Mapping():
            return Fit(room=_bytes(value[ROOM]) or 0)
        case str() if value.strip().lower() == DIRECT:
            return Fit(zipped=DIRECT_UPLOAD_LIMIT)
        case str() if value.strip().lower().startswith(ROOM):
            return Fit(room=_bytes(value.strip()[len(ROOM) :].lstrip().removeprefix("=")) or 0)
        case _:
            return Fit(zipped=_bytes(value))
