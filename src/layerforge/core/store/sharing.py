"""The store that a team shares, as it is named: opened, and put behind that of this machine."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from layerforge.core.progress import Progress
from layerforge.core.store.disk import DiskStore

if TYPE_CHECKING:
    from layerforge.core.store.far import FarStore


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """What is said of the store that a team shares."""

    place: str = ""
    """``s3://bucket/prefix``, an address, or a folder; empty where nothing is shared."""
    trusted: tuple[str, ...] = ()
    """Public keys."""
    signing_key: str = field(default="", repr=False)
    """A file, or the key itself; empty where nothing is put there."""


def opened(said: Sharing, progress: Progress) -> FarStore:
    """The store at a place, looked at once. Raises ``StoreError`` where it cannot be read."""
    # Most runs share nothing, and half of a short run is imports.
    from layerforge.core.store import keys, places
    from layerforge.core.store.far import FarStore

    found = FarStore(
        objects=places.opened(said.place),
        progress=progress,
        trusted=keys.trusted(said.trusted),
        signer=keys.signing_key(said.signing_key) if said.signing_key else None,
    )
    if not found.check() and found.signer is None:
        progress.warn(f"{said.place} holds nothing yet: if others use it, is the address right?")
    if not found.believed:
        progress.warn(f"no trusted-keys are named, so of {said.place} only what its own digest proves is used")
    return found


def behind(near: DiskStore, said: Sharing) -> DiskStore:
    """A store of this machine with what the team shares behind it, which a build can do without.

    Raises ``StoreError`` where that cannot be read from the start.
    """
    if not said.place:
        return near
    from layerforge.core.store.lenient import LenientStore

    return replace(near, behind=LenientStore(store=opened(said, near.progress), progress=near.progress))
