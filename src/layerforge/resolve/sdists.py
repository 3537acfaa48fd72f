"""Source distributions of locked packages: from the store where one was had before, else from an index."""

from __future__ import annotations

import json

from layerforge.core import digest, guarded
from layerforge.core.runtimes import Target
from layerforge.resolve import uv
from layerforge.resolve.lock import Pin
from layerforge.resolve.recipe import Source
from layerforge.resolve.sources import Search

CHOSEN = "sdist-of"
"""Kind of the values that say which of the files that a pin may be is its source distribution: its SHA-256.

Not where it lies, which may be another place for every machine that reads the store.
"""


def find(pin: Pin, target: Target, search: Search, indexes: tuple[str, ...] = ()) -> Source:
    """The source distribution of a pin: no index is asked where the store has it, and then it has no address.

    Raises ``LockError`` where there is none that the lock knows.
    """
    key = digest.of_json([pin.name, pin.version, sorted(pin.hashes)])
    known = _read(search.store.get(CHOSEN, key))
    if f"sha256:{known}" in pin.hashes and search.store.get("source", known) is not None:
        return Source(url="", sha256=known)
    found = uv.find_sdist(pin, target, indexes)
    search.store.put(CHOSEN, key, json.dumps(found.sha256).encode())
    return found


def _read(data: bytes | None) -> str:
    """The hash that a value holds; empty where there is none, or something else."""
    try:
        return guarded.json_as(data, str) if data is not None else ""
    except guarded.Unreadable:
        return ""
