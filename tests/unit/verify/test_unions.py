"""Several zips as the layers of one function."""

from __future__ import annotations

import stat
from pathlib import Path

import zips
from layerforge.core.findings import Severity
from layerforge.examine.examine import examine
from layerforge.examine.union import contested, union
from layerforge.examine.unpack import unpack
from layerforge.verify.unions import same_paths
from zips import Put

ONE = {"python/one.py": b"A = 1\n", "python/both.py": b"B = 1\n", "python/same.py": b"C = 1\n"}
TWO = {"python/two.py": b"A = 2\n", "python/both.py": b"B = 2\n", "python/same.py": b"C = 1\n"}


def test_a_union_is_what_lambda_makes_of_the_layers(tmp_path: Path) -> None:
    parts = [examine(zips.of(tmp_path / name, files)) for name, files in (("one.zip", ONE), ("two.zip", TWO))]
    whole = union(parts, tmp_path / "union.zip")
    unpack(whole.path, tmp_path / "opt")
    found = {path.name: path.read_bytes() for path in (tmp_path / "opt/python").iterdir()}
    assert found == {"one.py": b"A = 1\n", "two.py": b"A = 2\n", "both.py": b"B = 2\n", "same.py": b"C = 1\n"}
    assert [member.path for member in whole.members] == [member.path for member in examine(whole.path).members]
    assert whole.unzipped == sum(part.unzipped for part in parts)


def test_modes_links_and_names_stay_as_they_are(tmp_path: Path) -> None:
    puts = [
        Put(name="bin/tool", data=b"#!/bin/sh\n", mode=stat.S_IFREG | 0o755),
        zips.link("lib/libx.so", "libx.so.1"),
        Put(name="lib/libx.so.1", data=b"x"),
        zips.folder("python/"),
        Put(name="python/é.py", data=b"", method=0),
    ]
    one, two = zips.write(tmp_path / "one.zip", puts), zips.of(tmp_path / "two.zip", {"python/b.py": b""})
    whole = union([examine(one), examine(two)], tmp_path / "union.zip")
    unpack(whole.path, tmp_path / "opt")
    assert (tmp_path / "opt/bin/tool").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "opt/lib/libx.so").read_bytes() == b"x"
    assert (tmp_path / "opt/lib/libx.so").is_symlink()
    assert (tmp_path / "opt/python/é.py").is_file()


def test_a_zip_from_another_system_can_be_read_in_a_union(tmp_path: Path) -> None:
    one = zips.write(tmp_path / "one.zip", [Put(name="python/a.py", data=b"a", mode=0, system=0)])
    union([examine(one)], tmp_path / "union.zip")
    unpack(tmp_path / "union.zip", tmp_path / "opt")
    assert (tmp_path / "opt/python/a.py").stat().st_mode & 0o777 == 0o644


def test_a_path_in_two_layers_is_an_error_where_the_contents_differ(tmp_path: Path) -> None:
    parts = [examine(zips.of(tmp_path / name, files)) for name, files in (("one.zip", ONE), ("two.zip", TWO))]
    assert list(contested(parts)) == ["python/both.py", "python/same.py"]
    assert [(one.rule, one.severity, one.path, one.message) for one in same_paths(parts)] == [
        ("LF310", Severity.ERROR, "python/both.py", "lies in one.zip and in two.zip, with other contents"),
        ("LF310", Severity.WARNING, "python/same.py", "lies in one.zip and in two.zip, with the same contents"),
    ]


def test_one_finding_tells_of_all_paths(tmp_path: Path) -> None:
    files = {f"python/{name}.py": b"" for name in "abc"}
    parts = [examine(zips.of(tmp_path / name, files)) for name in ("one.zip", "two.zip")]
    [finding] = same_paths(parts)
    assert finding.message.endswith("with the same contents; so do 2 other paths")


def test_layers_without_a_common_path_have_no_finding(tmp_path: Path) -> None:
    names = (("one.zip", {"python/a.py": b""}), ("two.zip", {"python/b.py": b""}))
    assert not list(same_paths([examine(zips.of(tmp_path / name, files)) for name, files in names]))


PRIME = "python/layerforge_prime/__init__.py"


def test_the_module_that_primes_may_lie_in_several_layers(tmp_path: Path) -> None:
    cached = "python/layerforge_prime/__pycache__/__init__.cpython-313.pyc"
    files = [{PRIME: b"same", cached: b"same", f"python/layerforge_prime/{name}.json": b"{}"} for name in "ab"]
    parts = [examine(zips.of(tmp_path / f"{at}.zip", one)) for at, one in enumerate(files)]
    assert not list(same_paths(parts))


def test_two_versions_of_the_module_that_primes_are_told_once_and_are_no_error(tmp_path: Path) -> None:
    files = [{PRIME: data, f"python/layerforge_prime/{data!r}.json": b"{}"} for data in (b"A = 1", b"A = 2")]
    parts = [examine(zips.of(tmp_path / f"{at}.zip", one)) for at, one in enumerate(files)]
    assert [(one.rule, one.severity, one.path) for one in same_paths(parts)] == [("LF310", Severity.WARNING, PRIME)]


def test_two_versions_of_its_bytecode_are_told_where_no_source_lies_beside_it(tmp_path: Path) -> None:
    alone = "python/layerforge_prime/__init__.pyc"
    parts = [examine(zips.of(tmp_path / f"{data!r}.zip", {alone: data})) for data in (b"1", b"2", b"2")]
    assert [(one.rule, one.severity, one.path) for one in same_paths(parts)] == [("LF310", Severity.WARNING, alone)]
    assert not list(same_paths(parts[1:]))


def test_other_bytecode_of_the_same_source_is_not_told(tmp_path: Path) -> None:
    cached = "python/layerforge_prime/__pycache__/__init__.cpython-313.pyc"
    parts = [examine(zips.of(tmp_path / f"{data!r}.zip", {PRIME: b"same", cached: data})) for data in (b"1", b"2")]
    assert not list(same_paths(parts))
