"""What stays out of a layer on purpose, and the lines of a lock that say so."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from layerforge.core.text import megabytes


class Why(StrEnum):
    """Why a package stays out."""

    ASKED = "asked"
    RUNTIME = "runtime"
    """Lambda's own Python has it."""
    UNNEEDED = "only needed by it"
    """Nothing that stays asks for it."""
    BESIDE = "in another layer"
    """The functions that need it have it from another of their layers."""


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A package that would be in the layer."""

    name: str
    """Normalised name."""
    version: str = ""
    """The one that it would have; empty where nobody could tell."""
    why: Why
    bytes: int | None = None
    """Of its wheel; ``None`` where the index did not say."""

    @property
    def told(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version}".strip()


_LINE = re.compile(rf"^# Left out: ([a-z0-9-]+)(?: (\S+))? \(({'|'.join(Why)})\)$", re.MULTILINE)


def lines(left_out: Iterable[LeftOut]) -> str:
    """Lines of a lock that say what it is without."""
    return "".join(f"# Left out: {one.told} ({one.why})\n" for one in left_out)


def read(text: str) -> tuple[LeftOut, ...]:
    """What the lines of a lock say that it is without."""
    return tuple(LeftOut(name=name, version=version, why=Why(why)) for name, version, why in _LINE.findall(text))


def by_runtime(left_out: Iterable[LeftOut]) -> bool:
    """Whether a layer counts on packages of Lambda's own Python."""
    return any(one.why is Why.RUNTIME for one in left_out)


def told(left: Collection[LeftOut]) -> str:
    """``boto3 1.44.5, six 1.17.0 (16.2 MB of wheels)``; empty where nothing is left out."""
    if not left:
        return ""
    size = saved(left)
    names = ", ".join(one.told for one in left)
    return f"{names} ({megabytes(size)} of wheels)" if size else names


def saved(left: Iterable[LeftOut]) -> int:
    """Bytes of the wheels that are left out, as far as they are known."""
    return sum(one.bytes or 0 for one in left)
