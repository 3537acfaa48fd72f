"""A proxy in front of a moto server that writes down every call and breaks those that a test names."""

from __future__ import annotations

import http.client
import json
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

CALLS = (
    ("GetObject", "GET", r"/[^/?]+/[^?]+"),
    ("ListObjectsV2", "GET", r"/[^/?]+/?\?.*list-type=2.*"),
    ("DeleteObjects", "POST", r"/[^/?]+/?\?delete.*"),
    ("GetAccountSettings", "GET", r"/2016-08-19/account-settings/?"),
    ("ListLayerVersions", "GET", r"/2018-10-31/layers/[^/]+/versions(\?.*)?"),
    ("GetLayerVersion", "GET", r"/2018-10-31/layers/[^/]+/versions/\d+"),
    ("GetLayerVersionPolicy", "GET", r"/2018-10-31/layers/[^/]+/versions/\d+/policy"),
    ("PublishLayerVersion", "POST", r"/2018-10-31/layers/[^/]+/versions"),
    ("AddLayerVersionPermission", "POST", r"/2018-10-31/layers/[^/]+/versions/\d+/policy"),
    ("DeleteLayerVersion", "DELETE", r"/2018-10-31/layers/[^/]+/versions/\d+"),
    ("GetCallerIdentity", "POST", r"/"),
    ("HeadBucket", "HEAD", r"/[^/?]+/?"),
    ("GetBucketVersioning", "GET", r"/[^/?]+/?\?versioning.*"),
    ("GetBucketPolicy", "GET", r"/[^/?]+/?\?policy.*"),
    ("HeadObject", "HEAD", r"/[^/?]+/[^?]+"),
    ("PutObject", "PUT", r"/[^/?]+/[^?]+"),
    ("UploadPart", "PUT", r"/[^/?]+/[^?]+\?.*partNumber.*"),
    ("CreateMultipartUpload", "POST", r"/[^/?]+/[^?]+\?uploads.*"),
    ("CompleteMultipartUpload", "POST", r"/[^/?]+/[^?]+\?.*uploadId.*"),
    ("AbortMultipartUpload", "DELETE", r"/[^/?]+/[^?]+\?.*uploadId.*"),
    ("DeleteObject", "DELETE", r"/[^/?]+/[^?]+(\?versionId.*)?"),
)
"""Name, method and path of each call."""

READS = frozenset(name for name, method, _ in CALLS if method in {"GET", "HEAD"}) | {"GetCallerIdentity"}


@dataclass(frozen=True, kw_only=True)
class Call:
    name: str
    region: str
    size: int
    """Bytes of the body that came."""
    owner: str = ""
    """Account that a bucket has to belong to."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What happens to the next ``times`` calls of a name; in every Region where none is named."""

    call: str
    region: str = ""
    times: int = 1_000_000
    status: int = 0
    """Answered without asking the server; 0 asks it."""
    code: str = ""
    message: str = "as the test wants it"
    cut: int | None = None
    """Bytes of the body after which the connection is reset."""
    stall: float = 0
    """Seconds for which nothing more is read after ``cut`` bytes."""
    lost: bool = False
    """The server is asked, and its answer replaced: by a reset connection, or by ``status``."""
    late: float = 0
    """Seconds for which the server's own answer is held back."""
    body: dict[str, object] | None = None
    """JSON to answer with."""
    raw: bytes | None = None
    """Bytes to answer with, headers and all, before the connection ends."""


@dataclass
class Proxy:
    """Address, the calls so far, and the faults that wait for theirs."""

    upstream: str
    calls: list[Call] = field(default_factory=list)
    faults: list[tuple[Fault, list[int]]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    one_by_one: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""

    def fault(self, fault: Fault) -> None:
        self.faults.append((fault, [fault.times]))

    def reset(self) -> None:
        with self.lock:
            self.calls.clear()
            self.faults.clear()

    def count(self, name: str, region: str = "") -> int:
        return sum(call.name == name and region in {"", call.region} for call in self.calls)

    @property
    def names(self) -> Counter[str]:
        return Counter(call.name for call in self.calls)

    @property
    def changes(self) -> list[str]:
        """Calls that are not known to only read."""
        return [call.name for call in self.calls if call.name not in READS]

    def take(self, name: str, region: str) -> Fault | None:
        with self.lock:
            for fault, left in self.faults:
                if fault.call == name and fault.region in {"", region} and left[0]:
                    left[0] -= 1
                    return fault
        return None


def named(method: str, path: str) -> str:
    """The call that a request is; the last pattern that fits, because it asks for most."""
    found = [name for name, verb, pattern in CALLS if verb == method and re.fullmatch(pattern, path)]
    return found[-1] if found else f"{method} {path}"


@contextmanager
def proxied(upstream: str) -> Iterator[Proxy]:
    """Runs a proxy until the block ends."""
    proxy = Proxy(upstream=upstream)

    class Handler(_Handler):
        pass

    Handler.proxy = proxy
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def _any(self) -> None:
        name, region = named(self.command, self.path), self._region()
        size = int(self.headers.get("Content-Length", 0))
        fault = self.proxy.take(name, region)
        with self.proxy.lock:
            owner = self.headers.get("x-amz-expected-bucket-owner", "")
            self.proxy.calls.append(Call(name=name, region=region, size=size, owner=owner))
        if fault and fault.cut is not None:
            self.rfile.read(min(fault.cut, size))
            time.sleep(fault.stall)
            self._reset()
        elif fault and fault.late:
            answer = self._forward(size)
            time.sleep(fault.late)
            self._reply(*answer)
        elif fault and not fault.lost:
            self._skip(size)
            self._fail(fault, name)
        else:
            # S3 looks and writes in one step, which moto does not.
            with self.proxy.one_by_one if self.headers.get("If-None-Match") else nullcontext():
                status, headers, data = self._forward(size)
            if fault:
                self._fail(fault, name)
            else:
                self._reply(status, headers, data)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _any

    def _region(self) -> str:
        found = re.search(r"Credential=[^/]+/\d+/([^/]+)/", self.headers.get("Authorization", ""))
        return found[1] if found else ""

    def _skip(self, size: int) -> None:
        while size > 0:
            size -= len(self.rfile.read(min(size, 1 << 20)))

    def _forward(self, size: int) -> tuple[int, list[tuple[str, str]], bytes]:
        address = urlsplit(self.proxy.upstream)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=120)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for key, value in self.headers.items():
                if key.lower() not in {"expect", "connection"}:
                    connection.putheader(key, value)
            connection.endheaders()
            while size > 0:
                data = self.rfile.read(min(size, 1 << 20))
                if not data:
                    break
                connection.send(data)
                size -= len(data)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def _fail(self, fault: Fault, name: str) -> None:
        if fault.raw is not None:
            self.wfile.write(fault.raw)
            self.wfile.flush()
            self.close_connection = True
        elif fault.status:
            self._answer(fault, name)
        else:
            self._reset()

    def _answer(self, fault: Fault, name: str) -> None:
        if fault.body is not None:
            self._reply(fault.status, [("Content-Type", "application/json")], json.dumps(fault.body).encode())
            return
        if "/2018-10-31/" in self.path or "/2016-08-19/" in self.path:
            data = json.dumps({"Type": "User", "message": fault.message}).encode()
            headers = [("x-amzn-ErrorType", fault.code), ("Content-Type", "application/json")]
        else:
            data = f"<Error><Code>{fault.code}</Code><Message>{fault.message}</Message></Error>".encode()
            headers = [("Content-Type", "application/xml")]
        self._reply(fault.status, headers, data)

    def _reply(self, status: int, headers: list[tuple[str, str]], data: bytes) -> None:
        self.send_response_only(status)
        for key, value in headers:
            if key.lower() not in {"content-length", "transfer-encoding", "connection"}:
                self.send_header(key, value)
        if self.command == "HEAD":
            length = next((value for key, value in headers if key.lower() == "content-length"), "0")
            self.send_header("Content-Length", length)
            self.end_headers()
            return
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _reset(self) -> None:
        """Ends the connection without a word."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def handle(self) -> None:
        with suppress(OSError):  # the client went away, or the test wanted it to
            super().handle()

    def finish(self) -> None:
        with suppress(OSError, ValueError):
            super().finish()
