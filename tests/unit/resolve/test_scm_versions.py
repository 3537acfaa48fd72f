"""Versions that stand in git's tags alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerforge.resolve import scm_versions
from layerforge.resolve.wheel_source import read
from projects import git, project_files, repository, write

READS = '[tool.x]\nuses = "setuptools-scm"\n'


def version(text: str) -> str:
    found = read(text)
    assert found is not None
    return scm_versions.version(found)


def test_a_folder_has_the_version_of_its_last_tag_or_of_what_comes_next(tmp_path: Path) -> None:
    repository(tmp_path, project_files(table=READS), tag="v1.2.3")
    assert version(str(tmp_path)) == "1.2.3"
    write(tmp_path, {"more.py": ""})
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "x")
    assert version(str(tmp_path)) == f"1.2.4.dev1+g{git(tmp_path, 'rev-parse', '--short', 'HEAD')}"


def test_a_project_that_does_not_read_tags_is_told_no_version(tmp_path: Path) -> None:
    repository(tmp_path / "a", project_files(), tag="v1.2.3")
    repository(tmp_path / "b", project_files(table=READS))
    write(tmp_path / "c", project_files(table=READS))
    assert [version(str(tmp_path / name)) for name in "abc"] == ["", "", ""]


@pytest.mark.parametrize(
    ("ref", "expected"),
    [("v1.2", "1.2"), ("1.0rc1", "1.0rc1"), ("pkg-1.2.0", "1.2.0"), ("main", ""), ("feature-2", ""), ("a" * 40, "")],
)
def test_a_tag_is_a_version_where_it_looks_like_one(ref: str, expected: str) -> None:
    assert version(f"git+https://h/r@{ref}") == expected


def test_every_build_is_told_the_date_and_only_those_with_a_version_that() -> None:
    assert scm_versions.variables(7, "") == {"SOURCE_DATE_EPOCH": "7"}
    assert scm_versions.variables(7, "1.2")["SETUPTOOLS_SCM_PRETEND_VERSION"] == "1.2"
