"""Source archives: where they come from, what stands in for them, what they hold."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fakes import FakeProgress, FakeStore, stock
from layerforge.core import tars
from layerforge.core.errors import StepError, UsageError
from layerforge.layer import licences
from layerforge.resolve import sources, unpack_source
from layerforge.resolve.errors import LockError
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import Library, Source
from sdists import archive

DATA = archive({"demo-1/Makefile": "all:\n"})
SHA256 = hashlib.sha256(DATA).hexdigest()
OURS, OTHER = "a" * 64, "b" * 64


def a_library(name: str, sha256: str) -> Library:
    source = Source(url="https://nowhere.invalid/demo-2.0.tar.gz", sha256=sha256)
    return Library(name=name, version="2.0", source=source, script="make")


RECIPE = LayerSpec(name="mine", requires=("mine",), libraries=(a_library("demo", OURS), a_library("other", OTHER)))


def a_folder(folder: Path, version: str = "1.9", instead_of: str = OURS, more: str = "") -> Path:
    """A folder with an archive that stands in for another."""
    folder.mkdir()
    (folder / "demo.tar.gz").write_bytes(DATA)
    (folder / "sources.toml").write_text(
        f'[[source]]\ninstead_of = "{instead_of}"\nfile = "demo.tar.gz"\nsha256 = "{SHA256}"\n'
        f'version = "{version}"\nreason = "a closed network"\n{more}'
    )
    return folder


# --- what stands in


def test_a_source_that_stands_in_gives_the_library_its_version_and_hash_and_is_told(tmp_path: Path) -> None:
    progress = FakeProgress()
    demo, other = sources.substituted(RECIPE, [a_folder(tmp_path / "here")], progress).libraries
    assert (demo.version, demo.source.sha256, demo.script) == ("1.9", SHA256, "make")
    assert other == RECIPE.libraries[1]
    assert progress.lines == ["demo: demo.tar.gz instead of 2.0 (a closed network)"]
    assert sources.fetch(demo.source, stock()) == DATA


def test_the_first_folder_that_names_a_stand_in_decides(tmp_path: Path) -> None:
    folders = [a_folder(tmp_path / "users", "1.8"), a_folder(tmp_path / "images", "1.9")]
    assert sources.substituted(RECIPE, folders, FakeProgress()).libraries[0].version == "1.8"


@pytest.mark.parametrize("folder", ["absent", "empty", "others"])
def test_a_folder_that_names_no_stand_in_changes_nothing(tmp_path: Path, folder: str) -> None:
    (tmp_path / "empty").mkdir()
    a_folder(tmp_path / "others", instead_of="c" * 64)
    progress = FakeProgress()
    assert sources.substituted(RECIPE, [tmp_path / folder], progress) == RECIPE
    assert progress.lines == []


@pytest.mark.parametrize("more", ['note = "x"\n', "[[source]]\n", "[[source]]\nversion = 2\n"])
def test_a_stand_in_with_other_keys_is_refused_with_those_it_takes(tmp_path: Path, more: str) -> None:
    with pytest.raises(UsageError, match=r"sources\.toml cannot be understood") as caught:
        sources.substituted(RECIPE, [a_folder(tmp_path / "here", more=more)], FakeProgress())
    assert "file, instead_of, reason, sha256, version" in caught.value.hint
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("data", [b"[[source", b"\xff\xfe", b"source = 3"])
def test_a_file_of_stand_ins_that_is_no_such_file_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "sources.toml").write_bytes(data)
    with pytest.raises(UsageError, match=r"sources\.toml") as caught:
        sources.substituted(RECIPE, [tmp_path], FakeProgress())
    assert caught.value.hint


def test_a_stand_in_with_another_hash_than_it_says_is_refused(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "here")
    (folder / "demo.tar.gz").write_bytes(b"something else")
    made = sources.substituted(RECIPE, [folder], FakeProgress())
    with pytest.raises(LockError, match="does not have the hash") as caught:
        sources.fetch(made.libraries[0].source, stock(folders=[folder]))
    assert caught.value.exit_code == 4
    assert "find out why" in caught.value.hint


# --- where they come from


def test_an_archive_is_downloaded_once(tmp_path: Path) -> None:
    store, source = FakeStore(), Source(url=(tmp_path / "demo.tar.gz").as_uri(), sha256=SHA256)
    (tmp_path / "demo.tar.gz").write_bytes(DATA)
    progress = FakeProgress()
    assert sources.fetch(source, stock(progress, store)) == DATA
    (tmp_path / "demo.tar.gz").unlink()
    assert sources.fetch(source, stock(progress, store)) == DATA
    assert progress.steps == ["download"]


def test_what_cannot_be_read_in_a_folder_of_archives_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("/proc/self/mem")
    (tmp_path / "b").write_bytes(DATA)
    assert sources.fetch(Source(url="https://nowhere.invalid/x", sha256=SHA256), stock(folders=[tmp_path]))


class Wrong(BaseHTTPRequestHandler):
    """A server that refuses, or breaks off in the middle."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(401 if self.path == "/refused" else 200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"0\r\n\r\n" if self.path == "/refused" else b"40\r\nless")
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


def test_an_address_with_credentials_is_neither_asked_nor_told() -> None:
    source = Source(url="https://bob:secret@nowhere.invalid/words.zip", sha256=SHA256)
    with pytest.raises(LockError, match="holds credentials, which are not sent for archives") as caught:
        sources.fetch(source, stock())
    assert "secret" not in str([caught.value.message, caught.value.hint, caught.value.details])
    assert "nowhere.invalid/words.zip" in caught.value.message


@pytest.mark.parametrize(("path", "hint"), [("refused", "it asks for credentials"), ("broken", "check the network")])
def test_a_download_that_fails_says_what_to_do(path: str, hint: str) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Wrong) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        source = Source(url=f"http://127.0.0.1:{server.server_port}/{path}", sha256=SHA256)
        with pytest.raises(LockError, match="cannot be downloaded") as caught:
            sources.fetch(source, stock())
        server.shutdown()
    assert caught.value.hint.startswith(hint)
    assert "--sources" in caught.value.hint


# --- what they hold


def test_a_full_disk_is_not_taken_for_a_bad_archive(tmp_path: Path) -> None:
    (tmp_path / "archive").symlink_to("/dev/full")
    with pytest.raises(StepError, match="the sources of demo cannot be unpacked") as caught:
        unpack_source.unpack(DATA, "demo", tmp_path)
    assert "no space is left" in caught.value.hint


def test_whoever_is_to_stop_does_so_between_two_files(tmp_path: Path) -> None:
    calls = iter(range(10))

    def going_on() -> None:
        if next(calls) == 2:
            raise KeyboardInterrupt

    data = archive({f"demo-1/{name}": "x" for name in "abcd"})
    with pytest.raises(KeyboardInterrupt):
        unpack_source.unpack(data, "demo", tmp_path, going_on=going_on)
    assert sorted(path.name for path in (tmp_path / "unpacked/demo-1").iterdir()) == ["a", "b"]


def test_zip_and_tar_archives_are_unpacked_to_their_top_folder(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("demo-1/Makefile", "all:\n")
    for name, data in (("tar", DATA), ("zip", buffer.getvalue())):
        (tmp_path / name).mkdir()
        top = unpack_source.unpack(data, "demo", tmp_path / name)
        assert top.name == "demo-1"
        assert (top / "Makefile").read_text() == "all:\n"


@pytest.mark.parametrize(
    "data",
    [b"no archive", archive({"../outside": "x"}), archive({"/outside": "x"})[:40], DATA[:10] + b"x" * 40],
    ids=["none", "climbs", "cut", "damaged"],
)
def test_what_is_no_archive_or_leaves_its_folder_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(StepError, match="the sources of demo cannot be unpacked"):
        unpack_source.unpack(data, "demo", tmp_path)
    assert not (tmp_path.parent / "outside").exists()


def test_a_source_distribution_that_says_nothing_is_built_with_setuptools(tmp_path: Path) -> None:
    assert sources.build_requires(tmp_path) == ("setuptools",)
    assert sources.build_backend(tmp_path) == ("setuptools.build_meta:__legacy__", ())


# --- what they hold too much of

SMALL = unpack_source.Bounds(bytes=1_000, ratio=1_000, free=0, files=3, deepest=4)


def a_zip(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, text in files.items():
            made.writestr(name, text)
    return buffer.getvalue()


@pytest.mark.parametrize("pack", [archive, a_zip])
@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"demo-1/a": "x" * 600, "demo-1/b": "x" * 600}, "more than 1,000 bytes"),
        ({f"demo-1/{number}": "" for number in range(5)}, "more than 3 files"),
        ({"demo-1/" + "d/" * 5 + "a": ""}, "more than 4 folders deep"),
    ],
)
def test_an_archive_beyond_the_bounds_is_refused_before_the_disk_is_full(
    pack: Callable[[dict[str, str]], bytes], files: dict[str, str], why: str, tmp_path: Path
) -> None:
    with pytest.raises(StepError, match="cannot be unpacked") as caught:
        unpack_source.unpack(pack(files), "demo", tmp_path, SMALL)
    assert why in caught.value.details[0]


def test_an_archive_may_hold_so_many_times_its_own_bytes() -> None:
    bounds = unpack_source.Bounds()
    assert bounds.most(1_000) == bounds.free
    assert bounds.most(9_000_000) == 900_000_000
    assert bounds.most(1 << 40) == bounds.bytes


def test_a_header_of_a_tar_archive_that_no_file_needs_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("demo-1/a")
        info.pax_headers = {"comment": "x" * (tars.MOST_HEADER + 1)}
        tar.addfile(info)
    with pytest.raises(StepError, match="cannot be unpacked") as caught:
        unpack_source.unpack(buffer.getvalue(), "demo", tmp_path)
    assert "a header has" in caught.value.details[0]
    assert licences.of_archive(buffer.getvalue(), "demo") == ()


@pytest.mark.parametrize(
    "text", ["build-backend = 3", 'backend-path = "."', "requires = [3]", 'requires = "a"', "requires = ['?']"]
)
def test_a_build_system_of_wrong_types_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[build-system]\n{text}\n")
    with pytest.raises(StepError, match="cannot be understood"):  # noqa: PT012 - either reader may say so
        sources.build_requires(tmp_path)
        sources.build_backend(tmp_path)
