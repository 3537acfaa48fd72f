from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from layerforge.build.cluster.certificates import ROLES, certificate_file, commands, key_file, make
from layerforge.core.errors import UsageError

HOSTS = ("build.example.org", "10.0.0.7")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("tls") / "deep" / "certificates"
    make(made, HOSTS)
    return made


def certificate(folder: Path, role: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(certificate_file(folder, role).read_bytes())


@pytest.mark.parametrize("role", ROLES)
def test_each_certificate_is_signed_names_the_machines_and_counts_for_two_years(folder: Path, role: str) -> None:
    made, authority = certificate(folder, role), certificate(folder, "ca")
    made.verify_directly_issued_by(authority)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["build.example.org", "localhost"]
    numbers = names.get_values_for_type(x509.IPAddress)
    assert numbers == [ipaddress.ip_address(one) for one in ("10.0.0.7", "127.0.0.1", "::1")]
    now = datetime.now(UTC)
    assert made.not_valid_before_utc < now < now + timedelta(days=729) < made.not_valid_after_utc
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


@pytest.mark.parametrize("role", ["ca", *ROLES])
def test_keys_are_of_their_certificates_and_for_nobody_elses_eyes(folder: Path, role: str) -> None:
    path = key_file(folder, role)
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.curve.name == "secp256r1"
    assert key.public_key() == certificate(folder, role).public_key()
    assert path.stat().st_mode & 0o777 == 0o600


def test_two_of_them_know_each_other(folder: Path) -> None:
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificate_file(folder, "ca"))
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_cert_chain(certificate_file(folder, "scheduler"), key_file(folder, "scheduler"))
    client = ssl.create_default_context(cafile=certificate_file(folder, "ca"))
    client.load_cert_chain(certificate_file(folder, "client"), key_file(folder, "client"))
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with server.wrap_socket(theirs, server_side=True) as line:
            line.sendall(b"welcome")

    thread = threading.Thread(target=serve)
    thread.start()
    with client.wrap_socket(ours, server_hostname="build.example.org") as line:
        assert line.recv(7) == b"welcome"
    thread.join()


def test_nothing_is_written_over(folder: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(UsageError, match="is there already"):
        make(folder, ())
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    (tmp_path / "worker.key").touch()
    with pytest.raises(UsageError, match=r"worker\.key is there already"):
        make(tmp_path, ())
    assert [path.name for path in tmp_path.iterdir()] == ["worker.key"]


@pytest.mark.parametrize("host", ["", "two words", "tls://x", "x:8786", "a" * 64 + ".org", "x..y"])
def test_what_no_machine_is_called_is_refused(host: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no name of a machine"):
        make(tmp_path / "new", [host])
    assert not (tmp_path / "new").exists()


def test_commands_are_fit_for_a_shell(tmp_path: Path) -> None:
    scheduler, worker, build = commands(tmp_path / "my files", "build.example.org")
    assert scheduler.startswith("dask scheduler --protocol tls --port 8786 ")
    assert f"--tls-key '{tmp_path}/my files/scheduler.key'" in scheduler
    assert worker == f"layerforge worker tls://build.example.org:8786 --tls-dir '{tmp_path}/my files'"
    assert build.startswith("layerforge build --cluster tls://build.example.org:8786 --tls-dir ")
