"""A container engine in memory that answers as a test wants, and remembers what it was asked for."""

from __future__ import annotations

import io
import json
import tarfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any, cast

from docker import DockerClient
from docker.errors import APIError, ImageNotFound, NotFound
from requests import Response

TIMES = {"StartedAt": "2026-11-23T16:30:01.5Z", "FinishedAt": "2026-11-23T16:30:07.1Z"}


def refusal(said: str, status: int = 500) -> APIError:
    """What the SDK raises where the engine says no."""
    response = Response()
    response.status_code = status
    return APIError(said, response=response, explanation=said)


def a_tar(files: Mapping[str, bytes]) -> bytes:
    """An archive of plain files."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return made.getvalue()


@dataclass(eq=False)
class FakeImage:
    id: str = "sha256:one"
    labels: Mapping[str, str] = field(default_factory=dict)
    attrs: Mapping[str, Any] = field(default_factory=lambda: {"Architecture": "amd64"})


@dataclass(eq=False)
class FakeContainer:
    """A container whose program writes ``chunks`` and ends with ``status``."""

    client: FakeDocker
    settings: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    chunks: tuple[bytes, ...] = ()
    errors: bytes = b""
    code: int = 0
    status: str = "exited"
    state: Mapping[str, Any] = field(default_factory=lambda: dict(TIMES))
    archive: bytes | None = None
    start_error: Exception | None = None
    removal: Exception | None = None
    runs: Callable[[FakeContainer], None] = lambda _box: None
    """What happens while its lines are read."""
    id: str = "abc"
    killed: bool = False
    removed: bool = False
    reloaded: bool = False

    @property
    def attrs(self) -> Mapping[str, Any]:
        return {"Id": self.id, "State": self.state}

    def start(self) -> None:
        if self.start_error:
            raise self.start_error

    def wait(self) -> Mapping[str, int]:
        return {"StatusCode": self.code}

    def reload(self) -> None:
        self.reloaded = True

    def kill(self) -> None:
        self.killed = True

    def logs(self, *, stream: bool = False, stderr: bool = True, **_: Any) -> Any:
        if not stream:
            return self.errors if stderr else b"".join(self.chunks)
        return self._streamed()

    def _streamed(self) -> Iterator[bytes]:
        yield from self.chunks
        self.runs(self)

    def get_archive(self, path: str) -> tuple[Iterator[bytes], Mapping[str, Any]]:
        if self.archive is None:
            raise NotFound(f"no {path}")
        return iter([self.archive[:100], self.archive[100:]]), {}

    def remove(self, **_: Any) -> None:
        if self.removal:
            raise self.removal
        self.removed = True


@dataclass(eq=False)
class FakeDocker:
    """An engine on a machine for x86_64. It is the SDK's client, with its ``api``, ``images`` and ``containers``."""

    there: dict[str, FakeImage | Exception] = field(default_factory=dict)
    """Images by name, or what asking for one ends in."""
    registry: dict[str, FakeImage] = field(default_factory=dict)
    """What can be pulled."""
    said: Iterable[Mapping[str, Any]] | Exception = ()
    """What pulling and building say."""
    ready: list[dict[str, Any]] = field(default_factory=list)
    """Of the next containers that are made."""
    boxes: list[FakeContainer] = field(default_factory=list)
    makes: FakeImage = field(default_factory=lambda: FakeImage(id="sha256:built"))
    """What building gives, but for its labels."""
    known: Mapping[str, Any] = field(default_factory=lambda: {"Architecture": "x86_64", "NCPU": 4})
    happened: Iterable[str] = ()
    lost: Exception | None = None
    """What asking for images ends in."""
    calls: list[str] = field(default_factory=list)
    asked: list[Mapping[str, Any]] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)

    @property
    def sdk(self) -> DockerClient:
        return cast("DockerClient", self)

    @property
    def api(self) -> FakeDocker:
        return self

    @property
    def images(self) -> FakeImages:
        if self.lost:
            raise self.lost
        return FakeImages(self)

    @property
    def containers(self) -> FakeContainers:
        return FakeContainers(self)

    def info(self) -> Mapping[str, Any]:
        return self.known

    def events(self, **_: Any) -> Iterator[str]:
        yield from self.happened

    def pull(self, repository: str, tag: str, **asked: Any) -> Iterator[Mapping[str, Any]]:
        self.calls.append(f"pull {repository}:{tag}")
        yield from self._told(asked)
        self.there[f"{repository}:{tag}"] = self.registry[f"{repository}:{tag}"]

    def build(self, *, tag: str, **asked: Any) -> Iterator[Mapping[str, Any]]:
        self.calls.append(f"build {tag}")
        yield from self._told(asked)
        self.there[tag] = replace(self.makes, labels=asked["labels"])

    def _told(self, asked: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        self.asked.append(asked)
        if isinstance(self.said, Exception):
            raise self.said
        yield from self.said

    def remove_container(self, name: str, **_: Any) -> None:
        self.gone.append(name)


@dataclass
class FakeImages:
    engine: FakeDocker

    def get(self, name: str) -> FakeImage:
        found = self.engine.there.get(name) or self.engine.there.get(f"{name}:latest") or ImageNotFound(name)
        if isinstance(found, Exception):
            raise found
        return found

    def list(self, filters: Mapping[str, str]) -> list[FakeImage]:
        name, _, value = filters["label"].partition("=")
        images = [one for one in self.engine.there.values() if isinstance(one, FakeImage)]
        return [one for one in images if one.labels.get(name) == value]


@dataclass
class FakeContainers:
    engine: FakeDocker

    def create(self, **settings: Any) -> FakeContainer:
        facts = self.engine.ready.pop(0) if self.engine.ready else {}
        made = FakeContainer(client=self.engine, settings=settings, labels=settings["labels"], **facts)
        self.engine.boxes.append(made)
        return made

    def list(self, **_: Any) -> list[FakeContainer]:
        return list(self.engine.boxes)


@contextmanager
def serving(path: Path, answers: Mapping[str, Any]) -> Iterator[list[str]]:
    """An engine at a socket that answers each call by how its path ends, with JSON or with bytes; gives the calls."""
    calls: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            name = self.path.partition("?")[0]
            calls.append(name)
            found = [value for end, value in answers.items() if name.endswith(end)]
            answer = found[0] if found else {"message": f"no {name}"}
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response_only(200 if found else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_DELETE = do_GET

    with ThreadingUnixStreamServer(str(path), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield calls
        finally:
            server.shutdown()
            thread.join()


VERSION = {"ApiVersion": "1.41", "MinAPIVersion": "1.12", "Version": "20.10"}
"""What an engine that is new enough says of itself."""


def a_container(said: bytes = b"") -> dict[str, Any]:
    """Answers of an engine whose containers write ``said`` and end well."""
    ended = {"Id": "abc", "Config": {"Tty": False}, "State": {**TIMES, "Status": "exited"}}
    frame = b"\x01\0\0\0" + len(said).to_bytes(4, "big") + said if said else b""
    return {
        "/containers/create": {"Id": "abc"},
        "/abc/json": ended,
        "/abc/start": b"",
        "/abc/logs": frame,
        "/abc/wait": {"StatusCode": 0},
    }
