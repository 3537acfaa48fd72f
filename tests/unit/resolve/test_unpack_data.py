"""Archives of data: their files as they are, and nothing that is written elsewhere."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from layerforge.core.errors import LayerforgeError, StepError
from layerforge.resolve import unpack_data
from layerforge.resolve.unpack_source import Bounds


@dataclass(frozen=True, kw_only=True)
class Member:
    """A member of an archive, of any kind."""

    content: bytes = b""
    mode: int = stat.S_IFREG | 0o640
    target: str = ""
    hard: bool = False


Files = Mapping[str, Member]
Pack = Callable[[Files], bytes]
KINDS = {stat.S_IFLNK: tarfile.SYMTYPE, stat.S_IFIFO: tarfile.FIFOTYPE, stat.S_IFCHR: tarfile.CHRTYPE}


def a_tar(members: Files) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as tar:
        for name, one in members.items():
            info = tarfile.TarInfo(name)
            info.mode, info.size, info.linkname = one.mode & 0o7777, len(one.content), one.target
            info.type = tarfile.LNKTYPE if one.hard else KINDS.get(stat.S_IFMT(one.mode), tarfile.REGTYPE)
            tar.addfile(info, io.BytesIO(one.content))
    return buffer.getvalue()


def a_zip(members: Files) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, one in members.items():
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr, info.compress_type = 3, one.mode << 16, zipfile.ZIP_DEFLATED
            made.writestr(info, one.target.encode() or one.content)
    return buffer.getvalue()


packs = pytest.mark.parametrize("pack", [a_tar, a_zip])
LINK = stat.S_IFLNK | 0o777


def refused(data: bytes, folder: Path, bounds: Bounds = unpack_data.BOUNDS) -> LayerforgeError:
    work = folder / "work"
    work.mkdir()
    with pytest.raises(StepError, match=r"^the data x of demo cannot be unpacked$") as caught:
        unpack_data.unpack(data, "the data x of demo", work, bounds)
    assert {path.name for path in folder.iterdir()} == {"work"}, "nothing lies outside"
    return caught.value


@packs
def test_the_files_of_an_archive_keep_their_places_and_whether_they_are_programs(pack: Pack, tmp_path: Path) -> None:
    members = {
        "only/words.txt": Member(content=b"a\n"),
        "only/run": Member(content=b"#!/bin/sh\n", mode=stat.S_IFREG | 0o700),
    }
    root = unpack_data.unpack(pack(members), "it", tmp_path)
    assert {path.relative_to(root).as_posix() for path in root.rglob("*")} == {"only", "only/words.txt", "only/run"}
    assert (root / "only/words.txt").read_bytes() == b"a\n"
    executable = {path.name for path in root.rglob("*") if path.is_file() and path.stat().st_mode & stat.S_IXUSR}
    assert executable == {"run"}
    assert not (tmp_path / "archive").exists()


def test_links_of_a_tar_that_stay_inside_are_kept(tmp_path: Path) -> None:
    members = {
        "a/b": Member(content=b"b"),
        "a/soft": Member(mode=LINK, target="b"),
        "a/hard": Member(target="a/b", hard=True),
    }
    root = unpack_data.unpack(a_tar(members), "it", tmp_path)
    assert (root / "a/soft").readlink() == Path("b")
    assert (root / "a/hard").read_bytes() == b"b"


@packs
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../outside", "'../outside' leads out of its folder"),
        ("a/../../outside", "leads out of its folder"),
        ("/outside", "'/outside' leads out of its folder"),
        ("a\\b", "is no name of a file on Lambda"),
        ("a\x1bb", "is no name of a file on Lambda"),
    ],
)
def test_a_name_that_leads_out_or_is_none_is_refused(pack: Pack, name: str, why: str, tmp_path: Path) -> None:
    error = refused(pack({"fine": Member(), name: Member(content=b"x")}), tmp_path)
    assert why in error.details[0]
    assert "do not use that archive" in error.hint


@pytest.mark.parametrize(
    "member",
    [
        Member(mode=LINK, target="../../outside"),
        Member(mode=LINK, target="/etc/passwd"),
        Member(target="../outside", hard=True),
        Member(mode=stat.S_IFIFO | 0o600),
        Member(mode=stat.S_IFCHR | 0o600),
    ],
    ids=["link", "absolute link", "hard link", "pipe", "device"],
)
def test_a_tar_with_a_link_out_or_with_what_is_no_file_is_refused(member: Member, tmp_path: Path) -> None:
    assert "do not use that archive" in refused(a_tar({"a/b": member}), tmp_path).hint


def test_what_is_written_through_a_link_stays_inside(tmp_path: Path) -> None:
    members = {"a": Member(mode=LINK, target=".."), "a/outside": Member(content=b"x")}
    refused(a_tar(members), tmp_path)
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_a_zip_with_a_link_or_a_device_is_refused(kind: int, tmp_path: Path) -> None:
    error = refused(a_zip({"a": Member(mode=kind | 0o777, target="b")}), tmp_path)
    assert error.details == ("'a' is a link or a device, which is not unpacked from a zip",)


WHOLE = a_zip({"a": Member(content=b"text" * 100)})


def encrypted() -> bytes:
    """A zip whose only entry says that it needs a password."""
    data = bytearray(WHOLE)
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    return bytes(data)


def spoilt() -> bytes:
    data = bytearray(WHOLE)
    data[40] ^= 0xFF
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"words\n" * 100,
        gzip.compress(b"words\n" * 100),
        WHOLE[:-30],
        spoilt(),
        encrypted(),
        a_tar({"a": Member(content=bytes(range(256)) * 200)})[:150],
    ],
    ids=["empty", "text", "gzip alone", "cut zip", "spoilt zip", "encrypted zip", "cut tar"],
)
def test_what_is_no_archive_or_a_damaged_one_is_told_to_be(data: bytes, tmp_path: Path) -> None:
    error = refused(data, tmp_path)
    assert error.hint.startswith("is it a tar or zip archive?")
    assert error.details[0]


@packs
def test_a_file_in_the_place_of_a_folder_is_told_without_a_path_of_this_machine(pack: Pack, tmp_path: Path) -> None:
    error = refused(pack({"a": Member(content=b"x"), "a/b": Member(content=b"y")}), tmp_path)
    assert error.hint == "one of its names is a file's and a folder's too: pack its files anew"
    assert str(tmp_path) not in error.details[0]


SMALL = Bounds(bytes=1_000, ratio=1_000, free=0, files=3, deepest=4)


@packs
@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({"a": Member(content=bytes(600)), "b": Member(content=bytes(600))}, "more than 1,000 bytes"),
        ({f"{number}": Member() for number in range(5)}, "more than 3 files"),
        ({"d/" * 5 + "a": Member()}, "more than 4 folders deep"),
    ],
)
def test_an_archive_beyond_the_bounds_is_refused(pack: Pack, members: Files, why: str, tmp_path: Path) -> None:
    error = refused(pack(members), tmp_path, SMALL)
    assert why in error.details[0]
    assert "no layer holds that much" in error.hint


def test_a_zip_that_holds_more_than_it_declares_is_damaged(tmp_path: Path) -> None:
    data = bytearray(a_zip({"a": Member(content=bytes(100_000))}))
    for place in (22, data.index(b"PK\1\2") + 24):
        data[place : place + 4] = (10).to_bytes(4, "little")
    refused(bytes(data), tmp_path)
    assert sum(path.stat().st_size for path in (tmp_path / "work" / "unpacked").iterdir()) <= 10


def test_a_full_disk_is_not_taken_for_a_bad_archive(tmp_path: Path) -> None:
    (tmp_path / "archive").symlink_to("/dev/full")
    with pytest.raises(StepError) as caught:
        unpack_data.unpack(WHOLE, "it", tmp_path)
    assert "no space is left" in caught.value.hint
