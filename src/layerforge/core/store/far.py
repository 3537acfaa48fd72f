"""The far store: what a team shares. Blobs lie under their SHA-256 and prove themselves; signed records say which blob
a key stands for, and only those of trusted keys count.

Nothing is ever written over: blobs and records are created once. Each signer has a record of its own under a key, so
nobody who is not trusted can stand in the way of one who is.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from layerforge.core import digest, guarded
from layerforge.core.errors import StoreError
from layerforge.core.progress import Progress
from layerforge.core.store import bundles, records
from layerforge.core.store.keys import PublicKey, SigningKey
from layerforge.core.store.objects import MARK, MOST, FarStoreError, ForeignObjectError, Listed, Objects
from layerforge.core.store.protocol import BY_CONTENT, Made
from layerforge.core.store.records import Record, UnusableError

SCHEMA = 1
SAME = frozenset({"built", "layer-bytes"})
"""Kinds of which the same key has to give the same bytes, whoever makes them."""

_TOLD = ("layer", "verdict", "suite", "step-seconds", "build-requires", "origins", "log", "failed-log")
_CHOICES = ("wheel-of", "sdist-of")
KINDS = BY_CONTENT | SAME | {*_TOLD, *_CHOICES}
"""What goes far, and bundles. The rest is quick to make, or speaks of this machine alone."""

_HEX = re.compile(r"[0-9a-f]{64}")
_SIGNER = re.compile(r"[0-9a-f]{16}")
_BUNDLE = re.compile(r"[a-z0-9-]{1,64}")
"""Kinds of bundles are many, and a place may hold any name."""

_LOOKED_AFTER = frozenset({"built", "layer"})
"""Kinds of which it is said when only somebody untrusted has them: everything else is quick to make."""


class ConflictError(StoreError):
    """One key stands for two values: a store is poisoned, or a build is not reproducible."""


@dataclass(frozen=True, kw_only=True)
class Marker:
    """What a store says of itself."""

    schema: int = SCHEMA


@dataclass(frozen=True, kw_only=True)
class FarStore:
    """What a team shares. Fit for several threads; raises ``FarStoreError`` where ``objects`` cannot be used."""

    objects: Objects
    progress: Progress
    trusted: tuple[PublicKey, ...] = ()
    """Whose records count."""
    signer: SigningKey | None = None
    """By whom records are signed; without one nothing is put there."""
    _said: set[str] = field(default_factory=set, repr=False, compare=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def shared(self) -> bool:
        """Whether others will read what is put here."""
        return self.signer is not None

    @property
    def believed(self) -> tuple[PublicKey, ...]:
        """Every key whose records count, one's own among them."""
        own = (self.signer.public,) if self.signer else ()
        return tuple({key.id: key for key in (*self.trusted, *own)}.values())

    def check(self) -> bool:
        """Whether anything was ever put there.

        Raises ``FarStoreError`` for a place that cannot be read, or that a newer layerforge has laid out.
        """
        found = self.objects.read(MARK, records.MOST)
        if found is None:
            return False
        try:
            guarded.file_as(found, Marker, SCHEMA)
        except guarded.Unreadable as error:
            raise FarStoreError(
                f"the store {self.objects.place} cannot be understood",
                hint="a newer layerforge may have made it: bring this one up to date, or name another place",
                details=(str(error),),
            ) from error
        return True

    def get(self, kind: str, key: str) -> bytes | None:
        """A value that its digest proves and, where its key does not, a trusted signature; else ``None``."""
        if not _goes(kind, key):
            return None
        if kind in BY_CONTENT:
            return self._blob(key)
        record = self.record(kind, key)
        return self._blob(record.sha256, f"{kind} {key[:12]}", record.size) if record else None

    def holds(self, kind: str, key: str) -> bool:
        """Whether there is such a value, as far as a trusted record or the name of a blob tells."""
        if not _goes(kind, key):
            return False
        sha256 = key if kind in BY_CONTENT else record.sha256 if (record := self.record(kind, key)) else ""
        return bool(sha256) and self._has_blob(sha256)

    def put(self, kind: str, key: str, value: bytes, made: Made | None = None) -> None:
        """Keeps a value, if there is a key to sign with: first the bytes, so that no record names what is not there.

        Raises ``ConflictError`` where a trusted record says otherwise of what has to be the same for all.
        """
        if not _goes(kind, key):
            return
        if self.signer is None:
            return  # whoever only reads has chosen so
        sha256 = digest.sha256(value)
        known = self.record(kind, key)
        if known:
            _refuse_other(known, sha256, f"{kind} {key}", "what was made here")
            if self._has_blob(known.sha256):
                return
        self._mark()
        self.objects.create(blob_name(sha256), value)
        if known is None or known.sha256 != sha256:
            self._write(Record(kind=kind, key=key, sha256=sha256, size=len(value), made=made or Made(), signer=""))

    def _write(self, record: Record) -> None:
        assert self.signer is not None, "put has looked"
        name = records.place(record.kind, record.key, self.signer.public.id)
        if not self.objects.create(name, records.signed(record, self.signer)):
            # Somebody with the same key was first, this moment.
            known = self.record(record.kind, record.key)
            if known is not None:
                _refuse_other(known, record.sha256, f"{record.kind} {record.key}", "what was made here")

    def _mark(self) -> None:
        if MARK not in self._said:
            self.objects.create(MARK, b'{"schema": 1}\n')
            self._said.add(MARK)

    def record(self, kind: str, key: str) -> Record | None:
        """The record of a trusted key; ``None`` where there is none. Raises ``ConflictError`` where two disagree."""
        found: Record | None = None
        for believed in self.believed:
            one = self._record(kind, key, believed)
            if one is not None and found is not None:
                _refuse_other(found, one.sha256, f"{kind} {key}", f"the record of {one.signer}")
            found = found or one
        if found is None and kind in _LOOKED_AFTER:
            self._look_for_strangers(kind, key)
        return found

    def _record(self, kind: str, key: str, believed: PublicKey) -> Record | None:
        data = self._read(records.place(kind, key, believed.id), records.MOST)
        if data is None:
            return None
        try:
            return records.read(data, kind, key, believed)
        except UnusableError as error:
            self._say(f"the record of {kind} {key[:12]} {error}, so it is not used")
            return None

    def _look_for_strangers(self, kind: str, key: str) -> None:
        """Says that somebody has what is looked for whom this project does not trust."""
        try:
            strangers = [one.name.rpartition(".")[2] for one in self.objects.listed(records.place(kind, key))]
        except FarStoreError:
            return  # not every place can be listed
        for stranger in {*strangers} - {key.id for key in self.believed}:
            known = f"the key {stranger}" if _SIGNER.fullmatch(stranger) else "nobody's key"
            self._say(f"the store has values of {known}, which is not among the trusted ones: they are not used")

    def _blob(self, sha256: str, what: str = "", most: int = MOST) -> bytes | None:
        data = self._read(blob_name(sha256), most)
        if data is None:
            if what:
                self._say(f"the store has a record of {what} but not its bytes")
            return None
        if digest.sha256(data) != sha256:
            self._say(
                f"the blob {sha256[:12]} in the store has another digest, so it is not used: look with `cache verify`"
            )
            return None
        return data

    def _read(self, name: str, most: int) -> bytes | None:
        """An object's bytes. What stands in place of one is said, and is as if it were not there."""
        try:
            return self.objects.read(name, most)
        except ForeignObjectError as error:
            self._say(f"{error.message}; it is not used")
            return None

    def _has_blob(self, sha256: str) -> bool:
        try:
            return self.objects.size(blob_name(sha256)) is not None
        except ForeignObjectError as error:
            self._say(f"{error.message}; it is not used")
            return False

    def _say(self, text: str) -> None:
        """A warning, once."""
        with self._lock:
            if text in self._said:
                return
            self._said.add(text)
        self.progress.warn(text)


def goes(kind: str) -> bool:
    """Whether values of a kind go far."""
    return kind in KINDS or (bundles.is_bundle(kind) and _BUNDLE.fullmatch(kind) is not None)


def _goes(kind: str, key: str) -> bool:
    return goes(kind) and _HEX.fullmatch(key) is not None


def blob_name(sha256: str) -> str:
    """Name of the object that bytes with a digest are in."""
    return f"cas/sha256/{sha256[:2]}/{sha256}"


def _refuse_other(known: Record, sha256: str, what: str, who: str) -> None:
    """Raises ``ConflictError`` where a record and somebody else disagree on what has to be the same for all."""
    if known.kind in SAME and known.sha256 != sha256:
        raise ConflictError(
            f"the store holds something else under {what}: it is poisoned, or the build is not reproducible",
            hint="`layerforge build --verify-twice` tells which; nothing was written over",
            details=(
                f"{known.sha256}  the record of {known.signer}"
                + (f" ({known.made.image[:19]})" if known.made.image else ""),
                f"{sha256}  {who}",
            ),
        )


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A record's place, as a listing tells it."""

    kind: str
    key: str
    signer: str
    """Id of the key that it is kept under."""
    object: Listed


def entries(objects: Objects) -> Iterator[Entry]:
    """Every record in a place. Names that are none are passed over."""
    for one in objects.listed("records/"):
        match one.name.split("/"):
            case [_, kind, _, last] if _goes(kind, last.partition(".")[0]):
                key, _, signer = last.partition(".")
                yield Entry(kind=kind, key=key, signer=signer, object=one)
            case _:
                continue
