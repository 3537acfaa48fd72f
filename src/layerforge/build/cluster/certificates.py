"""Certificates for a cluster of one's own: an authority, and one pair each for scheduler, workers and clients."""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from layerforge.core import faults
from layerforge.core.errors import UsageError

AUTHORITY = "ca"
ROLES = ("scheduler", "worker", "client")
DAYS = 730
"""How long the certificates count."""

EARLIER = timedelta(hours=1)
"""How far another machine's clock may be behind."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")

Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Key


def certificate_file(folder: Path, role: str) -> Path:
    """Where a role's certificate lies."""
    return folder / f"{role}.pem"


def key_file(folder: Path, role: str) -> Path:
    """Where a role's key lies."""
    return folder / f"{role}.key"


def make(folder: Path, hosts: Sequence[str]) -> tuple[Path, ...]:
    """Writes an authority and a pair for each role, for machines of these names or numbers. Returns the files.

    Raises ``UsageError`` where one of the files is there already: nothing is ever written over.
    """
    names = [_name(host) for host in dict.fromkeys((*hosts, *LOOPBACK))]
    wanted = [place(folder, role) for role in (AUTHORITY, *ROLES) for place in (certificate_file, key_file)]
    if there := [path for path in wanted if path.exists()]:
        raise UsageError(
            f"{there[0]} is there already, and certificates are never written over",
            hint="name another folder, or move the old ones away once nothing uses them",
        )
    authority = _authority()
    pairs = {AUTHORITY: authority, **{role: _signed(role, names, authority) for role in ROLES}}
    with faults.writing(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for role, pair in pairs.items():
            _write(key_file(folder, role), _private(pair.key), 0o600)
            _write(certificate_file(folder, role), pair.certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    return tuple(wanted)


def _name(host: str) -> x509.GeneralName:
    """A host as a certificate names it. Raises ``UsageError``."""
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        name = host.encode("idna").decode("ascii")
    except UnicodeError:
        name = ""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*", name):
        raise UsageError(f"{host!r} is no name of a machine", hint="such as --for build1.example.org")
    return x509.DNSName(name)


def _authority() -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    # A name of its own, so that nobody takes one team's authority for another's of the same name.
    name = _subject(f"layerforge cluster {secrets.token_hex(4)}")
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    made = _builder(name, name, key).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return Pair(certificate=made.add_extension(usage, critical=True).sign(key, hashes.SHA256()), key=key)


def _signed(role: str, names: Sequence[x509.GeneralName], authority: Pair) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    made = (
        _builder(_subject(f"layerforge {role}"), authority.certificate.subject, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(issuer, critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return Pair(certificate=made, key=key)


def _builder(subject: x509.Name, issuer: x509.Name, key: Key) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLIER)
        .not_valid_after(now + timedelta(days=DAYS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _private(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, data: bytes, mode: int) -> None:
    """Writes a new file that has its rights from the first byte on. Raises ``FileExistsError``."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)


def commands(folder: Path, host: str) -> tuple[str, ...]:
    """What to type so that scheduler, workers and builds use these certificates."""
    files = {
        "--tls-ca-file": certificate_file(folder, AUTHORITY),
        "--tls-cert": certificate_file(folder, "scheduler"),
        "--tls-key": key_file(folder, "scheduler"),
    }
    own = " ".join(f"{option} {shlex.quote(str(path))}" for option, path in files.items())
    there = shlex.quote(str(folder))
    address = f"tls://{host}:8786"
    return (
        f"dask scheduler --protocol tls --port 8786 --no-dashboard --dashboard-address 127.0.0.1:0 {own}",
        f"layerforge worker {address} --tls-dir {there}",
        f"layerforge build --cluster {address} --tls-dir {there}",
    )
