"""What keeps values by the digest of all that made them."""

from __future__ import annotations

from typing import Protocol


class Store(Protocol):
    """Values by the digest of all that made them. A value that was damaged on disk reads as absent."""

    def get(self, kind: str, key: str) -> bytes | None:
        """The value, or ``None``."""

    def put(self, kind: str, key: str, value: bytes) -> None:
        """Keeps a value; safe against a second process and against being killed."""

    def holds(self, kind: str, key: str) -> bool:
        """Whether there is a value, without reading it whole: it may turn out to be damaged."""
