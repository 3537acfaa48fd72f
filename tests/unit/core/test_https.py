"""Objects behind a web address, from a server on this machine that shows a folder and answers oddly."""

from __future__ import annotations

import socket
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

import far_places
from far_places import Site, shown
from layerforge.core.errors import UsageError
from layerforge.core.store import https
from layerforge.core.store.https import HttpsObjects, https_objects
from layerforge.core.store.objects import MARK, FarReadOnlyError, FarStoreError, FolderObjects, Objects

HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhalf"
CHUNK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf"
BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
NOTHING = b""
ODD = b"this is no HTTP\r\n\r\n"


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy of this machine's counts."""
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    folder = tmp_path / "site"
    FolderObjects(root=folder).create("a/b", b"value")
    with shown(folder) as site:
        yield site


def a_place(site: Site, slept: list[float] | None = None) -> HttpsObjects:
    return replace(https_objects(site.url), sleep=at_once if slept is None else slept.append)


def at_once(seconds: float) -> None:
    """Does not wait."""


@pytest.mark.parametrize("keeps_to", far_places.READING, ids=lambda one: one.__name__)
def test_a_web_address_keeps_to_what_the_contract_says_of_reading(
    keeps_to: Callable[[far_places.Filled], None], tmp_path: Path
) -> None:
    with ExitStack() as servers:

        def filled(data: dict[str, bytes]) -> Objects:
            folder = FolderObjects(root=Path(tempfile.mkdtemp(dir=tmp_path)))
            assert all(folder.create(f"pre/fix/{name}", value) for name, value in data.items())
            return https_objects(servers.enter_context(shown(folder.root)).url + "/pre/fix/")

        keeps_to(filled)


def test_nothing_can_be_put_there_or_listed(site: Site) -> None:
    place = a_place(site)
    for change in (lambda: place.create("x", b""), lambda: place.remove(["a/b"])):
        with pytest.raises(FarReadOnlyError, match="nothing can be put") as caught:
            change()
        assert "s3://" in caught.value.hint
    with pytest.raises(FarStoreError, match="cannot be listed"):
        place.listed()
    assert site.asked == []


def test_the_size_is_had_without_the_bytes(site: Site) -> None:
    assert a_place(site).size("a/b") == 5
    assert site.asked == [("HEAD", "/a/b")]
    assert site.headers[0]["User-Agent"].startswith("layerforge/")


def test_the_size_is_read_where_the_server_does_not_say_it(site: Site) -> None:
    site.answers["/a/b"] = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"]
    assert a_place(site).size("a/b") == 5
    assert [method for method, _ in site.asked] == ["HEAD", "GET"]


@pytest.mark.parametrize("bad", [HALF, CHUNK, BUSY, NOTHING, ODD], ids=["half", "chunk", "busy", "nothing", "odd"])
def test_what_may_pass_is_tried_again(site: Site, bad: bytes) -> None:
    slept: list[float] = []
    site.answers["/a/b"] = [bad, bad]
    assert a_place(site, slept).read("a/b") == b"value"
    assert slept == list(https.PAUSES[:2])


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (HALF, "answers, but not whole"),
        (CHUNK, "answers, but not whole"),
        (BUSY, "does not give its objects"),
        (NOTHING, "answers, but not whole"),
        (ODD, "answers, but not whole"),
    ],
    ids=["half", "chunk", "busy", "nothing", "odd"],
)
def test_what_does_not_pass_is_told(site: Site, bad: bytes, words: str) -> None:
    slept: list[float] = []
    site.answers["/a/b"] = [bad] * 9
    with pytest.raises(FarStoreError, match=words) as caught:
        a_place(site, slept).read("a/b")
    assert slept == list(https.PAUSES)
    assert caught.value.hint
    assert caught.value.details


@pytest.mark.parametrize(("status", "words"), [(401, "credentials are not sent"), (400, "in a browser")])
def test_a_refusal_is_told_at_once(site: Site, status: int, words: str) -> None:
    slept: list[float] = []
    site.status["/a/b"] = status
    with pytest.raises(FarStoreError, match="does not give its objects") as caught:
        a_place(site, slept).read("a/b")
    assert words in caught.value.hint
    assert str(status) in caught.value.details[0]
    assert not slept


def test_a_server_that_says_nothing_more_is_given_up() -> None:
    with silent() as port:
        place = HttpsObjects(url=f"http://127.0.0.1:{port}", timeout=0.05, pauses=(0.0,), sleep=at_once)
        with pytest.raises(FarStoreError, match="cannot be reached"):
            place.read("a")


@contextmanager
def silent() -> Iterator[int]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_an_address_where_nobody_listens_is_told(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    slept: list[float] = []
    place = replace(https_objects(f"http://127.0.0.1:{port}"), sleep=slept.append)
    with pytest.raises(FarStoreError, match="cannot be reached") as caught:
        place.size("a")
    assert slept == list(https.PAUSES)
    assert "refused" in caught.value.details[0]


def test_a_host_that_is_not_known_is_told() -> None:
    place = replace(https_objects("https://bucket.invalid"), sleep=at_once)
    with pytest.raises(FarStoreError, match="cannot be reached") as caught:
        place.read("a")
    assert "is the address right" in caught.value.hint


# --- a bucket that everybody may read but not list answers 403 where nothing is


def test_a_refusal_means_absence_once_an_object_was_read(site: Site) -> None:
    site.absent = 403
    place = a_place(site)
    assert place.read("a/b") == b"value"
    assert place.read("absent") is None
    assert place.size("absent") is None
    assert ("GET", f"/{MARK}") not in site.asked


def test_a_refusal_means_absence_where_the_mark_of_a_store_can_be_read(site: Site, tmp_path: Path) -> None:
    site.absent = 403
    FolderObjects(root=tmp_path / "site").create(MARK, b"")
    place = a_place(site)
    assert place.read("absent") is None
    assert place.size("absent") is None
    assert site.asked.count(("GET", f"/{MARK}")) == 1


@pytest.mark.parametrize("of_mark", [403, 404])
def test_a_closed_bucket_is_not_taken_for_an_empty_one(site: Site, of_mark: int) -> None:
    site.absent = 403
    site.status[f"/{MARK}"] = of_mark
    for ask in (a_place(site).read, a_place(site).size):
        for name in ("absent", MARK) if of_mark == 403 else ("absent",):
            with pytest.raises(FarStoreError, match="may not be read, or is no store"):
                ask(name)


# --- where a server sends elsewhere


def test_one_is_sent_to_another_place_of_the_same_safety(site: Site, tmp_path: Path) -> None:
    with shown(tmp_path) as first:
        first.moved = site.url
        place = a_place(first)
        assert place.read("a/b") == b"value"
        assert place.size("a/b") == 5
        assert place.read("absent") is None


def test_one_is_not_sent_to_where_nothing_is_encrypted(site: Site) -> None:
    site.moved = "http://bucket.invalid"
    with pytest.raises(FarStoreError, match="does not give its objects") as caught:
        a_place(site).read("a/b")
    assert "encrypted" in caught.value.hint


def test_the_region_of_a_bucket_that_lies_elsewhere_is_told(site: Site) -> None:
    site.answers["/a/b"] = [
        b"HTTP/1.1 301 Moved\r\nx-amz-bucket-region: eu-west-1\r\nContent-Length: 0\r\n\r\n",
    ]
    with pytest.raises(FarStoreError) as caught:
        a_place(site).read("a/b")
    assert "BUCKET.s3.eu-west-1.amazonaws.com" in caught.value.hint


# --- TLS


@contextmanager
def encrypted(folder: Path) -> Iterator[tuple[str, Path]]:
    """Address and certificate of a server that answers each connection with an object."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    made += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(made, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def serve(server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                plain, _ = server.accept()
                with suppress(OSError), context.wrap_socket(plain, server_side=True) as connection:
                    connection.recv(10_000)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nvalue")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,), daemon=True)
        thread.start()
        yield f"https://localhost:{server.getsockname()[1]}", certificate
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_certificate_counts_only_where_it_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with encrypted(tmp_path) as (url, certificate):
        slept: list[float] = []
        with pytest.raises(FarStoreError, match="no trusted connection") as caught:
            replace(https_objects(url), sleep=slept.append).read("a")
        assert "SSL_CERT_FILE" in caught.value.hint
        assert not slept
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert https_objects(url).read("a") == b"value"


# --- addresses


@pytest.mark.parametrize(
    "url",
    [
        "https://me:very-secret@host/store",
        "https://very-secret@host/store",
        "https://host/store?X-Amz-Signature=very-secret",
        "https://host/store#very-secret",
    ],
)
def test_credentials_in_an_address_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        https_objects(url)
    assert "very-secret" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    "url",
    [
        "https://",
        "https:///path",
        "https://host:port/",
        "https://host:0",
        "https://host:99999",
        "https://[::1",
        "https://a..b/",
        "https://host/a/../b",
        "https://host/a b",
        "https://host/\x1b[31m",
    ],
)
def test_what_is_no_address_is_told(url: str) -> None:
    with pytest.raises(UsageError, match="is no address of a store") as caught:
        https_objects(url)
    assert caught.value.message.isprintable()
    assert "https://host/path" in caught.value.hint


def test_only_this_machine_is_read_without_encryption() -> None:
    for url in ("http://localhost:1/a", "http://127.0.0.1/a", "http://[::1]:1/a", "https://host/a"):
        assert https_objects(url + "/").place == url
    for url in ("http://host/a", "http://10.0.0.1/a", "http://localhost.example.com/"):
        with pytest.raises(UsageError, match="without encryption"):
            https_objects(url)
