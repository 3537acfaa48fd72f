"""The hashes that a request names, which a lock of it holds alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from packaging.utils import canonicalize_version

from layerforge.resolve.errors import LockError
from layerforge.resolve.lock import Lock, Pin
from layerforge.resolve.request import Request


def held(found: Lock, request: Request) -> Lock:
    """The lock with no other hashes than those that the request names, where it names some."""
    wanted = dict(request.listed.hashes)
    made = {one.name for one in request.made if one.held}
    hashless = (pin.name for pin in found.pins if not _wanted(wanted, pin) and pin.name not in made)
    lacking = list(hashless) if request.listed.all_hashed else []
    if lacking:
        raise LockError(
            "--require-hashes asks for a hash of each package, and some have none",
            hint="add theirs, or leave the option out: a lock holds hashes of all either way",
            details=tuple(lacking),
        )
    kept = (_kept(wanted, pin) for pin in found.pins)
    pins = [replace(pin, hashes=tuple(sorted(hashes))) for pin, hashes in zip(found.pins, kept, strict=True)]
    bare = [f"{pin.name} {pin.version}" for pin in pins if not pin.hashes]
    if bare:
        raise LockError(
            "no file has a hash that is asked for",
            hint="was the hash copied whole, and is it that version's? if so, do not use what the index has",
            details=tuple(f"{one}: none of its files" for one in bare),
        )
    return replace(found, pins=tuple(pins))


def _wanted(hashes: Mapping[tuple[str, str], frozenset[str]], pin: Pin) -> list[frozenset[str]]:
    """What is named for a pin's version, and for its package alone. Where only other versions have some, none fits."""
    version = canonicalize_version(pin.version) if pin.version else ""
    named = [key for key in hashes if key[0] == pin.name]
    fitting = [hashes[key] for key in named if key[1] in {version, ""}]
    return fitting or [frozenset() for _ in named[:1]]


def _kept(hashes: Mapping[tuple[str, str], frozenset[str]], pin: Pin) -> frozenset[str]:
    """The hashes of a pin that are in all that is named for it."""
    return frozenset(pin.hashes).intersection(*_wanted(hashes, pin))
