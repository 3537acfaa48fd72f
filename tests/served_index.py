"""An index of packages as a server on this machine has it, which remembers what it was asked for."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NOWHERE = "http://127.0.0.1:9/simple/"
"""The address of an index that cannot be reached."""


@dataclass
class ServedIndex:
    """Wheels of a folder at ``url``; what was asked for are the paths, in order."""

    url: str
    asked: list[str] = field(default_factory=list)
    password: str = ""
    """Of the user ``me``; empty where anybody may read."""

    @property
    def private_url(self) -> str:
        """The address with who is asking."""
        return self.url.replace("//", f"//me:{self.password}@")


def _page(folder: Path, name: str, *, metadata: bool) -> tuple[int, bytes, str]:
    files = sorted(folder.glob(f"{name}-*.whl"))
    told = ' data-core-metadata="true"' if metadata else ""
    links = (f'<a href="/files/{file.name}#sha256={_sha256(file)}"{told}>{file.name}</a>\n' for file in files)
    return 200 if files else 404, "".join(links).encode(), "text/html"


def _dated_page(folder: Path, name: str, published: Mapping[str, str]) -> tuple[int, bytes, str]:
    rows = [
        {
            "filename": file.name,
            "url": f"/files/{file.name}",
            "hashes": {"sha256": _sha256(file)},
            "upload-time": published[file.name],
        }
        for file in sorted(folder.glob(f"{name}-*"))
        if file.name in published
    ]
    page = {"meta": {"api-version": "1.1"}, "name": name, "files": rows}
    return 200 if rows else 404, json.dumps(page).encode(), "application/vnd.pypi.simple.v1+json"


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def metadata_of(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA")))


@contextmanager
def serving(
    folder: Path, published: Mapping[str, str] | None = None, *, metadata: bool = False
) -> Iterator[ServedIndex]:
    """Serves the wheels of a folder; with ``published`` its files of these names, and when each was published.

    ``metadata`` says whether METADATA of a wheel can be had without the wheel, as large indexes have it.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

        def do_GET(self) -> None:
            index.asked.append(self.path)
            login = base64.b64encode(f"me:{index.password}".encode()).decode()
            if index.password and self.headers.get("Authorization") != f"Basic {login}":
                self.answer(401, b"")
            elif self.path.startswith("/simple/"):
                name = self.path.removeprefix("/simple/").strip("/").replace("-", "_")
                if published is None:
                    self.answer(*_page(folder, name, metadata=metadata))
                else:
                    self.answer(*_dated_page(folder, name, published))
            elif metadata and self.path.endswith(".metadata"):
                self.answer(200, metadata_of(folder / Path(self.path).name.removesuffix(".metadata")))
            elif (file := folder / Path(self.path).name).is_file():
                self.answer(200, file.read_bytes())
            else:
                self.answer(404, b"")

        do_HEAD = do_GET

        def answer(self, status: int, data: bytes, kind: str = "application/octet-stream") -> None:
            self.send_response_only(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        index = ServedIndex(url=f"http://127.0.0.1:{server.server_address[1]}/simple/")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield index
        finally:
            server.shutdown()
            thread.join()
