from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerforge.core.errors import VerificationError
from layerforge.core.paths import DEEPEST
from layerforge.layer.contents import Contents
from layerforge.layer.distributions import (
    MOST_DISTRIBUTIONS,
    RecordRow,
    distributions,
    identity,
    owners,
    placed,
    recorded,
    rows,
)
from layerforge.layer.tree import File, Link, Tree, blob

INFO = "python/demo_pkg-1.0.dist-info"


def layer(files: dict[str, bytes]) -> Contents:
    return Tree(entries=tuple(File(path=path, blob=blob(data)) for path, data in sorted(files.items())))


def test_a_built_tree_is_read_as_an_archive_is() -> None:
    tree = layer({f"{INFO}/METADATA": b"Name: Demo.Pkg\nVersion: 2\nLicense: MIT\n", f"{INFO}/RECORD": b"demo.py,,\n"})
    (one,) = distributions(tree)
    assert (one.name, one.version, one.info, one.licence) == ("demo-pkg", "2", INFO, "MIT")
    assert one.record == (RecordRow(path="demo.py", sha256="", size=None),)


def test_a_link_has_no_contents() -> None:
    tree = Tree(entries=(Link(path=f"{INFO}/RECORD", target="METADATA"),))
    assert tree.read(f"{INFO}/RECORD") is None
    assert [one.record for one in distributions(tree)] == [None]


def test_what_a_metadata_does_not_say_the_name_of_its_folder_does() -> None:
    assert identity(b"Version: 2\n", "Demo_Pkg-1.0") == ("demo-pkg", "2")
    assert identity(b"Name: other\n", "Demo_Pkg-1.0") == ("other", "1.0")


@pytest.mark.parametrize("site", ["python/", "python/lib/python3.13/site-packages/"])
def test_what_another_package_carries_inside_is_no_distribution_of_the_layer(site: str) -> None:
    files = {f"{site}{place}x-1.dist-info/METADATA": b"" for place in ("", "setuptools/_vendor/")}
    assert [one.info for one in distributions(layer(files))] == [f"{site}x-1.dist-info"]


def test_distributions_of_both_folders_on_the_path_are_found() -> None:
    infos = ["python/a-1.dist-info", "python/lib/python3.13/site-packages/b-1.dist-info"]
    assert [one.info for one in distributions(layer({f"{info}/METADATA": b"" for info in infos}))] == infos


def test_an_archive_of_too_many_distributions_is_refused() -> None:
    files = {f"python/p{number}-1.dist-info/METADATA": b"" for number in range(MOST_DISTRIBUTIONS + 1)}
    with pytest.raises(VerificationError, match="the metadata of 1,001 packages"):
        distributions(layer(files))


def test_rows_that_lead_too_deep_are_left_out_of_a_distribution() -> None:
    kept, deep = "a/" * DEEPEST + "x.py", "a/" * (DEEPEST + 1) + "x.py"
    (one,) = distributions(layer({f"{INFO}/RECORD": f"{kept},,\n{deep},,\n".encode()}))
    assert [row.path for row in one.record or ()] == [kept]


@pytest.mark.parametrize(
    ("record", "paths"),
    [
        (b"a.py,,\nno row\n,,\nb.py,,\n", ["a.py", "b.py"]),
        (b'"a\nb.py",,\r\nc.py,,\r\n', ["a\nb.py", "c.py"]),
        (b"a\0.py,,\n", ["a.py"]),
        (b"a.py,,\n" + b"x" * 200_000 + b",,\nb.py,,\n", ["a.py"]),
        ("a\x85b.py,,\n".encode(), ["a\x85b.py"]),
    ],
    ids=["rows that are none", "a line's end in a name", "a null byte", "a field that is too long", "a next-line mark"],
)
def test_rows_of_a_record_that_are_none_are_left_out(record: bytes, paths: list[str]) -> None:
    assert [row.path for row in rows(record)] == paths


@pytest.mark.parametrize(("size", "read"), [("12", 12), ("", None), ("-1", None), ("9" * 5_000, None), ("1.0", None)])
def test_a_size_that_no_file_has_is_none(size: str, read: int | None) -> None:
    assert [row.size for row in rows(f"a.py,,{size}\n".encode())] == [read]


NAMES = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), min_size=1), max_size=5)
"""Without carriage returns, which the writer leaves bare where lines end without one."""


@given(NAMES)
def test_whatever_names_are_written_as_csv_are_read_again(names: list[str]) -> None:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([name, "", ""] for name in names)
    assert [row.path for row in rows(out.getvalue().encode())] == names


def test_a_row_that_leads_out_of_the_layer_has_no_place() -> None:
    (one,) = distributions(layer({f"{INFO}/RECORD": b"demo.py,,\n../bin/demo,,\n../../etc/x,,\n/etc/y,,\n"}))
    assert [path for path, _ in placed(one)] == ["python/demo.py", "bin/demo", "", ""]
    assert list(recorded(one)) == ["python/demo.py", "bin/demo"]


def test_a_file_belongs_to_who_lists_it_else_to_whose_folder_or_name_it_is() -> None:
    named = (f"{INFO.removeprefix('python/')}/top_level.txt,,\n").encode()
    tree = layer(
        {
            f"{INFO}/RECORD": b"demo/__init__.py,,\n" + named,
            f"{INFO}/top_level.txt": b"_extra\n",
            "python/demo/__init__.py": b"",
            "python/demo/__pycache__/__init__.cpython-313.pyc": b"",
            "python/demo/data.txt": b"",
            "python/demo_pkg.libs/x.so": b"",
            "python/_extra.so": b"",
            "python/stranger.py": b"",
        }
    )
    found = owners(tree.paths, distributions(tree), tree)
    assert set(tree.paths) - found.keys() == {"python/stranger.py"}
    assert set(found.values()) == {"demo-pkg"}
