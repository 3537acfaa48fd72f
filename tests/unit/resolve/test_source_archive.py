"""Folders, source distributions and commits as archives whose digest says what a wheel is made of."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest

from fakes import FakeStore, stock
from layerforge.resolve import source_archive
from layerforge.resolve.errors import LockError
from layerforge.resolve.source_archive import SourceArchive
from layerforge.resolve.wheel_source import WheelSource, read
from projects import git, project_files, repository, sdist, write


def packed(place: Path | str) -> SourceArchive:
    found = read(str(place))
    assert found is not None
    return source_archive.archive(found, stock())


def members(data: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {one.name.removeprefix("source/"): one for one in archive.getmembers()}


def test_a_folder_is_what_git_tracks_or_would(tmp_path: Path) -> None:
    folder = tmp_path / "repo"
    repository(folder, project_files(files={".gitignore": "*.log\nbuild/\n", "gone.py": ""}))
    write(folder, {"new.py": "", "x.log": "", "build/lib/mine.py": "", ".env": "", "dist/x.whl": ""})
    write(folder, {"out/mine-py313-x86_64.zip": "", "out/mine-py313-x86_64.manifest.json": ""})
    (folder / "gone.py").unlink()
    names = set(members(packed(folder).data))
    assert {"new.py", "mine/__init__.py", ".gitignore"} <= names
    assert names.isdisjoint({"x.log", "build/lib/mine.py", "gone.py", ".git/HEAD", ".env", "dist/x.whl"})
    assert not [name for name in names if name.startswith("out/")]


def test_a_folder_without_git_is_all_but_what_tools_make(tmp_path: Path) -> None:
    more = {"dist/x.whl": "", ".venv/pyvenv.cfg": "", "own/pyvenv.cfg": "", "own/x.py": "", "mine/x.pyc": ""}
    write(tmp_path / "p", project_files(files={**more, "mine.egg-info/PKG-INFO": "", "node_modules/x.js": ""}))
    assert set(members(packed(tmp_path / "p").data)) == {"pyproject.toml", "own_backend.py", "mine/__init__.py"}


def test_the_digest_goes_by_contents_and_not_by_dates_or_rights(tmp_path: Path) -> None:
    write(tmp_path / "a", project_files())
    write(tmp_path / "b", project_files())
    os.utime(tmp_path / "b/pyproject.toml", (0, 0))
    (tmp_path / "b/pyproject.toml").chmod(0o600)
    assert packed(tmp_path / "a").sha256 == packed(tmp_path / "b").sha256
    (tmp_path / "b/mine/__init__.py").write_text("VALUE = 2\n")
    assert packed(tmp_path / "a").sha256 != packed(tmp_path / "b").sha256


def test_links_within_stay_and_files_of_the_repository_that_links_lead_to_are_taken(tmp_path: Path) -> None:
    repository(tmp_path, {"shared.py": "x = 1\n"})
    write(tmp_path / "p", project_files())
    (tmp_path / "p/mine/near.py").symlink_to("__init__.py")
    (tmp_path / "p/mine/far.py").symlink_to("../../shared.py")
    (tmp_path / "p/mine/lost.py").symlink_to("../../absent.py")
    found = members(packed(tmp_path / "p").data)
    assert found["mine/near.py"].issym()
    assert found["mine/far.py"].isreg()
    assert "mine/lost.py" not in found


@pytest.mark.parametrize("tracked", [False, True])
def test_a_link_to_a_file_from_anywhere_is_refused(tracked: bool, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    folder = write(tmp_path / "p", project_files())
    (folder / "mine/key.py").symlink_to(tmp_path / "secret")
    if tracked:
        repository(folder, {})
    with pytest.raises(LockError, match="would come into the layer") as caught:
        packed(folder)
    assert str(tmp_path / "secret") in caught.value.message


def test_a_folder_of_too_much_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "p", project_files())
    with (tmp_path / "p/huge.bin").open("wb") as file:
        file.truncate(source_archive.MOST + 1)
    with pytest.raises(LockError, match=r"more than 536\.9 MB") as caught:
        packed(tmp_path / "p")
    assert ".gitignore" in caught.value.hint


def test_a_source_distribution_has_its_hash(tmp_path: Path) -> None:
    path = sdist(tmp_path, project_files())
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert packed(path).sha256 == packed(f"mine @ {path.as_uri()}#sha256={sha256}").sha256 == sha256
    with pytest.raises(LockError, match="does not have the hash") as caught:
        packed(f"mine @ {path.as_uri()}#sha256={'0' * 64}")
    assert f"got       {sha256}" in caught.value.details


def test_an_archive_with_a_hash_is_asked_for_once(tmp_path: Path) -> None:
    data = sdist(tmp_path, project_files()).read_bytes()
    sha256, store = hashlib.sha256(data).hexdigest(), FakeStore()
    store.put("source", sha256, data)
    found: WheelSource | None = read(f"mine @ https://nowhere.invalid/mine-1.0.tar.gz#sha256={sha256}")
    assert found is not None
    assert source_archive.archive(found, stock(store=store)).data == data


def test_a_repository_in_a_folder_of_another_is_passed_over(tmp_path: Path) -> None:
    repository(tmp_path / "outer", project_files())
    repository(tmp_path / "outer/vendor", {"x.py": ""})
    assert git(tmp_path / "outer", "status", "--porcelain") == "?? vendor/"
    assert not [name for name in members(packed(tmp_path / "outer").data) if name.startswith("vendor")]
