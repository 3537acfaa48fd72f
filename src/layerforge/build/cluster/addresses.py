"""Where a cluster is: what a person writes, and the certificates that go with it."""

from __future__ import annotations

import ipaddress
import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from distributed.security import Security

from layerforge.build.cluster.certificates import AUTHORITY, ROLES, certificate_file, key_file
from layerforge.build.errors import ClusterError

PORT = 8786
"""Where a scheduler of Dask's listens unless it is told otherwise."""

MOST_LOCAL = 256

FORMS = "tls://build.example.org:8786 or tcp://127.0.0.1:8786"


@dataclass(frozen=True, kw_only=True)
class Local:
    """Worker processes of this machine."""

    number: int


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A scheduler that somebody started."""

    host: str
    port: int
    encrypted: bool

    @property
    def url(self) -> str:
        """As Dask takes it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'tls' if self.encrypted else 'tcp'}://{host}:{self.port}"


def address(text: str) -> Local | Remote:
    """What an address names. Raises ``ClusterError`` where it names nothing, or what would be open to everybody."""
    if found := re.fullmatch(r"local:(\d{1,4})", text, re.ASCII):
        if not 1 <= (number := int(found[1])) <= MOST_LOCAL:
            raise ClusterError(f"{text} asks for {number} workers", hint=f"from local:1 to local:{MOST_LOCAL}")
        return Local(number=number)
    if text.startswith("local"):
        raise ClusterError(f"{text!r} is no number of workers", hint="such as local:4")
    return remote(text)


def remote(text: str) -> Remote:
    """The scheduler that an address names. Raises ``ClusterError``."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port or PORT
    except ValueError as error:
        raise _malformed(text) from error
    if parts.username is not None or parts.password is not None:
        raise ClusterError("the address of the cluster holds a user, whom nobody asks for", hint=f"such as {FORMS}")
    extra = parts.path.strip("/") or parts.query or parts.fragment
    if parts.scheme not in {"tls", "tcp"} or not host or extra:
        raise _malformed(text)
    found = Remote(host=host, port=port, encrypted=parts.scheme == "tls")
    if not found.encrypted and not _loopback(host):
        raise ClusterError(
            f"{text} is open to everybody who can reach it, and whoever can reach a scheduler can run code",
            hint="use tls://; `layerforge worker --make-certificates DIR --for HOST` makes what it takes",
        )
    return found


def _malformed(text: str) -> ClusterError:
    return ClusterError(f"{text!r} is no address of a cluster", hint=f"such as {FORMS}")


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def security(found: Remote, folder: Path | None) -> Security | None:
    """What a connection is made with; ``None`` where it is not encrypted. Raises ``ClusterError``."""
    if not found.encrypted:
        return None
    if folder is None:
        raise ClusterError(
            f"{found.url} needs certificates, and none were named",
            hint="name their folder with --tls-dir; `layerforge worker --make-certificates DIR` makes them",
        )
    files = {"tls_ca_file": certificate_file(folder, AUTHORITY)}
    for role in ROLES:
        if role != "scheduler":
            files |= {f"tls_{role}_cert": certificate_file(folder, role), f"tls_{role}_key": key_file(folder, role)}
    return Security(require_encryption=True, **{name: str(path) for name, path in files.items()})


def context(found: Remote, folder: Path | None, role: str) -> ssl.SSLContext | None:
    """What a socket is wrapped with in a role; ``None`` where the address is not encrypted. Raises ``ClusterError``."""
    chosen = security(found, folder)
    if chosen is None or folder is None:
        return None
    certificate, key = certificate_file(folder, role), key_file(folder, role)
    for path in (certificate_file(folder, AUTHORITY), certificate, key):
        if not path.is_file():
            raise ClusterError(
                f"there is no {path}",
                hint=f"copy {AUTHORITY}.pem, {role}.pem and {role}.key of the cluster into that folder",
            )
    try:
        made = chosen.get_connection_args(role)["ssl_context"]
    except (OSError, ssl.SSLError) as error:
        raise ClusterError(
            f"the certificates in {folder} cannot be read: {error}",
            hint=f"{role}.pem and {role}.key have to be a pair; copy both from where they were made",
        ) from error
    assert isinstance(made, ssl.SSLContext)
    return made
