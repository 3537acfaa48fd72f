"""What differs between two layers: counted once, largest growth first."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import a_manifest, target
from layerforge.core.findings import Finding, Severity
from layerforge.examine.examination import Kind, Member
from layerforge.layer.distributions import Distribution
from layerforge.layer.tree import Package
from layerforge.report import diff_data
from layerforge.report.diff import ChangedPart, Delta, Side, compare
from layerforge.report.growth import GrowthLimit, growth_beyond
from layerforge.resolve.recipe import Budget, Bytecode, BytecodeMode
from zips import a_member, an_examination

WARNED = Finding(rule="LF202", severity=Severity.WARNING, path="", message="7 files", hint="h")


def a_side(*members: Member, versions: Iterable[tuple[str, str]] = (), **facts: Any) -> Side:
    found = [
        Distribution(name=name, version=version, info=f"python/{name}-{version}.dist-info", record=None)
        for name, version in versions
    ]
    seen = an_examination(*members, distributions=found)
    # As examine would tell them apart.
    text = repr([(one.path, one.sha256, one.mode) for one in seen.members])
    seen = replace(seen, sha256=facts.pop("sha256", text), content_sha256=text)
    return replace(Side(target=target(), examination=seen, findings=()), **facts)


def once(times: dict[int, float]) -> Side:
    return a_side(init_ms={size: (ms,) for size, ms in times.items()})


def names(parts: Iterable[ChangedPart]) -> list[tuple[str, str, str, float]]:
    return [(one.name, one.before, one.after, one.unzipped.change) for one in parts]


# --- packages and files


def test_packages_are_added_removed_and_changed_with_the_largest_growth_first() -> None:
    old = a_side(
        a_member("python/a/x.py", b"1" * 10, package="a"),
        a_member("python/b/x.py", b"2" * 20, package="b"),
        a_member("python/same/x.py", b"3", package="same"),
        versions=[("a", "1.0"), ("b", "1.0"), ("same", "1.0")],
    )
    new = a_side(
        a_member("python/a/x.py", b"1" * 15, package="a"),
        a_member("python/c/x.py", b"4" * 30, package="c"),
        a_member("python/same/x.py", b"3", package="same"),
        versions=[("a", "1.1"), ("c", "2.0"), ("same", "1.0")],
    )
    found = compare(old, new)
    assert names(found.packages) == [("c", "", "2.0", 30), ("a", "1.0", "1.1", 5), ("b", "1.0", "", -20)]
    assert [diff_data.status(one) for one in found.packages] == ["added", "changed", "removed"]
    assert (found.unzipped.change, found.count.change) == (15, 0)


def test_a_package_that_was_only_compiled_anew_keeps_its_version_and_is_told() -> None:
    old = a_side(a_member("python/a/x.so", b"one", package="a"), versions=[("a", "1.0")])
    new = a_side(a_member("python/a/x.so", b"two", package="a"), versions=[("a", "1.0")])
    assert names(compare(old, new).packages) == [("a", "1.0", "1.0", 0)]


def test_files_without_a_package_are_told_too() -> None:
    found = compare(a_side(), a_side(a_member("lib/libx.so.1", b"12345", package="")))
    assert names(found.packages) == [("", "", "unknown", 5)]
    assert names(found.files) == [("", "", "lib/libx.so.1", 5)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("python/demo-1.0.dist-info/METADATA", "python/demo-2.0.dist-info/METADATA"),
        ("python/demo.libs/libx-4b78795a.so.1", "python/demo.libs/libx-5f890258.so.1"),
        ("python/demo/a.cpython-312-x86_64-linux-gnu.so", "python/demo/a.cpython-313-aarch64-linux-gnu.so"),
        ("python/demo/__pycache__/a.cpython-312.pyc", "python/demo/__pycache__/a.cpython-313.opt-1.pyc"),
        ("python/demo/__pycache__/a.cpython-313.pyc", "python/demo/a.pyc"),
    ],
)
def test_a_file_whose_name_tells_of_another_build_is_the_same_file(before: str, after: str) -> None:
    [part] = compare(a_side(a_member(before, b"1")), a_side(a_member(after, b"22"))).files
    assert (part.before, part.after, part.unzipped.change) == (before, after, 1)


def test_files_are_not_taken_for_one_another_where_several_would_do() -> None:
    old = a_side(a_member("python/x.libs/libx-4b78795a.so", b"1"))
    new = a_side(a_member("python/x.libs/libx-5f890258.so", b"1"), a_member("python/x.libs/libx-6f890258.so", b"2"))
    assert sorted(diff_data.status(one) for one in compare(old, new).files) == ["added", "added", "removed"]


def test_a_file_that_was_only_made_executable_is_told() -> None:
    old, new = a_member("bin/x", b"1"), a_member("bin/x", b"1", mode=0o100755)
    assert names(compare(a_side(old), a_side(new)).files) == [("pkg", "bin/x", "bin/x", 0)]


def test_the_same_bytes_have_no_changes() -> None:
    side = a_side(a_member("python/a.py", b"1"), findings=(WARNED,))
    found = compare(side, side)
    assert found.same_bytes
    assert (found.packages, found.kinds, found.files, found.new, found.gone, found.made) == ((), (), (), (), (), ())


def test_the_same_files_in_another_zip_are_known_as_such() -> None:
    one, other = (a_side(a_member("python/a.py", b"1"), sha256=sha256) for sha256 in ("a", "b"))
    found = compare(one, other)
    assert (found.same_bytes, found.same_content) == (False, True)


# --- findings, times, circumstances


def test_findings_are_new_or_gone_by_what_they_are_about_and_not_by_their_numbers() -> None:
    same = replace(WARNED, message="9 files")
    worse = replace(WARNED, severity=Severity.ERROR)
    before = replace(WARNED, rule="LF206", path="python/a-1.0.dist-info/RECORD")
    after = replace(before, path="python/a-1.1.dist-info/RECORD")
    found = compare(a_side(findings=(WARNED, before)), a_side(findings=(same, worse, after)))
    assert (found.new, found.gone) == ((worse,), ())


def test_of_several_findings_alike_only_the_additional_ones_are_new() -> None:
    found = compare(a_side(findings=(WARNED,)), a_side(findings=(WARNED, WARNED, WARNED)))
    assert len(found.new) == 2
    assert len(compare(a_side(findings=(WARNED, WARNED)), a_side()).gone) == 2


@pytest.mark.parametrize(
    ("before", "after", "size", "change"),
    [
        ({512: 2000.0, 1769: 1000.0, 3008: 900.0}, {512: 1.0, 1769: 1500.0, 3008: 2.0}, 1769, 500.0),
        ({512: 2000.0, 1024: 1500.0}, {512: 1.0, 1024: 1000.0, 1769: 3.0}, 1024, -500.0),
    ],
)
def test_init_times_are_held_against_each_other_at_one_size(
    before: dict[int, float], after: dict[int, float], size: int, change: float
) -> None:
    found = compare(once(before), once(after)).init
    assert found is not None
    assert (found.memory_mb, found.ms.change, found.in_turns) == (size, change, False)


def test_without_a_common_size_no_times_are_compared() -> None:
    assert compare(once({512: 1.0}), once({1024: 1.0})).init is None


@pytest.mark.parametrize(
    ("after", "overlap"),
    [((7.0, 9.9, 8.0), False), ((7.0, 10.0, 8.0), True), ((13.0, 12.1), False), ((9.0, 99.0), True)],
)
def test_init_times_that_overlap_are_known_as_such(after: tuple[float, ...], overlap: bool) -> None:
    before = {1769: (10.0, 12.0, 11.0)}
    found = compare(a_side(init_ms=before), a_side(init_ms={1769: after}), in_turns=True).init
    assert found is not None
    assert (found.overlap, found.in_turns, found.ms.before) == (overlap, True, 11.0)


def test_how_the_layers_were_made_is_told_where_it_differs() -> None:
    numpy = Package(name="numpy", version="2", info="i")
    old = a_side(manifest=a_manifest(numpy))
    new = a_side(
        manifest=a_manifest(replace(numpy, origin="compiled"), bytecode=Bytecode(mode=BytecodeMode.ONLY)),
        target=target("3.12"),
    )
    told = {one.name: (one.before, one.after) for one in compare(old, new).made}
    assert told == {
        "Python": ("3.13", "3.12"),
        "bytecode": ("beside", "only"),
        "columns": ("keep", "drop"),
        "origin of numpy": ("wheel", "compiled"),
    }


def test_a_layer_without_a_manifest_tells_nothing_of_its_making() -> None:
    assert compare(a_side(), a_side(manifest=a_manifest())).made == ()


def test_compiled_libraries_have_their_version_from_the_manifest() -> None:
    blas = Package(name="openblas", version="0.3.29", info="", origin="compiled")
    old, new = a_manifest(blas), a_manifest(replace(blas, version="0.3.30"))
    assert names(compare(a_side(manifest=old), a_side(manifest=new)).packages) == [("openblas", "0.3.29", "0.3.30", 0)]


# --- gates


@pytest.mark.parametrize(
    ("limit", "after", "fails"),
    [
        (GrowthLimit(share=0.02), 1020, False),
        (GrowthLimit(share=0.02), 1021, True),
        (GrowthLimit(size=0), 1000, False),
        (GrowthLimit(size=0), 1001, True),
        (GrowthLimit(size=500), 1500, False),
        (GrowthLimit(size=500), 1501, True),
        (GrowthLimit(share=0.0), 900, False),
    ],
)
def test_growth_is_refused_beyond_the_limit_alone(limit: GrowthLimit, after: int, fails: bool) -> None:
    assert limit.allows(Delta(before=1000, after=after)) is not fails


@pytest.mark.parametrize(
    ("limit", "text"),
    [(GrowthLimit(share=0.02), "2%"), (GrowthLimit(share=0.025), "2.5%"), (GrowthLimit(size=500_000), "500.0 kB")],
)
def test_a_limit_is_told_as_it_was_given(limit: GrowthLimit, text: str) -> None:
    assert limit.text == text


def test_either_size_can_be_what_grew() -> None:
    old, new = a_side(a_member("a", b"1" * 100)), a_side(a_member("a", b"1" * 100, zipped=110))
    new = replace(new, examination=replace(new.examination, zipped=110))
    assert [name for name, _ in growth_beyond(compare(old, new), GrowthLimit(share=0.05))] == ["zipped"]


def test_a_size_above_the_budget_is_named() -> None:
    seen = an_examination(a_member("a", b"1" * 100))
    assert Budget(unzipped=99, zipped=100).exceeded(seen.unzipped, seen.zipped) == (("unzipped", 100, 99),)
    assert Budget().exceeded(seen.unzipped, seen.zipped) == ()


# --- every byte once


def layers() -> st.SearchStrategy[Side]:
    paths = st.sampled_from(
        ["python/a/x.py", "python/a-1.dist-info/M", "python/a-2.dist-info/M", "python/b/x.so", "lib/x.so"]
        + [f"python/b.libs/liby-{number * 8}.so" for number in "123"]
    )
    members = st.builds(
        lambda path, data, package, kind: a_member(path, data, package=package, kind=kind),
        path=paths,
        data=st.binary(max_size=9),
        package=st.sampled_from(["", "a", "b"]),
        kind=st.sampled_from(Kind),
    )
    return st.lists(members, unique_by=lambda one: one.path).map(lambda found: a_side(*found))


@given(old=layers(), new=layers())
def test_every_byte_of_change_is_counted_once(old: Side, new: Side) -> None:
    found = compare(old, new)
    for parts in (found.packages, found.kinds, found.files):
        assert sum(one.unzipped.change for one in parts) == found.unzipped.change
        assert sum(one.files.change for one in parts) == found.count.change


@given(old=layers(), new=layers())
def test_the_way_back_is_the_opposite(old: Side, new: Side) -> None:
    there, back = compare(old, new), compare(new, old)
    assert there.unzipped.change == -back.unzipped.change
    assert {(one.before, one.after) for one in there.files} == {(one.after, one.before) for one in back.files}


@given(old=layers(), new=layers())
def test_the_data_is_plain_json_with_the_same_sums(old: Side, new: Side) -> None:
    data = json.loads(json.dumps(diff_data.as_data(compare(old, new))))
    assert sum(one["unzipped"]["change"] for one in data["changed_files"]) == data["unzipped_bytes"]["change"]
    growth = [one["unzipped"]["change"] for one in data["packages"]]
    assert growth == sorted(growth, reverse=True)
