from __future__ import annotations

import os
from pathlib import Path

import pytest

import zips
from layerforge.cli import output_files
from layerforge.core.errors import UsageError


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (".", "is a folder"),
        ("absent/page.html", "there is no folder"),
        ("new.ZIP", "would take the place of a zip"),
        ("archive", "would take the place of a zip"),
        ("pipe", "is no plain file"),
        ("to-pipe", "is no plain file"),
        ("circle", "is a link that leads nowhere"),
        ("to-absent", "there is no folder"),
        (f"{'x' * 300}.html", "a name is too long"),
    ],
)
def test_a_place_that_is_not_for_writing_is_refused_and_stays_as_it_was(
    file: str, message: str, tmp_path: Path
) -> None:
    zips.of(tmp_path / "archive", {"python/a.py": b""})
    os.mkfifo(tmp_path / "pipe")
    for name, to in (("to-pipe", "pipe"), ("circle", "circle"), ("to-absent", "absent/page.html")):
        (tmp_path / name).symlink_to(to)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UsageError, match=message):
        output_files.check(tmp_path / file, "page.html")
    assert sorted(tmp_path.iterdir()) == before


def test_standard_output_is_no_file() -> None:
    with pytest.raises(UsageError, match="is no plain file"):
        output_files.check(Path("-"), "page.html")


def test_a_new_file_and_one_that_is_there_are_written(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    for data in (b"old", b"new"):
        output_files.check(file, "page.html")
        output_files.write(file, data)
    assert file.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [file]


def test_what_a_link_leads_to_is_written_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "link.html").symlink_to("page.html")
    output_files.check(tmp_path / "link.html", "page.html")
    output_files.write(tmp_path / "link.html", b"new")
    assert (tmp_path / "page.html").read_bytes() == b"new"
    assert (tmp_path / "link.html").is_symlink()


def test_an_output_folder_is_made_and_left_empty(tmp_path: Path) -> None:
    output_files.check_folder(tmp_path / "deep/dist")
    assert list((tmp_path / "deep/dist").iterdir()) == []


def test_an_output_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dist").write_text("a file")
    with pytest.raises(UsageError, match="nothing can be written to"):
        output_files.check_folder(tmp_path / "dist")


def test_a_link_to_a_pipe_is_no_plain_file(tmp_path: Path) -> None:
    reads, writes = os.pipe()
    try:
        (tmp_path / "out").symlink_to(f"/proc/self/fd/{writes}")
        with pytest.raises(UsageError, match="is no plain file"):
            output_files.check(tmp_path / "out", "page.html")
    finally:
        os.close(reads)
        os.close(writes)
