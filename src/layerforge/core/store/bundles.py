"""Bundles: many small values as one, so that a store which others read takes and gives dozens instead of thousands.

What is bundled is known by its keys before any of it is made. A bundle lies under the digest of its keys, so one that
is found is the right one, whatever made it; and it counts only where it holds these very keys.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import msgspec

from layerforge.core import digest
from layerforge.core.store.protocol import Store

SUFFIX = "-bundle"
"""How the kind of every bundle ends, after the kind of its values."""

_THREADS = 16
"""Bundles that are asked for at once: each takes a way to the store and back, and little else."""


BYTECODE = f"bytecode{SUFFIX}"
"""The bundles that are kept on this machine as they are."""


def is_bundle(kind: str) -> bool:
    """Whether values of a kind are bundles."""
    return kind.endswith(SUFFIX)


def is_taken_apart(kind: str) -> bool:
    """Whether values of a kind are bundles whose parts are kept on this machine one by one."""
    return is_bundle(kind) and kind != BYTECODE


def key_of(keys: Collection[str]) -> str:
    """The key of the bundle of the values of these keys."""
    return digest.of_json(sorted(set(keys)))


@contextmanager
def bundled(
    store: Store, kind: str, groups: Mapping[str, Collection[str]], warn: Callable[[str], None]
) -> Iterator[None]:
    """Has values of a kind come as bundles before they are wanted, and go as bundles once they are made.

    ``groups`` are the keys of each bundle, by a name for people. Of a group of which a value is absent the bundle is
    asked for, and its values are kept as if they had been made here. Where there is none, one is made of what is kept
    at the end. A bundle that is not what it should be is not used, and ``warn`` gets a line. Nothing of this where no
    others read from the store.
    """
    if not store.shared:
        yield
        return
    absent = {name: keys for name, keys in groups.items() if not all(store.holds(kind, key) for key in keys)}
    with ThreadPoolExecutor(_THREADS) as pool:
        settled = list(pool.map(lambda name: _take(store, kind, name, absent[name], warn), absent))
    yield
    to_make = [absent[name] for name, done in zip(absent, settled, strict=True) if not done]
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(lambda keys: _make(store, kind, keys), to_make))


def _take(store: Store, kind: str, name: str, keys: Collection[str], warn: Callable[[str], None]) -> bool:
    """Keeps the values of a bundle. Returns whether there is a bundle, be it of use or not: none takes its place."""
    data = store.get(kind + SUFFIX, key_of(keys))
    if data is None:
        return False
    values = unpacked(data)
    if values is None or values.keys() != set(keys):
        why = "it cannot be read" if values is None else "it holds other values"
        warn(f"the stored {kind} of {name or 'files of no package'} is not used, since {why}; it is made again")
        return True
    for key, value in values.items():
        if not store.holds(kind, key):
            store.put(kind, key, value)
    return True


def _make(store: Store, kind: str, keys: Collection[str]) -> None:
    """Puts the values of ``keys`` together, if they are there by now."""
    values = {key: value for key in keys if (value := store.get(kind, key)) is not None}
    if values.keys() == set(keys):
        store.put(kind + SUFFIX, key_of(keys), packed(values))


def packed(values: Mapping[str, bytes]) -> bytes:
    """The bytes of a bundle: the same for the same values, in whatever order they come."""
    return msgspec.msgpack.encode({key: values[key] for key in sorted(values)})


def unpacked(data: bytes) -> dict[str, bytes] | None:
    """The values of a bundle by their keys; ``None`` where it is none, or was cut short."""
    try:
        return msgspec.msgpack.decode(data, type=dict[str, bytes])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
