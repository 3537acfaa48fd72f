"""A lock that others may have written, brought together with the wheels that lie on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name

from layerforge.core import digest, guarded
from layerforge.core.progress import Progress
from layerforge.resolve.errors import LockError
from layerforge.resolve.lock import Lock, Pin
from layerforge.resolve.made_wheel import MadeWheel
from layerforge.resolve.request import Request


def placed(found: Lock, request: Request, progress: Progress) -> Lock:
    """The lock whose pins to wheels on this machine say where these lie: a lock for everybody tells hashes alone.

    The wheel of a folder of the person's is always what the folder gives now, which is said where the lock has another.
    What can be but one wheel, such as that of a commit, joins a lock that does not hold it. Raises ``LockError`` where
    any other wheel is not the one that is locked.
    """
    named = dict(_named(request))
    made = {one.name: one for one in request.made}
    pins = [_placed(pin, named, made, progress) for pin in found.pins]
    there = {pin.name for pin in found.pins} | {one.name for one in found.left_out}
    # Of what another tool's lock holds as a folder, an archive or a repository it has no wheel.
    whole = request.other is not None and not request.partly
    own = [one for one in request.made if (whole or (one.held and one.direct)) and one.name not in there]
    more = [
        Pin(
            name=one.name,
            version="",
            hashes=(f"sha256:{one.sha256}",),
            address=one.address,
            marker=one.source.marker,
        )
        for one in own
    ]
    return replace(found, pins=tuple(sorted([*pins, *more], key=lambda pin: (pin.name, pin.version, pin.marker))))


def _named(request: Request) -> Iterator[tuple[str, str]]:
    """The wheels on disk that requirements name: name and address of each."""
    for line in request.text.splitlines():
        try:
            requirement = guarded.requirement(line)
        except guarded.Unreadable:
            continue
        if (requirement.url or "").startswith("file:"):
            yield canonicalize_name(requirement.name), requirement.url or ""


def _placed(pin: Pin, named: dict[str, str], made: dict[str, MadeWheel], progress: Progress) -> Pin:
    if pin.address:
        return pin
    if one := made.get(pin.name):
        if f"sha256:{one.sha256}" not in pin.hashes:
            if not one.own:
                raise _other(pin, one.source.text, one.sha256)
            progress.say(f"{pin.name} {one.version} is what {one.source.place} gives now: the lock has another")
        return replace(pin, version="", address=one.address, hashes=(f"sha256:{one.sha256}",))
    if address := named.get(pin.name):
        sha256 = _sha256(address)
        if f"sha256:{sha256}" not in pin.hashes:
            raise _other(pin, address, sha256)
        return replace(pin, version="", address=address, hashes=(f"sha256:{sha256}",))
    return pin


def _sha256(address: str) -> str:
    try:
        return digest.of_file(Path(unquote(urlsplit(address).path)))
    except OSError as error:
        raise LockError(f"{address} cannot be read", hint="name a wheel", details=(str(error),)) from error


def _other(pin: Pin, what: str, sha256: str) -> LockError:
    return LockError(
        f"the lock has another wheel of {pin.name} than the one that is there",
        hint="find out which of the two is right; `layerforge lock` with the same words writes the lock anew",
        details=(what, f"is sha256:{sha256}", *(f"locked {one}" for one in pin.hashes)),
    )
