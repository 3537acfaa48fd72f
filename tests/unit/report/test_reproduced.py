"""Two makings of a layer, held against each other: which step differs first, in which files, and what is said of it."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from builders import IMAGE, a_library
from fakes import FakeStore, target
from layerforge.build.packed import pack
from layerforge.build.plan import BUILT, Plan, SourceStep, Toolchain, plan
from layerforge.build.work import sources_of
from layerforge.core import digest
from layerforge.report.reproduced import Differences, compare, refusal
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import Compression


@pytest.fixture
def planned() -> Plan:
    """A plan in which c needs b, which needs a; d stands alone."""
    libraries = a_library("c", "b"), a_library("b", "a"), a_library("a"), a_library("d")
    spec = LayerSpec(name="demo", requires=("demo",), libraries=libraries)
    return plan(spec, target(), (), Compression.FAST, None, 0, Toolchain(image=IMAGE, build_pins={}))


def packed(folder: Path, files: Mapping[str, bytes]) -> bytes:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return pack(folder, "step")


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, compress_type=method)
    return buffer.getvalue()


def steps(planned: Plan) -> dict[str, SourceStep]:
    return sources_of(planned)


def store(planned: Plan, folder: Path, **files: Mapping[str, bytes]) -> FakeStore:
    """A store with a result of each step, of these files or of one that is always the same."""
    values = {}
    for name, step in steps(planned).items():
        values[BUILT, step.key] = packed(folder / name, files.get(name, {"lib/x.so": b"the same"}))
    return FakeStore(values=values)


def compared(planned: Plan, tmp_path: Path, **files: Mapping[str, bytes]) -> Differences:
    """What differs where the second making gave these files."""
    first, second = store(planned, tmp_path / "first"), store(planned, tmp_path / "second", **files)
    return compare(planned, first, second, {}, {})


def test_the_same_bytes_make_no_difference(planned: Plan, tmp_path: Path) -> None:
    files = {"demo.zip": zipped({"a": b"1"}), "demo.lock": b"demo==1"}
    first, second = store(planned, tmp_path / "first"), store(planned, tmp_path / "second")
    assert compare(planned, first, second, files, dict(files)) == Differences(steps=(), files=())


def test_what_is_made_of_a_step_that_differs_is_not_named_with_it(planned: Plan, tmp_path: Path) -> None:
    other = {"lib/x.so": b"another"}
    found = compared(planned, tmp_path, a=other, b=other, c=other)
    assert [part.name for part in found.steps] == ["a"]
    assert {part.name for part in compared(planned, tmp_path / "2", c=other, d=other).steps} == {"c", "d"}


def test_the_files_of_a_step_that_differ_are_named_with_both_digests(planned: Plan, tmp_path: Path) -> None:
    [part] = compared(planned, tmp_path, d={"lib/x.so": b"the same", "lib/more": b"1"}).steps
    assert [(one.path, one.first, one.second) for one in part.members] == [
        ("lib/more", "not there", digest.sha256(b"1"))
    ]
    [part] = compared(planned, tmp_path / "2", d={"lib/x.so": b"another"}).steps
    assert [(one.path, one.first, one.second) for one in part.members] == [
        ("lib/x.so", digest.sha256(b"the same"), digest.sha256(b"another"))
    ]
    assert part.digests.first != part.digests.second


def test_what_is_no_file_is_told_as_what_it_is(planned: Plan, tmp_path: Path) -> None:
    for place, name in (("1", "liba.so.1"), ("2", "liba.so.2")):
        folder = tmp_path / place / "d" / "lib"
        folder.mkdir(parents=True)
        (folder / "liba.so").symlink_to(name)
    first, second = store(planned, tmp_path / "1"), store(planned, tmp_path / "2")
    [part] = compare(planned, first, second, {}, {}).steps
    assert [(one.path, one.first, one.second) for one in part.members] == [
        ("lib/liba.so", "a link to liba.so.1", "a link to liba.so.2")
    ]


def test_the_files_within_the_wheel_of_a_step_are_named(planned: Plan, tmp_path: Path) -> None:
    wheels = [{"demo-1-py3-none-any.whl": zipped({"demo.py": code, "same.py": b""})} for code in (b"1", b"2")]
    first, second = (store(planned, tmp_path / str(number), d=files) for number, files in enumerate(wheels))
    [part] = compare(planned, first, second, {}, {}).steps
    assert [one.path for one in part.members] == ["demo-1-py3-none-any.whl/demo.py"]


def test_a_file_that_only_calls_itself_a_wheel_is_named_itself(planned: Plan, tmp_path: Path) -> None:
    first, second = (store(planned, tmp_path / text, d={"demo.whl": text.encode()}) for text in ("one", "two"))
    [part] = compare(planned, first, second, {}, {}).steps
    assert [one.path for one in part.members] == ["demo.whl"]


def test_a_file_of_the_zip_that_differs_is_named_and_another_one_by_its_digest(planned: Plan) -> None:
    first = {"demo.zip": zipped({"a": b"1", "b": b""}), "demo.sbom.json": b"{}", "demo.lock": b""}
    second = {"demo.zip": zipped({"a": b"2", "b": b""}), "demo.sbom.json": b"{ }", "demo.lock": b""}
    found = compare(planned, FakeStore(), FakeStore(), first, second)
    assert [(part.name, [one.path for one in part.members]) for part in found.files] == [
        ("demo.sbom.json", []),
        ("demo.zip", ["a"]),
    ]


def told(planned: Plan, first: Mapping[str, bytes], second: Mapping[str, bytes]) -> tuple[str, ...]:
    return refusal(planned, compare(planned, FakeStore(), FakeStore(), first, second), "/aside").details


def test_a_zip_that_is_packed_otherwise_is_said_to_be(planned: Plan) -> None:
    data = {"a": b"1" * 100}
    first, second = zipped(data), zipped(data, zipfile.ZIP_DEFLATED)
    assert told(planned, {"demo.zip": first}, {"demo.zip": second}) == (
        f"demo.zip: {digest.sha256(first)[:12]}, then {digest.sha256(second)[:12]}",
        "  the files in it are the same, but not how they are packed",
    )


def test_no_more_files_are_told_than_anybody_reads(planned: Plan) -> None:
    first, second = (zipped({f"{number:02}": text for number in range(20)}) for text in (b"1", b"2"))
    lines = told(planned, {"demo.zip": first}, {"demo.zip": second})
    assert lines[1] == f"  00: {digest.sha256(b'1')[:12]}, then {digest.sha256(b'2')[:12]}"
    assert (len(lines), lines[-1]) == (14, "  and 8 more files")


def test_the_error_names_the_step_to_blame_and_where_both_results_lie(planned: Plan, tmp_path: Path) -> None:
    error = refusal(planned, compared(planned, tmp_path, a={"lib/x.so": b"another"}), "/aside")
    assert (error.exit_code, error.title) == (6, "build")
    assert error.message == "the layer demo is not reproducible: made twice, a came out in two ways"
    assert "look for the time, random numbers" in error.hint
    assert "/aside" in error.hint
    assert [line.partition(":")[0] for line in error.details] == ["the step a", "  lib/x.so"]


def test_where_no_step_differs_none_is_blamed(planned: Plan) -> None:
    found = compare(planned, FakeStore(), FakeStore(), {"demo.zip": zipped({})}, {"demo.zip": zipped({"a": b""})})
    error = refusal(planned, found, "/aside")
    assert "its files came out in two ways" in error.message
    assert "no step is to blame" in error.hint


def test_an_executable_file_is_another_than_one_that_is_not(planned: Plan, tmp_path: Path) -> None:
    plain = store(planned, tmp_path / "plain")
    (tmp_path / "other/d/lib").mkdir(parents=True)
    (tmp_path / "other/d/lib/x.so").touch(0o755)
    [part] = compare(planned, plain, store(planned, tmp_path / "other"), {}, {}).steps
    with tarfile.open(fileobj=io.BytesIO(plain.values[BUILT, part.key])) as tar:
        assert "lib/x.so" in tar.getnames()
    assert [one.told for one in part.members] == [
        f"lib/x.so: {digest.sha256(b'the same')[:12]}, then {digest.sha256(b'the same')[:12]}, executable"
    ]
