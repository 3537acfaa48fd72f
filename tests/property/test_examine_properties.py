from __future__ import annotations

import contextlib
import os
import tempfile
import zipfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

import zips
from fakes import target
from layerforge.core import digest
from layerforge.core.errors import UsageError, VerificationError
from layerforge.examine.examination import Kind, Member
from layerforge.examine.examine import examine
from layerforge.examine.guess import guess_target
from layerforge.examine.summary import Share, summarize
from layerforge.examine.unpack import unpack
from layerforge.verify.imports import top_level_imports
from layerforge.verify.notes import notes
from layerforge.verify.rules import judge
from layerforge.verify.rules_table import Expect
from zips import Put

PARTS = st.text("ab.-_ é", min_size=1, max_size=6).filter(lambda part: part.strip(".") == part)
PATHS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
NAMES = st.text("ab./\\:\0\n", min_size=1, max_size=12)
CONTENTS = st.binary(max_size=300)

MEMBERS = st.builds(
    zips.a_member,
    PATHS,
    CONTENTS,
    kind=st.sampled_from(Kind),
    package=st.sampled_from(["", "a", "b"]),
    zipped=st.integers(0, 400),
)


def total(shares: tuple[Share, ...]) -> tuple[int, int, int]:
    return (
        sum(share.files for share in shares),
        sum(share.unzipped for share in shares),
        sum(share.zipped for share in shares),
    )


@given(st.lists(MEMBERS, max_size=12), st.integers(0, 10_000))
def test_every_byte_is_counted_once(members: list[Member], zipped: int) -> None:
    examination = zips.an_examination(*members, zipped=zipped)
    found = summarize(examination)
    whole = (found.total.files, found.total.unzipped, found.total.zipped)
    assert total(found.packages) == total(found.kinds) == whole
    assert whole[:2] == (len(members), examination.unzipped)
    assert found.total.zipped + found.overhead == zipped


@given(st.dictionaries(PATHS, CONTENTS, max_size=8))
def test_what_was_packed_is_what_is_found(files: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as name:
        found = examine(zips.of(Path(name) / "a.zip", files), target())
    assert {one.path: (one.size, one.sha256) for one in found.members} == {
        path: (len(data), digest.sha256(data)) for path, data in files.items()
    }
    assert found.unzipped == sum(map(len, files.values()))


@given(st.dictionaries(PATHS, CONTENTS, min_size=1, max_size=6))
def test_equal_contents_have_equal_digests_in_any_order_and_compression(files: dict[str, bytes]) -> None:
    packed = [Put(name=path, data=data) for path, data in files.items()]
    stored = [Put(name=path, data=data, method=zipfile.ZIP_STORED) for path, data in reversed(files.items())]
    with tempfile.TemporaryDirectory() as name:
        one = examine(zips.write(Path(name) / "a.zip", packed), target())
        other = examine(zips.write(Path(name) / "b.zip", stored), target())
    assert one.content_sha256 == other.content_sha256


def a_layer(folder: Path) -> bytes:
    puts = [Put(name=name, data=data) for name, data in zips.sound().items()]
    rest = [zips.link("lib/a.so", "../python/pkg"), zips.folder("lib/"), Put(name="lib/b.so", data=b"\x7fELF\2\1\1")]
    return zips.write(folder / "sound.zip", [*puts, *rest]).read_bytes()


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    st.floats(0, 1),
    st.booleans(),
)
def test_a_damaged_zip_is_either_read_or_refused_with_a_reason(
    changes: list[tuple[float, int]], end: float, cut: bool
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = bytearray(a_layer(folder))
        for place, value in changes:
            data[int(place * len(data))] = value
        path = folder / "a.zip"
        path.write_bytes(data[: int(end * len(data))] if cut else data)
        with contextlib.suppress(UsageError, VerificationError):
            examination = examine(path)
            held = Expect(target=guess_target(examination))
            judge(examination, held), notes(examination, held), top_level_imports(examination)
            assert summarize(examination).total.files == len(examination.members)
            unpack(path, folder / "opt")


PUTS = st.one_of(
    st.builds(lambda name, data: Put(name=name, data=data), NAMES | PATHS, CONTENTS),
    st.builds(zips.link, NAMES | PATHS, NAMES | st.sampled_from(["..", "../..", "/", "a/..", "/opt/a", "../../a"])),
)


@settings(max_examples=300)
@given(st.lists(PUTS, min_size=1, max_size=5))
def test_nothing_is_ever_written_outside_the_folder(puts: list[Put]) -> None:
    with tempfile.TemporaryDirectory() as name:
        outer = Path(name).resolve()
        path = zips.write(outer / "a.zip", puts)
        opt = outer / "deep" / "opt"
        try:
            unpack(path, opt)
        except VerificationError:
            refused = True
        else:
            refused = False
        assert {one.name for one in outer.iterdir()} <= {"a.zip", "deep"}
        assert not (outer / "deep").exists() or {one.name for one in (outer / "deep").iterdir()} <= {"opt"}
        for base, folders, files in os.walk(opt):
            for one in (*folders, *files):
                assert refused or Path(os.path.realpath(Path(base) / one)).is_relative_to(opt)
