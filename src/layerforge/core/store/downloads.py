"""What an empty store may take from a full one: what was downloaded, and never what was made."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from layerforge.core.store.protocol import Made, Store


@dataclass(frozen=True, kw_only=True)
class Downloads:
    """``store`` as if it had values of these ``kinds`` alone, and took no others."""

    store: Store
    kinds: Collection[str]

    @property
    def shared(self) -> bool:
        """Nobody reads from it what the store itself would not give."""
        return False

    def get(self, kind: str, key: str) -> bytes | None:
        """The value, or ``None``."""
        return self.store.get(kind, key) if kind in self.kinds else None

    def put(self, kind: str, key: str, value: bytes, made: Made | None = None) -> None:
        """Keeps a value of its kinds."""
        if kind in self.kinds:
            self.store.put(kind, key, value, made)

    def holds(self, kind: str, key: str) -> bool:
        """Whether there is a value of its kinds."""
        return kind in self.kinds and self.store.holds(kind, key)
