import json
from pathlib import Path

import pytest

import zips
from fakes import target
from layerforge.core.errors import VerificationError
from layerforge.examine import zip_content
from layerforge.examine.examine import examine
from layerforge.examine.installed import Installed, installed


def found(path: Path) -> Installed:
    seen = examine(path)
    with zip_content.reader(path) as read:
        return installed(seen, read, target())


def package(
    name: str, version: str = "1.0", folder: str = "python/", requires: str = "", text: bytes = b"x = 1\n"
) -> dict[str, bytes]:
    """Files of a package with a RECORD that is true."""
    info = f"{name}-{version}.dist-info"
    files = {f"{name}/__init__.py": text}
    needs = f"Requires-Dist: {requires}\n" if requires else ""
    files[f"{info}/METADATA"] = f"Name: {name}\nVersion: {version}\n{needs}".encode()
    files[f"{info}/RECORD"] = "\n".join(zips.record_row(*row) for row in files.items()).encode()
    return {folder + path: data for path, data in files.items()}


def test_packages_have_the_versions_of_their_metadata_and_the_bytes_of_their_files(tmp_path: Path) -> None:
    files = package("b", "2.0") | package("a", "1.5")
    seen = found(zips.of(tmp_path / "it.zip", files))
    assert [(one.name, one.version) for one in seen.packages] == [("a", "1.5"), ("b", "2.0")]
    assert sum(one.bytes for one in seen.packages) == sum(map(len, files.values()))
    assert (seen.root, seen.loose, seen.remarks) == ("python/", (), ())


@pytest.mark.parametrize("folder", ["", "python/", "python/lib/python3.13/site-packages/"])
def test_packages_may_lie_anywhere_and_own_code_beside_them(tmp_path: Path, folder: str) -> None:
    files = package("a", folder=folder) | {f"{folder}app.py": b"import a\n"}
    seen = found(zips.of(tmp_path / "it.zip", files))
    assert seen.root == folder
    assert [one.path for one in seen.loose] == [f"{folder}app.py"]


def test_packages_that_lie_where_nothing_looks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        VerificationError, match=r"the packages of it\.zip lie in build/python/, where neither"
    ) as caught:
        found(zips.of(tmp_path / "it.zip", package("a", folder="build/python/")))
    assert "zip what is in that folder" in caught.value.hint


def test_a_package_that_lies_apart_is_said(tmp_path: Path) -> None:
    files = package("a") | package("b") | package("c", folder="vendored/")
    seen = found(zips.of(tmp_path / "it.zip", files))
    assert seen.remarks == ("c 1.0 lies in vendored/, and is built to stand beside the others",)


def test_programs_that_pip_lays_beside_a_package_are_no_code_of_ones_own(tmp_path: Path) -> None:
    files = package("a")
    files["python/a-1.0.dist-info/RECORD"] += b"\n../../bin/a,sha256=x,3"
    files |= {"python/bin/a": b"#!/x\n", "python/bin/mine": b"#!/y\n"}
    assert [one.path for one in found(zips.of(tmp_path / "it.zip", files)).loose] == ["python/bin/mine"]


def test_what_packages_require_and_the_zip_lacks_is_known_for_its_target(tmp_path: Path) -> None:
    files = package("a", requires="B.c>=1") | package("d", requires='tomli; python_version < "3.11"')
    seen = found(zips.of(tmp_path / "it.zip", files | package("e", requires='f; extra == "g"')))
    assert seen.lacking == {"b-c": "a"}
    assert seen.roots == ("a", "d", "e")


def test_the_roots_are_what_no_other_package_requires(tmp_path: Path) -> None:
    files = package("a", requires="b") | package("b", requires="b[x]") | package("c")
    assert found(zips.of(tmp_path / "it.zip", files)).roots == ("a", "c")


def test_of_two_versions_in_two_folders_the_one_that_python_finds_first_counts(tmp_path: Path) -> None:
    site = "python/lib/python3.13/site-packages/"
    seen = found(zips.of(tmp_path / "it.zip", package("a", "1.0") | package("a", "2.0", site)))
    assert [(one.name, one.version) for one in seen.packages] == [("a", "2.0")]
    [line] = seen.remarks
    assert line.startswith("a is there more than once: 2.0 counts, which is found first; not 1.0 in python/")


def test_of_two_versions_in_one_folder_the_one_whose_files_are_there_counts(tmp_path: Path) -> None:
    old = package("a", "9.0", text=b"old = 1\n")
    seen = found(zips.of(tmp_path / "it.zip", old | package("a", "1.0", text=b"new = 1\n")))
    assert [one.version for one in seen.packages] == ["1.0"]


def test_versions_that_do_not_go_together_are_said(tmp_path: Path) -> None:
    files = package("a", requires="b<2") | package("b", "2.1")
    assert found(zips.of(tmp_path / "it.zip", files)).remarks == ("a 1.0 requires b<2, and 2.1 is there",)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ({"url": "file:///x", "dir_info": {}}, "it was installed from a folder, not from an index"),
        ({"url": "https://x", "vcs_info": {"vcs": "git"}}, "it was installed from a repository, not from an index"),
        ({"url": "file:///x.whl", "archive_info": {}}, "it was installed from a file, not from an index"),
        (["odd"], "it was installed from an address, not from an index"),
    ],
)
def test_what_came_from_no_index_is_asked_of_none(tmp_path: Path, url: object, why: str) -> None:
    files = package("helpers") | {"python/helpers-1.0.dist-info/direct_url.json": json.dumps(url).encode()}
    assert [one.own for one in found(zips.of(tmp_path / "it.zip", files)).packages] == [why]


@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        (b"Name: a\nVersion: latest\n", "its metadata say no version: 'latest'"),
        (b"Name: ../a\nVersion: 1.0\n", "its metadata name it like no package"),
    ],
)
def test_broken_metadata_are_told_as_such(tmp_path: Path, metadata: bytes, why: str) -> None:
    files = package("a") | {"python/a-1.0.dist-info/METADATA": metadata}
    assert [one.broken for one in found(zips.of(tmp_path / "it.zip", files)).packages] == [why]


def test_without_a_metadata_file_the_name_of_its_folder_tells(tmp_path: Path) -> None:
    files = package("a", "3.1")
    del files["python/a-3.1.dist-info/METADATA"]
    assert [(one.name, one.version) for one in found(zips.of(tmp_path / "it.zip", files)).packages] == [("a", "3.1")]


@pytest.mark.parametrize(
    ("files", "hint"),
    [
        ({".requirements.zip": b"x", "app.py": b""}, "the .requirements.zip in it"),
        ({"a-1.0.egg-info/PKG-INFO": b"x"}, "old installer"),
        ({"numpy/__init__.py": b""}, "slim: true"),
    ],
)
def test_a_zip_without_metadata_is_refused_with_what_helps(tmp_path: Path, files: dict[str, bytes], hint: str) -> None:
    with pytest.raises(VerificationError, match="holds no metadata of packages") as caught:
        found(zips.of(tmp_path / "it.zip", files))
    assert hint in caught.value.hint
