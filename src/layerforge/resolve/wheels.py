"""The wheels of a team: what was installed once is in the store, and takes no index again.

A wheel lies in the store under its own SHA-256. Which one serves a pin on a target is a small value beside it, under
the digest of both, so that it is found without asking an index; and it counts only where the pin has its hash. On this
machine wheels lie as files below one folder, each in one that is called after its hash, so that uv knows those again
that it has unpacked before.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name

from layerforge.core import digest, guarded
from layerforge.core.errors import LayerforgeError
from layerforge.core.filing import write_atomically
from layerforge.core.progress import Step
from layerforge.core.runtimes import Target
from layerforge.core.store.protocol import Store
from layerforge.resolve import lock, sources, uv, wheel_tags
from layerforge.resolve.lock import Pin
from layerforge.resolve.recipe import Source
from layerforge.resolve.sources import Search
from layerforge.resolve.uv import Asked

KIND = "wheel"
"""Kind of the store's values that are wheels; their key is their SHA-256."""

CHOSEN = "wheel-of"
"""Kind of the values that say which wheel serves a pin on a target."""

_SCHEMA = 1
_THREADS = 8
_FALSE = frozenset({"", "0", "false", "no", "off", "n", "f"})


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """The file that serves a pin on a target."""

    file: str
    """Its name, which says for what it is."""
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Shelved:
    """A wheel that lies on this machine."""

    pin: Pin
    wheel: Wheel
    folder: Path
    """That it lies in alone."""
    key: str
    """That the store says it under, and for which pin and target."""
    new: bool = False
    """Whether the store is to get it."""


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """Wheels on this machine that uv may take instead of asking an index; none where the store has none."""

    wheels: tuple[Shelved, ...] = ()
    complete: bool = False
    """Whether no index is needed besides."""
    offline: bool = False
    """Whether nothing else of the network is needed either."""

    @property
    def options(self) -> list[str]:
        """What tells uv of it."""
        folders = [word for one in self.wheels for word in ("--find-links", str(one.folder))]
        return [*folders, *(["--no-index"] if self.complete else []), *(["--offline"] if self.offline else [])]


EMPTY = Shelf()


@dataclass(frozen=True, kw_only=True)
class _Shelving:
    """What the wheels of one installation are looked for with."""

    target: Target
    search: Search
    folder: Path
    indexes: tuple[str, ...]
    step: Step | None = field(default=None)
    """Gets the bytes that are downloaded."""

    def place(self, wheel: Wheel) -> Path:
        """Where a wheel lies on this machine."""
        return self.folder / wheel.sha256 / wheel.file


def shelved(
    pins: Iterable[Pin], target: Target, search: Search, indexes: tuple[str, ...] = (), step: Step | None = None
) -> Shelf:
    """The wheels of pins, from this machine or the store, else, for a store that others read, from an index, which
    ``keep`` then puts into the store.

    What cannot be had so is left to uv: what is pinned to an address, and what an index gives to uv alone. Raises
    nothing for it.
    """
    if search.wheels is None:
        return EMPTY
    pins = list(pins)
    shelving = _Shelving(target=target, search=search, folder=search.wheels, indexes=indexes, step=step)
    wanted = [pin for pin in pins if not pin.address]
    with ThreadPoolExecutor(_THREADS) as pool:
        kept = list(pool.map(lambda pin: _kept(pin, shelving), wanted))
    found = [one for one in kept if one is not None]
    names = {one.pin.name for one in found}
    if search.store.shared:
        found += _of_indexes([pin for pin in wanted if pin.name not in names], shelving)
    complete = len(found) == len(wanted)
    local = all(pin.address.startswith("file:") for pin in pins if pin.address)
    return Shelf(wheels=tuple(found), complete=complete, offline=complete and local)


def keep(shelf: Shelf, search: Search) -> None:
    """Puts the wheels of a shelf into the store that it does not have. They have been installed, so they are sound."""
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(lambda one: _put(one, search.store), (one for one in shelf.wheels if one.new)))


def _put(one: Shelved, store: Store) -> None:
    if not store.holds(KIND, one.wheel.sha256):
        store.put(KIND, one.wheel.sha256, (one.folder / one.wheel.file).read_bytes())
    # After the wheel itself, so that it never names one that is not there.
    store.put(CHOSEN, one.key, json.dumps(asdict(one.wheel)).encode())


def key_of(pin: Pin, target: Target) -> str:
    """What decides which wheel serves a pin: the files that it may be, and what the target takes."""
    return digest.of_json([_SCHEMA, pin.name, pin.version, sorted(pin.hashes), target.label, target.runtime.manylinux])


def _kept(pin: Pin, shelving: _Shelving) -> Shelved | None:
    """The wheel that the store knows for a pin, laid on this machine; ``None`` where it knows or has none."""
    key = key_of(pin, shelving.target)
    wheel = _read(shelving.search.store.get(CHOSEN, key))
    if wheel is None:
        return None
    if not _serves(wheel, pin, shelving.target):
        shelving.search.progress.warn(
            f"the stored wheel of {pin.name} {pin.version} is none that the lock allows; it is not used"
        )
        return None
    data = None if _lies(shelving.place(wheel), wheel) else shelving.search.store.get(KIND, wheel.sha256)
    return _laid(pin, wheel, data, shelving, key)


def _read(data: bytes | None) -> Wheel | None:
    """What the store says of a wheel; ``None`` where that is nothing, or something else."""
    try:
        return guarded.json_as(data, Wheel) if data is not None else None
    except guarded.Unreadable:
        return None


def _serves(wheel: Wheel, pin: Pin, target: Target) -> bool:
    """Whether a pin may be that file, and the target takes it."""
    hashed = f"sha256:{wheel.sha256}" in pin.hashes
    return hashed and wheel_tags.is_of(wheel.file, pin) and wheel_tags.fits(wheel.file, target)


def _lies(path: Path, wheel: Wheel) -> bool:
    """Whether a wheel lies on this machine, whole."""
    with suppress(OSError):
        return not path.is_symlink() and path.is_file() and digest.of_file(path) == wheel.sha256
    return False


def _laid(
    pin: Pin, wheel: Wheel, data: bytes | None, shelving: _Shelving, key: str, *, new: bool = False
) -> Shelved | None:
    """A wheel where uv finds it, written there from ``data`` unless it lies there; ``None`` where it is not whole."""
    path = shelving.place(wheel)
    if data is not None and digest.sha256(data) == wheel.sha256:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, data, 0o600)
    elif not _lies(path, wheel):
        return None
    return Shelved(pin=pin, wheel=wheel, folder=path.parent, key=key, new=new)


@dataclass(frozen=True, kw_only=True)
class _Offer:
    """A wheel of an index."""

    wheel: Wheel
    url: str
    size: int
    """Bytes; 0 where the index does not say."""


def _of_indexes(pins: Sequence[Pin], shelving: _Shelving) -> list[Shelved]:
    """The wheels of pins that the store does not know, downloaded here, since uv keeps no wheel as a file."""
    if not pins or os.environ.get("UV_OFFLINE", "").strip().lower() not in _FALSE:
        return []
    offers = _offers(pins, shelving)
    with ThreadPoolExecutor(_THREADS) as pool:
        got = list(pool.map(lambda pin: _downloaded(pin, offers.get(pin.name), shelving), pins))
    if refused := [pin.name for pin, one in zip(pins, got, strict=True) if isinstance(one, str)]:
        whys = sorted({one for one in got if isinstance(one, str)})
        shelving.search.progress.say(f"not shared with others: {', '.join(refused)} ({'; '.join(whys)})")
    return [one for one in got if isinstance(one, Shelved)]


def _offers(pins: Iterable[Pin], shelving: _Shelving) -> Mapping[str, _Offer]:
    """The wheel that an index has for each pin, as uv would take it; of those for which it has one."""
    by_name = {pin.name: pin for pin in pins}
    text = "\n".join(f"{pin.name}=={pin.version}" for pin in by_name.values())
    try:
        rows = uv.wheels(Asked(source=text, indexes=shelving.indexes), shelving.target)
    except LayerforgeError:
        return {}  # uv says so where it installs
    found: dict[str, _Offer] = {}
    for row in rows:
        pin = by_name.get(canonicalize_name(row["name"]))
        offers = [_offer(one) for one in row.get("wheels", ())]
        fitting = [one for one in offers if pin and _serves(one.wheel, pin, shelving.target)]
        if pin and fitting:
            found[pin.name] = max(fitting, key=lambda one: wheel_tags.rank(one.wheel.file, shelving.target))
    return found


def _offer(row: Mapping[str, Any]) -> _Offer:
    url = row.get("url") or Path(row["path"]).resolve().as_uri()
    file = row.get("name") or unquote(urlsplit(url).path).rpartition("/")[2]
    return _Offer(
        wheel=Wheel(file=file, sha256=row.get("hashes", {}).get("sha256", "")), url=url, size=row.get("size", 0)
    )


def _downloaded(pin: Pin, offer: _Offer | None, shelving: _Shelving) -> Shelved | str:
    """The wheel of a pin, or why it is left to uv."""
    if offer is None:
        return "no index has a wheel that the lock allows"
    if lock.holds_credentials(offer.url):
        return "an index with credentials has them"
    wheel, key = offer.wheel, key_of(pin, shelving.target)
    data: bytes | None = None
    if not _lies(shelving.place(wheel), wheel):
        try:
            data = _fetched(offer, shelving)
        except LayerforgeError as error:
            return (
                "an index with credentials has them"
                if sources.wants_credentials(error)
                else "they cannot be downloaded"
            )
    return _laid(pin, wheel, data, shelving, key, new=True) or "what was downloaded are other files"


def _fetched(offer: _Offer, shelving: _Shelving) -> bytes:
    """The bytes of an offered wheel. Raises ``LockError``."""
    if shelving.step is not None:
        shelving.step.expect(offer.size)
    data = sources.download(Source(url=offer.url, sha256=offer.wheel.sha256))
    if shelving.step is not None:
        shelving.step.advance(offer.size)
    return data
