"""Ed25519 keys: who vouches for what a team's store holds, and whom a build believes."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from layerforge.core import faults, guarded
from layerforge.core.errors import UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_SECRET = "layerforge-secret-key:"  # noqa: S105 - how such a key begins
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LENGTH = 32
_MOST = 4096
_MAKE = "`layerforge cache key --name team` makes a pair and says what goes where"


@dataclass(frozen=True, kw_only=True)
class PublicKey:
    """A key that a project trusts."""

    name: str
    """For people; two keys may have the same."""
    raw: bytes
    """32 bytes."""

    @property
    def text(self) -> str:
        """As it stands in a project file: ``team:BASE64``."""
        return f"{self.name}:{base64.b64encode(self.raw).decode()}"

    @cached_property
    def id(self) -> str:
        """16 hexadecimal digits, by which its records are found."""
        return hashlib.sha256(self.raw).hexdigest()[:16]

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether ``signature`` is this key's of ``data``."""
        # Most runs need no signatures, and half of a short run is imports.
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, data)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, kw_only=True)
class SigningKey:
    """A secret key."""

    name: str
    raw: bytes = field(repr=False)
    """32 bytes."""

    @property
    def text(self) -> str:
        """As it stands in its file or variable. Whoever has it can put anything into layers."""
        return f"{_SECRET}{self.name}:{base64.b64encode(self.raw).decode()}"

    @cached_property
    def public(self) -> PublicKey:
        """The key that tells its signatures."""
        public = _private(self.raw).public_key()
        return PublicKey(name=self.name, raw=public.public_bytes_raw())

    def sign(self, data: bytes) -> bytes:
        """64 bytes."""
        return _private(self.raw).sign(data)


def new_key(name: str) -> SigningKey:
    """A new pair. Raises ``UsageError`` for what is no name."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot be the name of a key", hint="letters, digits, dots, dashes and underscores")
    return SigningKey(name=name, raw=secrets.token_bytes(_LENGTH))  # any 32 bytes are a key (RFC 8032)


def _private(raw: bytes) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(raw)


def write_new(key: SigningKey, path: Path) -> None:
    """Writes a secret key to a new file that this user alone can read. Never writes over one."""
    with faults.writing(path.parent, choose="name"):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            raise UsageError(
                f"{path} is there already, and what it signed could no longer be told from others'",
                hint="name another file, or move that one away if it was lost to somebody",
            ) from None
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"{key.text}\n")


def trusted(texts: Iterable[str]) -> tuple[PublicKey, ...]:
    """The keys that a project names, each ``team:BASE64``. Raises ``UsageError`` for what is none."""
    return tuple(dict.fromkeys(_public(text.strip()) for text in texts))


def _public(text: str) -> PublicKey:
    if text.startswith(_SECRET):
        raise UsageError(
            "a secret key is named where a public one belongs",
            hint="make a new pair, since others may have seen that one, and name the line without `secret`",
        )
    name, _, rest = text.partition(":")
    raw = _raw(rest)
    if raw is None or not _NAME.fullmatch(name):
        raise UsageError(f"{text[:100]!r} is no public key", hint=f"it looks like team:BASE64; {_MAKE}")
    return PublicKey(name=name, raw=raw)


def signing_key(text: str) -> SigningKey:
    """The secret key that a variable or option names: a file, or the key itself as CI keeps it.

    Raises ``UsageError`` where there is none, or others can read its file.
    """
    if not text.startswith(_SECRET):
        text = _of_file(Path(text).expanduser())
    name, _, rest = text.removeprefix(_SECRET).strip().partition(":")
    raw = _raw(rest)
    if not text.startswith(_SECRET) or raw is None or not _NAME.fullmatch(name):
        raise UsageError("what is named as signing key is no secret key of layerforge", hint=_MAKE)
    return SigningKey(name=name, raw=raw)


def _of_file(path: Path) -> str:
    try:
        found = guarded.text(path, _MOST)
        mode = path.stat().st_mode
    except (guarded.Unreadable, OSError) as error:
        raise UsageError(f"the signing key {path} cannot be read", hint=_MAKE, details=(str(error),)) from error
    if stat.S_IMODE(mode) & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(
            f"others can read the signing key {path}",
            hint=f"`chmod 600 '{path}'` if you know that nobody did, else make a new pair",
        )
    return found


def _raw(text: str) -> bytes | None:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == _LENGTH else None
