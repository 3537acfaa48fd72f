"""What keeps values by the digest of all that made them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

BY_CONTENT = frozenset({"archive", "source", "wheel"})
"""Kinds whose key is the SHA-256 of the value itself: nobody has to vouch for them."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """How a value came to be, for people who look for a reason. It decides nothing."""

    image: str = ""
    """Identity of the image that it was made in."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of what made it, by name."""
    seconds: float = 0.0
    log: str = ""
    """Key of what the step wrote, which the store has as ``log``."""


class Store(Protocol):
    """Values by the digest of all that made them. A value that was damaged on disk reads as absent."""

    @property
    def shared(self) -> bool:
        """Whether others read what is put here: then it is worth more work than this machine alone would have of it."""

    def get(self, kind: str, key: str) -> bytes | None:
        """The value, or ``None``."""

    def put(self, kind: str, key: str, value: bytes, made: Made | None = None) -> None:
        """Keeps a value, and how it came to be; safe against a second process and against being killed."""

    def holds(self, kind: str, key: str) -> bool:
        """Whether there is a value, without reading it whole: it may turn out to be damaged."""
