"""What a store that others read is asked for all at once, before it is asked for one by one.

A plan of hundreds of layers asks thousands of times whether something is there. Each answer takes a way to the store
and back, and most say no.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from layerforge.core.store.disk import DiskStore
from layerforge.core.store.protocol import Made, Store

THREADS = 32
"""Questions that are on their way at once; each takes a way there and back, and little else."""

Pair = tuple[str, str]
"""Kind and key of a value."""


@dataclass(frozen=True, kw_only=True)
class LookedUp:
    """A store with the answers that it gave a moment ago: fit for a plan, not for what is carried out by it."""

    store: Store
    values: Mapping[Pair, bytes | None]
    held: Mapping[Pair, bool]

    @property
    def shared(self) -> bool:
        """As it is."""
        return self.store.shared

    def get(self, kind: str, key: str) -> bytes | None:
        """The value, as it was then, or as it is where it was not asked for."""
        pair = (kind, key)
        return self.values[pair] if pair in self.values else self.store.get(kind, key)

    def holds(self, kind: str, key: str) -> bool:
        """Whether there was a value."""
        known = self.held.get((kind, key))
        return self.store.holds(kind, key) if known is None else known

    def put(self, kind: str, key: str, value: bytes, made: Made | None = None) -> None:
        """Puts it there."""
        self.store.put(kind, key, value, made)


def looked_up(store: DiskStore, values: Iterable[Pair], held: Iterable[Pair]) -> DiskStore:
    """The same store, for a plan: what lies behind it has been asked for these values, and whether it holds those."""
    behind = store.behind
    if behind is None:
        return store
    wanted = [pair for pair in dict.fromkeys(values) if not store.lies_near(*pair)]
    looked = [pair for pair in dict.fromkeys(held) if not store.lies_near(*pair)]
    with ThreadPoolExecutor(THREADS) as pool:
        found = dict(zip(wanted, pool.map(lambda pair: behind.get(*pair), wanted), strict=True))
        there = dict(zip(looked, pool.map(lambda pair: behind.holds(*pair), looked), strict=True))
    return replace(store, behind=LookedUp(store=behind, values=found, held=there))
