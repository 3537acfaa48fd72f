"""Which kind of place an address names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from layerforge.core.errors import UsageError
from layerforge.core.store.https import HttpsObjects
from layerforge.core.store.objects import FolderObjects
from layerforge.core.store.places import opened


def test_a_folder_is_what_has_no_scheme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for text, root in {
        "store": tmp_path / "store",
        "./a/b": tmp_path / "a/b",
        "~/store": tmp_path / "home/store",
        str(tmp_path): tmp_path,
        "a:b": tmp_path / "a:b",
    }.items():
        assert opened(text) == FolderObjects(root=root)
    assert not list(tmp_path.iterdir())


def test_a_web_address_is_read_from() -> None:
    place = opened("https://bucket.s3.amazonaws.com/prefix/")
    assert isinstance(place, HttpsObjects)
    assert place.place == "https://bucket.s3.amazonaws.com/prefix"


@pytest.mark.parametrize(
    "url", ["file:///srv/store", "gs://bucket", "ftp://host/x", "S3://bucket", "s3:/bucket", "az://x", "C:/store"]
)
def test_another_kind_of_place_is_told_with_those_that_can_be_used(url: str) -> None:
    with pytest.raises(UsageError, match=f"a store cannot lie at {url.partition(':')[0].lower()}:") as caught:
        opened(url)
    for form in ("s3://bucket/prefix", "a folder", "https://host/path"):
        assert form in caught.value.hint


@pytest.mark.parametrize("text", ["", "  ", "a\0b"])
def test_what_names_no_folder_is_told(text: str) -> None:
    with pytest.raises(UsageError, match="is no place of a store"):
        opened(text)


def test_a_home_that_nobody_has_is_told() -> None:
    with pytest.raises(UsageError, match="no such user"):
        opened("~nobody-of-that-name/store")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is no folder"):
        opened(str(tmp_path / "file"))


def test_boto3_is_loaded_for_s3_alone(tmp_path: Path) -> None:
    program = f"""
import sys
from layerforge.core.store.places import opened
opened({str(tmp_path)!r})
opened("https://host/path")
assert not {{"boto3", "botocore"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
