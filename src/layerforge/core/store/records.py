"""What says which bytes a key stands for: a small signed text. Of the bytes themselves it holds the digest alone."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass, field, replace

from layerforge.core import guarded
from layerforge.core.store.keys import PublicKey, SigningKey
from layerforge.core.store.protocol import Made

SCHEMA = 1
_SIGNED = b"layerforge record\0"
MOST = 65_536
"""Bytes that a record may have."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """The bytes that a key of a kind stands for."""

    schema: int = SCHEMA
    kind: str
    key: str
    sha256: str
    size: int
    made: Made = field(default_factory=Made)
    signer: str
    """Name of the key, for people."""
    signature: str = ""
    """Base64, of all the rest."""

    @property
    def signed(self) -> bytes:
        """What the signature is of."""
        facts = asdict(self)
        del facts["signature"]
        return _SIGNED + json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


class UnusableError(Exception):
    """Why a record is not used."""


class NewerError(UnusableError):
    """A later layerforge wrote it, for which it is as it should be."""


def place(kind: str, key: str, signer: str = "") -> str:
    """Name of the object that a record is in; without the key's id, what the names of all signers' begin with."""
    return f"records/{kind}/{key[:2]}/{key}.{signer}"


def signed(record: Record, key: SigningKey) -> bytes:
    """The text of a record with the key's signature."""
    # A whole number would come back as another text, which the signature is not of.
    named = replace(record, signer=key.name, made=replace(record.made, seconds=float(record.made.seconds)))
    whole = replace(named, signature=base64.b64encode(key.sign(named.signed)).decode())
    return json.dumps(asdict(whole), sort_keys=True, indent=1).encode()


def read(data: bytes, kind: str, key: str, believed: PublicKey) -> Record:
    """The record in ``data``, which has to be of that kind and key and signed by ``believed``.

    Raises ``UnusableError`` for one that is cut short, of another key, or not signed so; ``NewerError`` for one of a
    newer schema.
    """
    try:
        facts = guarded.json_value(data) if len(data) <= MOST else None
        schema = facts.get("schema") if isinstance(facts, dict) else None
        if isinstance(schema, int) and schema > SCHEMA:
            raise NewerError("was written by a newer layerforge")
        record = guarded.as_(facts, Record)
        signature = base64.b64decode(record.signature, validate=True)
    except (guarded.Unreadable, ValueError) as error:
        raise UnusableError("is cut short or damaged") from error
    if (record.schema, record.kind, record.key) != (SCHEMA, kind, key):
        raise UnusableError("speaks of another key")
    if not record.signature:
        raise UnusableError("is not signed")
    if not believed.verifies(signature, record.signed):
        raise UnusableError(f"is not signed by the key {believed.name} that it is kept under")
    return record
