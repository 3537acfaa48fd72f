from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from layerforge.core import tars


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    return made


def archive(*members: tarfile.TarInfo) -> io.BytesIO:
    """An archive of empty files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for one in members:
            tar.addfile(one)
    buffer.seek(0)
    return buffer


def test_files_and_links_that_stay_inside_are_unpacked(tmp_path: Path) -> None:
    tars.extract(archive(member("a/b"), member("a/l", tarfile.SYMTYPE, "b")), tmp_path)
    assert (tmp_path / "a/l").resolve() == tmp_path / "a/b"


@pytest.mark.parametrize(
    "bad",
    [
        member("../out"),
        member("l", tarfile.SYMTYPE, "../out"),
        member("l", tarfile.SYMTYPE, "/etc/passwd"),
        member("l", tarfile.LNKTYPE, "../out"),
        member("pipe", tarfile.FIFOTYPE),
        member("device", tarfile.CHRTYPE),
    ],
    ids=["climbs out", "link out", "absolute link", "hard link out", "pipe", "device"],
)
def test_what_leads_out_of_the_folder_or_is_no_file_is_refused(bad: tarfile.TarInfo, tmp_path: Path) -> None:
    into = tmp_path / "in"
    into.mkdir()
    with pytest.raises(tars.REFUSED):
        tars.extract(archive(bad), into)
    assert list(tmp_path.iterdir()) == [into]
    assert list(into.iterdir()) == []


def test_a_header_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    huge = member("a")
    huge.pax_headers = {"comment": "x" * (tars.MOST_HEADER + 1)}
    with pytest.raises(tars.REFUSED, match="a header has"):
        tars.extract(archive(huge), tmp_path)


def test_each_member_is_counted_before_it_is_written(tmp_path: Path) -> None:
    seen: list[tuple[str, int]] = []

    def count(name: str, size: int) -> None:
        assert not (tmp_path / name).exists()
        seen.append((name, size))

    tars.extract(archive(member("a"), member("b")), tmp_path, count)
    assert seen == [("a", 0), ("b", 0)]
