"""What every place of a far store keeps to, as functions of one, and a web server that shows a folder of objects."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from layerforge.core.store.objects import Objects

Filled = Callable[[dict[str, bytes]], Objects]
"""Makes a place with these objects, whatever way it takes."""

DATA = {
    "cas/sha256/ab/abcd": os.urandom(3_000_000),
    "cas/sha256/ab/empty": b"",
    "records/step-1.json": b"{}",
    "records/step/1": b"1",
    "records/step.json": b"[]",
    "z": b"last",
}

# --- what holds where objects can only be read


def an_object_reads_as_what_was_put_there(filled: Filled) -> None:
    place = filled(DATA)
    assert {name: place.read(name) for name in DATA} == DATA


def an_object_has_its_size_without_being_read(filled: Filled) -> None:
    place = filled(DATA)
    assert {name: place.size(name) for name in DATA} == {name: len(data) for name, data in DATA.items()}


def an_absent_object_reads_as_none(filled: Filled) -> None:
    for place in (filled({}), filled(DATA)):
        for name in ("absent", "cas/absent", "cas/sha256/ab/abc", "z/below", "cas/sha256/ab/abcde"):
            assert place.read(name) is None
            assert place.size(name) is None


def many_threads_read_at_once(filled: Filled) -> None:
    place = filled(DATA)
    names = [*DATA, "absent"] * 8
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(place.read, names)) == [DATA.get(name) for name in names]


# --- what holds where they can be made


def an_object_is_created_once(filled: Filled) -> None:
    place = filled({})
    assert place.create("a/b", b"first")
    assert not place.create("a/b", b"other")
    assert place.read("a/b") == b"first"
    assert place.create("a/empty", b"")
    assert not place.create("a/empty", b"more")
    assert place.read("a/empty") == b""


def one_of_many_threads_creates_an_object(filled: Filled) -> None:
    place = filled({})
    for number in range(4):
        contents = [bytes([thread]) * 50_000 for thread in range(16)]
        barrier = threading.Barrier(16)

        def create(data: bytes, name: str = f"n/{number}", barrier: threading.Barrier = barrier) -> bool:
            barrier.wait()
            return place.create(name, data)

        with ThreadPoolExecutor(16) as pool:
            made = list(pool.map(create, contents))
        assert made.count(True) == 1
        assert place.read(f"n/{number}") == contents[made.index(True)]


def objects_are_listed_in_the_order_of_their_names(filled: Filled) -> None:
    listed = list(filled(DATA).listed())
    # In ASCII a hyphen and a dot come before a slash.
    assert [one.name for one in listed] == sorted(DATA)
    assert [one.size for one in listed] == [len(DATA[one.name]) for one in listed]
    assert all(one.modified > 1_500_000_000 for one in listed)


def only_names_that_begin_so_are_listed(filled: Filled) -> None:
    place = filled(DATA)
    for below in ("records/", "records/step", "records/step/", "rec", "cas/sha256/ab/a", "z", "absent", "absent/"):
        assert [one.name for one in place.listed(below)] == sorted(name for name in DATA if name.startswith(below))


def what_is_removed_is_absent_and_can_be_made_again(filled: Filled) -> None:
    place = filled(DATA)
    place.remove(["z", "absent", "records/step.json"])
    assert place.read("z") is None
    assert place.size("records/step.json") is None
    assert [one.name for one in place.listed()] == sorted(set(DATA) - {"z", "records/step.json"})
    assert place.create("z", b"again")
    assert place.read("z") == b"again"
    place.remove([])


READING = (
    an_object_reads_as_what_was_put_there,
    an_object_has_its_size_without_being_read,
    an_absent_object_reads_as_none,
    many_threads_read_at_once,
)
WRITING = (
    an_object_is_created_once,
    one_of_many_threads_creates_an_object,
    objects_are_listed_in_the_order_of_their_names,
    only_names_that_begin_so_are_listed,
    what_is_removed_is_absent_and_can_be_made_again,
)


# --- a web server


@dataclass
class Site:
    """A folder as a web server shows it, and what it answers instead to requests of a path."""

    url: str = ""
    answers: dict[str, list[bytes]] = field(default_factory=dict)
    """Bytes of whole answers by path, which are used up one by one; nothing more is said after those."""
    status: dict[str, int] = field(default_factory=dict)
    """Status by path, for ever."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Method and path of each request."""
    headers: list[dict[str, str]] = field(default_factory=list)
    absent: int = 404
    """How absence is told: S3 says 403 where the bucket cannot be listed."""
    moved: str = ""
    """Where every request is sent to instead."""


class _Handler(SimpleHTTPRequestHandler):
    site: Site

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        super().send_error(self.site.absent if code == 404 else code, message, explain)

    def _odd(self) -> bool:
        self.site.asked.append((self.command, self.path))
        self.site.headers.append(dict(self.headers.items()))
        if self.site.moved:
            self.send_response(302)
            self.send_header("Location", self.site.moved + self.path)
            self.end_headers()
        elif answers := self.site.answers.get(self.path):
            self.wfile.write(answers.pop(0))
            self.close_connection = True
        elif status := self.site.status.get(self.path):
            super().send_error(status)
        elif Path(self.translate_path(self.path)).is_dir():
            self.send_error(404)  # objects have no folders
        else:
            return False
        return True

    def do_GET(self) -> None:
        if not self._odd():
            super().do_GET()

    def do_HEAD(self) -> None:
        if not self._odd():
            super().do_HEAD()


@contextmanager
def shown(folder: Path) -> Iterator[Site]:
    """Runs a web server for a folder until the block ends."""

    class Handler(_Handler):
        site = Site()

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    server.daemon_threads = True
    Handler.site.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield Handler.site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
