from __future__ import annotations

import errno
import io
import os
import py_compile
import re
import resource
import stat
import struct
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

import zips
from fakes import target
from layerforge.core import digest
from layerforge.core.errors import UsageError, VerificationError
from layerforge.core.paths import DEEPEST
from layerforge.core.runtimes import Arch
from layerforge.examine import limits, zip_content, zip_directory
from layerforge.examine.examination import Examination, Kind, Member
from layerforge.examine.examine import examine
from layerforge.examine.guess import guess_target
from layerforge.examine.summary import summarize
from layerforge.examine.unpack import unpack
from layerforge.examine.zip_directory import MOST_BYTES, PIECE
from layerforge.layer import distributions
from layerforge.layer.pyc import PycState
from zips import Put, link


def only(examination: Examination) -> Member:
    (member,) = examination.members
    return member


def by_path(examination: Examination) -> dict[str, Member]:
    return {member.path: member for member in examination.members}


# --- what is there ---------------------------------------------------------------------------------------------------


def test_a_file_has_its_mode_sizes_and_digest(tmp_path: Path) -> None:
    path = zips.write(tmp_path / "a.zip", [Put(name="bin/tool", data=b"x" * 5000, mode=0o100755)])
    member = only(examine(path))
    assert (member.mode, member.size, member.sha256) == (0o100755, 5000, digest.sha256(b"x" * 5000))
    assert 0 < member.zipped < 100


def test_totals_are_those_of_the_zip_and_of_its_files(tmp_path: Path) -> None:
    path = zips.of(tmp_path / "a.zip", {"python/a.py": b"a = 1\n", "python/b.txt": b"bb"})
    found = examine(path)
    assert (found.zipped, found.unzipped) == (path.stat().st_size, 8)
    assert found.sha256 == digest.sha256(path.read_bytes())


def test_members_are_sorted_by_path_whatever_the_order_in_the_zip(tmp_path: Path) -> None:
    path = zips.of(tmp_path / "a.zip", {"python/z.py": b"", "lib/x": b"large" * 99, "python/a.py": b""})
    assert [member.path for member in examine(path).members] == ["lib/x", "python/a.py", "python/z.py"]


def test_a_link_is_its_target_and_not_what_that_holds(tmp_path: Path) -> None:
    path = zips.write(tmp_path / "a.zip", [Put(name="lib/liba.so.1", data=b"/* GNU ld"), link("lib/a", "liba.so.1")])
    member = by_path(examine(path))["lib/a"]
    assert (member.link, member.size, member.sha256) == ("liba.so.1", 9, digest.sha256(b"liba.so.1"))
    assert stat.S_ISLNK(member.mode)


def test_entries_for_folders_are_kept_apart_from_files(tmp_path: Path) -> None:
    path = zips.write(tmp_path / "a.zip", [zips.folder("python/", 0o700), Put(name="python/a.py")])
    found = examine(path)
    assert only(found).path == "python/a.py"
    assert [(one.path, stat.S_IMODE(one.mode)) for one in found.folders] == [("python/", 0o700)]


def test_a_zip_from_windows_has_no_modes(tmp_path: Path) -> None:
    path = zips.write(tmp_path / "a.zip", [Put(name="python/a.py", system=zips.WINDOWS)])
    assert only(examine(path)).mode == 0


def test_permissions_without_a_file_type_are_those_of_a_file(tmp_path: Path) -> None:
    assert only(examine(zips.write(tmp_path / "a.zip", [Put(name="a", mode=0o644)]))).mode == 0o100644


def test_a_leading_dot_folder_is_no_part_of_the_name(tmp_path: Path) -> None:
    member = only(examine(zips.write(tmp_path / "a.zip", [zips.folder("./"), Put(name="./python/a.py")])))
    assert (member.path, member.unsafe) == ("python/a.py", "")


def test_names_in_utf8_are_read_whether_flagged_or_not(tmp_path: Path) -> None:
    path = zips.of(tmp_path / "a.zip", {"python/größe.txt": b""})
    zips.patch(path, "python/größe.txt", 8, b"\0\0")
    assert only(examine(path)).path == "python/größe.txt"


def test_content_digest_is_that_of_modes_contents_and_paths_alone(tmp_path: Path) -> None:
    puts = [Put(name="python/a.py", data=b"a" * 999), link("lib/l.so", "x")]
    stored = [Put(name=put.name, data=put.data, mode=put.mode, method=zipfile.ZIP_STORED) for put in reversed(puts)]
    one, other = (examine(zips.write(tmp_path / f"{n}.zip", rows)) for n, rows in enumerate((puts, stored)))
    assert one.sha256 != other.sha256
    assert one.content_sha256 == other.content_sha256
    rows = [(0o100644, digest.sha256(b"a" * 999), "python/a.py"), (0o120777, digest.sha256(b"x"), "lib/l.so")]
    assert one.content_sha256 == digest.of_contents(rows)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("python/a.py", Kind.PYTHON),
        ("python/a.pyi", Kind.PYTHON),
        ("python/a-1.dist-info/licenses/setup.py", Kind.METADATA),
        ("python/a/x.json", Kind.DATA),
        ("python/a/README", Kind.DATA),
    ],
)
def test_kinds_come_from_the_name(path: str, kind: Kind, tmp_path: Path) -> None:
    assert only(examine(zips.of(tmp_path / "a.zip", {path: b"x"}))).kind is kind


# --- native code -----------------------------------------------------------------------------------------------------


def test_a_library_has_its_elf_facts_whatever_it_is_called(tmp_path: Path) -> None:
    built = zips.library(tmp_path / "liba.so", soname="liba.so.1")
    member = only(examine(zips.of(tmp_path / "a.zip", {"lib/anything": built.read_bytes()})))
    assert member.kind is Kind.NATIVE
    assert member.elf is not None
    assert member.elf.soname == "liba.so.1"


def test_a_truncated_library_is_damaged(tmp_path: Path) -> None:
    built = zips.library(tmp_path / "liba.so")
    member = only(examine(zips.of(tmp_path / "a.zip", {"lib/liba.so": built.read_bytes()[:200]})))
    assert member.kind is Kind.NATIVE
    assert member.elf is None
    assert "cut short" in member.damaged


def test_a_library_that_is_text_is_damaged_unless_it_is_a_linker_script(tmp_path: Path) -> None:
    files = {"lib/a.so": b"version https://git-lfs", "lib/b.so": b"/* GNU ld script */ INPUT(-lc)"}
    found = by_path(examine(zips.of(tmp_path / "a.zip", files)))
    assert found["lib/a.so"].damaged
    assert not found["lib/b.so"].damaged


def test_libraries_of_macos_and_windows_are_told_apart(tmp_path: Path) -> None:
    files = {"python/_a.cpython-313-darwin.so": b"\xcf\xfa\xed\xfe rest", "python/_a.cp313-win_amd64.pyd": b"MZ rest"}
    found = examine(zips.of(tmp_path / "a.zip", files))
    assert {member.foreign for member in found.members} == {"Mach-O", "PE"}
    assert {member.kind for member in found.members} == {Kind.NATIVE}


# --- bytecode --------------------------------------------------------------------------------------------------------

NAME, OLD = "python/__pycache__/m.cpython-311.pyc", 1_600_000_001


def stamped(seconds: int) -> bytes:
    made = zips.pyc(zips.SOURCE, "/opt/python/m.py", py_compile.PycInvalidationMode.TIMESTAMP)
    return made[:8] + seconds.to_bytes(4, "little") + made[12:]


@pytest.mark.parametrize(("extra", "state"), [(zips.timestamp(OLD), PycState.VALID), (b"", PycState.STALE)])
def test_timestamp_bytecode_is_valid_only_where_the_zip_keeps_the_odd_second(
    extra: bytes, state: PycState, tmp_path: Path
) -> None:
    date = (2020, 9, 13, 12, 26, 40)
    source = Put(name="python/m.py", data=zips.SOURCE, date=date, extra=extra)
    found = examine(zips.write(tmp_path / "a.zip", [source, Put(name=NAME, data=stamped(OLD))]), target("3.11"))
    pyc = by_path(found)[NAME].pyc
    assert pyc is not None
    assert pyc.state is state


def test_bytecode_is_held_against_the_target_that_is_given(tmp_path: Path) -> None:
    path = zips.of(tmp_path / "a.zip", zips.sound())
    pyc = by_path(examine(path, target("3.12")))[zips.CACHED].pyc
    assert pyc is not None
    assert pyc.state is PycState.FOREIGN


def test_bytecode_is_held_against_the_guessed_python_otherwise(tmp_path: Path) -> None:
    files = {"python/m.pyc": zips.unchecked(zips.SOURCE, "/opt/python/m.py")}
    pyc = only(examine(zips.of(tmp_path / "a.zip", files))).pyc
    assert pyc is not None
    assert pyc.state is PycState.VALID


WITNESS = """
import sys
from pathlib import Path
from layerforge.examine.examine import examine

compiled = []
sys.addaudithook(lambda event, args: compiled.append(str(args[1])) if event == "compile" else None)
compile("1", "witness", "eval")
examine(Path(sys.argv[1]))
print(sorted(name for name in compiled if name.startswith(("witness", "python/", "/opt/"))))
"""


def test_no_source_of_an_archive_is_ever_compiled(tmp_path: Path) -> None:
    # A few kB of zip may hold a module whose compilation takes gigabytes.
    path = zips.of(tmp_path / "a.zip", zips.sound() | {"python/pkg/bare.py": b"x=1\n", "python/pkg/no.py": b"{{ ("})
    done = subprocess.run([sys.executable, "-c", WITNESS, path], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "['witness']\n"


# --- packages --------------------------------------------------------------------------------------------------------


def test_a_distribution_has_its_name_version_and_record(tmp_path: Path) -> None:
    (one,) = examine(zips.of(tmp_path / "a.zip", zips.sound())).distributions
    assert (one.name, one.version, one.info) == ("pkg", "1.0", zips.INFO)
    assert one.record is not None
    assert one.record[0].sha256 == digest.sha256(zips.SOURCE)
    assert (one.record[0].path, one.record[0].size) == ("pkg/__init__.py", len(zips.SOURCE))


def test_a_distribution_without_metadata_has_the_name_of_its_folder(tmp_path: Path) -> None:
    (one,) = examine(zips.of(tmp_path / "a.zip", {"python/My_Pkg-2.0.dist-info/WHEEL": b""})).distributions
    assert (one.name, one.version, one.record) == ("my-pkg", "2.0", None)


def test_a_distribution_that_another_carries_inside_is_none(tmp_path: Path) -> None:
    names = ("pkg/_vendor/other-1", "lib/python3.11/site-packages/deep-1")
    files = zips.sound() | {f"python/{name}.dist-info/METADATA": b"" for name in names}
    assert [one.name for one in examine(zips.of(tmp_path / "a.zip", files)).distributions] == ["deep", "pkg"]


def test_a_broken_record_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    record = b'a.py,sha256=!!,x\nonly,two\n\n,,\nb\0.py,md5=1,7\n"' + b"x" * 200_000
    (one,) = examine(zips.of(tmp_path / "a.zip", {f"{zips.INFO}/RECORD": record})).distributions
    assert one.record is not None
    assert [(row.path, row.sha256, row.size) for row in one.record[:2]] == [("a.py", "", None), ("b.py", "", 7)]


def owner(path: str, tmp_path: Path, files: dict[str, bytes]) -> str:
    found = examine(zips.of(tmp_path / "a.zip", zips.sound() | files | {path: b"x"}))
    return by_path(found)[path].package


@pytest.mark.parametrize(
    "path",
    [
        "python/pkg/__init__.py",
        "python/pkg/left/over.txt",
        "python/pkg/__pycache__/gone.cpython-311.pyc",
        "python/pkg.libs/libx.txt",
        f"{zips.INFO}/REQUESTED",
    ],
)
def test_a_file_belongs_to_the_package_that_lists_it_or_whose_folder_it_lies_in(path: str, tmp_path: Path) -> None:
    assert owner(path, tmp_path, {}) == "pkg"


def test_a_file_belongs_to_the_package_that_names_its_top_level(tmp_path: Path) -> None:
    files = {"python/other-2.dist-info/METADATA": b"Name: other\n", "python/other-2.dist-info/top_level.txt": b"mod\n"}
    assert owner("python/mod/a.py", tmp_path, files) == "other"


def test_bytecode_belongs_to_the_package_that_lists_its_source(tmp_path: Path) -> None:
    files = {"python/one-1.dist-info/RECORD": b"six.py,,\n"}
    assert owner("python/__pycache__/six.cpython-311.pyc", tmp_path, files) == "one"


def test_a_file_that_no_package_brings_belongs_to_none(tmp_path: Path) -> None:
    assert owner("python/mine.py", tmp_path, {}) == ""


def test_a_program_belongs_to_the_package_whose_record_reaches_up_to_it(tmp_path: Path) -> None:
    record = {"python/tool-1.dist-info/RECORD": b"../bin/tool,,\n"}
    assert owner("bin/tool", tmp_path, record) == "tool"


def test_packages_are_known_too_where_the_layer_has_site_packages(tmp_path: Path) -> None:
    files = {
        name.replace("python/", "python/lib/python3.11/site-packages/"): data for name, data in zips.sound().items()
    }
    found = examine(zips.of(tmp_path / "a.zip", files))
    assert {member.package for member in found.members} == {"pkg"}


def test_packages_are_known_too_where_they_lie_in_the_root_by_mistake(tmp_path: Path) -> None:
    files = {name.removeprefix("python/"): data for name, data in zips.sound().items()}
    assert {member.package for member in examine(zips.of(tmp_path / "a.zip", files)).members} == {"pkg"}


# --- guessing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("paths", "python"),
    [
        (["python/a.cpython-312-x86_64-linux-gnu.so", "python/b/__pycache__/c.cpython-311.pyc"], "3.12"),
        (["python/lib/python3.10/site-packages/a.py"], "3.10"),
        (["python/b/__pycache__/c.cpython-314.pyc", "python/b/__pycache__/d.cpython-314.opt-1.pyc"], "3.14"),
        (["python/a.cpython-37m-x86_64-linux-gnu.so"], "3.13"),
        (["python/a.py"], "3.13"),
    ],
)
def test_the_python_of_a_layer_is_guessed_from_its_names(paths: list[str], python: str) -> None:
    assert guess_target(zips.an_examination(*map(zips.a_member, paths))).python == python


def test_the_processor_of_a_layer_is_that_of_most_of_its_libraries() -> None:
    machines = ("arm64", "arm64", "x86_64", "s390x")
    members = [zips.an_elf(f"lib/{number}.so", machine=name) for number, name in enumerate(machines)]
    assert guess_target(zips.an_examination(*members)).arch is Arch.ARM64


# --- dangerous and damaged -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"hello", b"\x1f\x8b tar"])
def test_what_is_no_zip_is_a_mistake_of_usage(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="not a zip"):
        examine(path)


def test_a_missing_zip_and_a_folder_are_mistakes_of_usage(tmp_path: Path) -> None:
    for path in (tmp_path / "none.zip", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            examine(path)


def test_a_zip_that_was_cut_short_is_damaged(tmp_path: Path) -> None:
    path = zips.of(tmp_path / "a.zip", {"python/a.py": b"x" * 100})
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(VerificationError, match="its end is missing"):
        examine(path)


def test_changed_contents_are_found_by_their_checksum(tmp_path: Path) -> None:
    path = zips.write(tmp_path / "a.zip", [Put(name="python/a.py", data=b"secret", method=zipfile.ZIP_STORED)])
    path.write_bytes(path.read_bytes().replace(b"secret", b"public"))
    with pytest.raises(VerificationError, match=r"python/a\.py is damaged"):
        examine(path)


@pytest.mark.parametrize("declared", [10, 1_000_000])
def test_no_entry_unpacks_to_more_or_less_than_it_declares(declared: int, tmp_path: Path) -> None:
    path = zips.of(tmp_path / "a.zip", {"python/a.bin": b"\0" * 500_000})
    zips.patch(path, "python/a.bin", 24, declared.to_bytes(4, "little"))
    with pytest.raises(VerificationError, match=r"python/a\.bin"):
        examine(path)


def test_a_zip_bomb_is_refused_by_its_numbers_before_it_is_read(tmp_path: Path) -> None:
    path = zips.of(tmp_path / "a.zip", {"python/a.bin": b"0", "python/b.bin": b"0"})
    zips.patch(path, "python/a.bin", 24, MOST_BYTES.to_bytes(4, "little"))
    with pytest.raises(VerificationError, match=rf"zip bomb: it declares 2 entries with {MOST_BYTES + 1:,} bytes"):
        examine(path)


def test_two_rows_for_the_same_bytes_are_refused(tmp_path: Path) -> None:
    plain = zips.of(tmp_path / "plain.zip", {"python/a.py": b"A = 1\n"}).read_bytes()
    count, size, at = struct.unpack_from("<HII", plain, len(plain) - 12)
    row, rest = plain[at : at + size], plain[at + size : -14]
    path = tmp_path / "layer.zip"
    path.write_bytes(plain[:at] + 3 * row + rest + struct.pack("<HHIIH", 3 * count, 3 * count, 3 * size, at, 0))
    with pytest.raises(VerificationError, match=r"'python/a\.py' and 'python/a\.py' overlap"):
        examine(path)


def test_too_many_entries_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("layerforge.examine.zip_directory.MOST_ENTRIES", 2)
    with pytest.raises(VerificationError, match="zip bomb: it declares 3 entries"):
        examine(zips.of(tmp_path / "a.zip", dict.fromkeys("abc", b"")))


def test_a_directory_beyond_all_measure_is_refused_without_reading_it(tmp_path: Path) -> None:
    path = zips.of(tmp_path / "a.zip", {"a": b""})
    data = bytearray(path.read_bytes())
    data[-10:-6] = (1 << 30).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(VerificationError, match="declares 1,073,741,824 bytes for its list of files"):
        examine(path)


def test_a_zip_above_the_limit_is_not_even_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.touch()
    os.truncate(path, MOST_BYTES + 1)  # sparse: it takes no space
    with pytest.raises(VerificationError, match="are not read"):
        examine(path)


def test_a_password_is_refused(tmp_path: Path) -> None:
    path = zips.patch(zips.of(tmp_path / "a.zip", {"python/a.py": b"x"}), "python/a.py", 8, b"\1\0")
    with pytest.raises(VerificationError) as caught:
        examine(path)
    assert caught.value.details == ("'python/a.py' is encrypted",)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compression_that_lambda_does_not_know_is_refused(method: int, tmp_path: Path) -> None:
    with pytest.raises(VerificationError) as caught:
        examine(zips.write(tmp_path / "a.zip", [Put(name="python/a.py", data=b"x" * 99, method=method)]))
    assert f"compressed by method {method}" in caught.value.details[0]


def test_a_header_that_names_another_file_than_the_directory_is_damage(tmp_path: Path) -> None:
    path = zips.of(tmp_path / "a.zip", {"python/a.py": b"x"})
    path.write_bytes(path.read_bytes().replace(b"python/a.py", b"python/b.py", 1))
    with pytest.raises(VerificationError, match="names another file"):
        examine(path)


def test_a_row_of_the_list_that_is_none_is_damage(tmp_path: Path) -> None:
    path = zips.of(tmp_path / "a.zip", {"python/a.py": b"x"})
    zips.patch(path, "python/a.py", 0, b"PX")
    with pytest.raises(VerificationError, match="is damaged"):
        examine(path)


def test_the_size_that_a_zip64_end_states_is_the_one_that_counts(tmp_path: Path) -> None:
    data = zips.of(tmp_path / "a.zip", {"a": b""}).read_bytes()
    at = len(data) - 22
    end64 = b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 1, 1, 1 << 40, 0)
    locator = b"PK\6\7" + struct.pack("<IQI", 0, at, 1)
    path = tmp_path / "b.zip"
    path.write_bytes(data[:at] + end64 + locator + data[at:])
    with pytest.raises(VerificationError, match=f"declares {1 << 40:,} bytes for its list of files"):
        examine(path)


def test_a_stored_entry_that_declares_another_size_is_damage(tmp_path: Path) -> None:
    put = Put(name="python/a.py", data=b"abc", method=zipfile.ZIP_STORED)
    path = zips.patch(zips.write(tmp_path / "a.zip", [put]), "python/a.py", 24, (5).to_bytes(4, "little"))
    with pytest.raises(VerificationError, match="is stored in 3 bytes but declares 5"):
        examine(path)


def test_an_entry_that_begins_at_no_header_is_damage(tmp_path: Path) -> None:
    path = zips.patch(zips.of(tmp_path / "a.zip", {"python/a.py": b"x"}), "python/a.py", 42, b"\1")
    with pytest.raises(VerificationError, match="no header where"):
        examine(path)


def test_an_entry_that_ends_behind_the_archive_is_damage(tmp_path: Path) -> None:
    path = zips.of(tmp_path / "a.zip", {"python/a.py": b"x"})
    zips.patch(path, "python/a.py", 20, (5_000).to_bytes(4, "little"))
    with pytest.raises(VerificationError, match="ends behind the end of the archive"):
        examine(path)


@pytest.mark.parametrize(("name", "words"), [("/", "is empty"), ("//", "is empty"), ("a\0b", "control characters")])
def test_a_name_that_no_file_can_have_is_unsafe(name: str, words: str) -> None:
    assert words in zip_directory.hazard(name)


def test_a_date_that_there_is_not_is_none(tmp_path: Path) -> None:
    path = zips.of(tmp_path / "a.zip", {"a": b""})
    zips.patch(path, "a", 14, b"\0\0")  # month and day
    with zip_content.opened(path) as data:
        [entry] = zip_directory.entries(data, path)
    assert entry.mtime == 0


def test_an_exact_date_is_found_behind_other_fields(tmp_path: Path) -> None:
    other = b"XX\x02\x00ab"
    path = zips.write(tmp_path / "a.zip", [Put(name="a", extra=other + zips.timestamp(1_700_000_001))])
    with zip_content.opened(path) as data:
        [entry] = zip_directory.entries(data, path)
    assert entry.mtime == 1_700_000_001


def test_files_are_read_by_their_names_while_the_archive_is_open(tmp_path: Path) -> None:
    files = {"python/a.py": b"a" * 5_000, "python/b.py": b""}
    with zip_content.reader(zips.of(tmp_path / "a.zip", files)) as read:
        assert {name: read(name) for name in files} == files


def test_what_is_read_in_pieces_is_what_is_read_at_once(tmp_path: Path) -> None:
    # Deflated so well that one piece of it unpacks to many.
    path = zips.of(tmp_path / "a.zip", {"python/a.bin": b"\0" * (3 * PIECE + 1)})
    with zip_content.opened(path) as data:
        [entry] = zip_directory.entries(data, path)
        found = list(zip_content.pieces(data, entry))
        assert b"".join(found) == zip_content.content(data, entry)
    assert max(map(len, found)) <= PIECE


def test_pieces_of_a_stream_that_ends_too_early_are_damage(tmp_path: Path) -> None:
    path = zips.of(tmp_path / "a.zip", {"python/a.bin": os.urandom(5_000)})
    zips.patch(path, "python/a.bin", 20, (100).to_bytes(4, "little"))
    with zip_content.opened(path) as data:
        [entry] = zip_directory.entries(data, path)
        with pytest.raises(VerificationError, match=r"python/a\.bin cannot be unpacked"):
            list(zip_content.pieces(data, entry))


@pytest.mark.parametrize("name", ["absent.zip", "folder", "file/below"])
def test_what_cannot_be_opened_is_told_with_the_systems_reason(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"cannot be read: (No such file|Is a directory|Not a directory)"):
        examine(tmp_path / name)


def test_a_link_with_an_endless_target_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VerificationError) as caught:
        examine(zips.write(tmp_path / "a.zip", [link("lib/a", "x" * 5000)]))
    assert "target of 5,000 bytes" in caught.value.details[0]


def test_a_name_longer_than_any_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VerificationError) as caught:
        examine(zips.of(tmp_path / "a.zip", {"a/" * 3000: b"x"}))
    assert "a name of" in caught.value.details[0]


UNSAFE = {
    "/etc/passwd": "absolute",
    "C:/windows": "absolute",
    "../up": "climbs",
    "python/../../up": "climbs",
    "python\\a.py": "backslashes",
    "python/a\0.py": "control",
    "python/a\n.py": "control",
    "python//a.py": "empty",
}


@pytest.mark.parametrize("name", UNSAFE)
def test_an_unsafe_name_is_kept_and_marked(name: str, tmp_path: Path) -> None:
    member = only(examine(zips.write(tmp_path / "a.zip", [Put(name=name, data=b"x")])))
    assert member.path == name
    assert UNSAFE[name] in member.unsafe


def test_a_name_that_stands_twice_is_marked_both_times(tmp_path: Path) -> None:
    found = examine(zips.write(tmp_path / "a.zip", [Put(name="a", data=b"1"), Put(name="a", data=b"22")]))
    assert [member.size for member in found.members] == [2, 1]
    assert all("more than once" in member.unsafe for member in found.members)


def test_an_archive_within_another_file_is_read_where_it_begins(tmp_path: Path) -> None:
    path = zips.of(tmp_path / "a.zip", {"python/a.py": b"x = 1\n"})
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())
    assert only(examine(path)).sha256 == digest.sha256(b"x = 1\n")


# --- unpacking -------------------------------------------------------------------------------------------------------


def test_unpacking_writes_files_with_their_modes_and_links_as_links(tmp_path: Path) -> None:
    puts = [Put(name="bin/tool", data=b"x", mode=0o100755), Put(name="lib/a.so.1"), link("lib/a.so", "a.so.1")]
    unpack(zips.write(tmp_path / "a.zip", puts), tmp_path / "opt")
    assert stat.S_IMODE((tmp_path / "opt/bin/tool").stat().st_mode) == 0o755
    assert str((tmp_path / "opt/lib/a.so").readlink()) == "a.so.1"


def test_unpacking_gives_files_the_dates_that_bytecode_may_be_bound_to(tmp_path: Path) -> None:
    puts = [Put(name="exact.py", extra=zips.timestamp(1_700_000_001)), Put(name="even.py"), Put(name="old.py")]
    puts[2] = replace(puts[2], date=(1980, 0, 0, 0, 0, 0))
    unpack(zips.write(tmp_path / "a.zip", puts), tmp_path / "opt")
    dates = {path.name: path.stat().st_mtime for path in (tmp_path / "opt").iterdir()}
    assert dates == {"exact.py": 1_700_000_001, "even.py": 1_714_979_290, "old.py": 0}


def test_unpacking_gives_files_without_a_mode_the_usual_one(tmp_path: Path) -> None:
    unpack(zips.write(tmp_path / "a.zip", [Put(name="a", system=zips.WINDOWS)]), tmp_path / "opt")
    assert stat.S_IMODE((tmp_path / "opt/a").stat().st_mode) == 0o644


def test_unpacking_drops_the_set_user_id_bit(tmp_path: Path) -> None:
    unpack(zips.write(tmp_path / "a.zip", [Put(name="a", mode=0o104755)]), tmp_path / "opt")
    assert stat.S_IMODE((tmp_path / "opt/a").stat().st_mode) == 0o755


def test_unpacking_turns_a_link_below_opt_into_one_within_the_folder(tmp_path: Path) -> None:
    puts = [Put(name="lib/a.so", data=b"1"), link("python/pkg/a.so", "/opt/lib/a.so")]
    unpack(zips.write(tmp_path / "a.zip", puts), tmp_path / "opt")
    assert str((tmp_path / "opt/python/pkg/a.so").readlink()) == "../../lib/a.so"


@pytest.mark.parametrize("name", UNSAFE)
def test_unpacking_writes_nothing_of_an_archive_with_an_unsafe_name(name: str, tmp_path: Path) -> None:
    path = zips.write(tmp_path / "a.zip", [Put(name="fine"), Put(name=name)])
    with pytest.raises(VerificationError, match="not unpacked"):
        unpack(path, tmp_path / "opt")
    assert not (tmp_path / "opt").exists()


@pytest.mark.parametrize(
    "puts",
    [
        [link("a", "/etc/passwd")],
        [link("a", "../outside")],
        [link("python/a", "b/../../../outside")],
        [Put(name="python/x/y"), link("a/d", "../python/x"), link("e", "a/d/../../../outside")],
        [link("a", "../../.."), link("a/b", "c")],
    ],
)
def test_unpacking_refuses_links_that_leave_the_folder(puts: list[Put], tmp_path: Path) -> None:
    path = zips.write(tmp_path / "a.zip", puts)
    with pytest.raises(VerificationError):
        unpack(path, tmp_path / "opt")
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("put", [Put(name="a/file", data=b"x"), link("a/link", "b")])
def test_unpacking_never_writes_through_a_link(put: Put, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    path = zips.write(tmp_path / "a.zip", [link("a", "../outside"), put])
    with pytest.raises(VerificationError):
        unpack(path, tmp_path / "opt")
    assert not list((tmp_path / "outside").iterdir())


def test_unpacking_refuses_a_file_where_another_entry_needs_a_folder(tmp_path: Path) -> None:
    path = zips.write(tmp_path / "a.zip", [Put(name="a"), Put(name="a/b")])
    with pytest.raises(VerificationError, match="cannot be unpacked"):
        unpack(path, tmp_path / "opt")


def test_unpacking_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "opt").mkdir()
    (tmp_path / "opt/a").write_text("mine")
    with pytest.raises(VerificationError, match="cannot be unpacked"):
        unpack(zips.of(tmp_path / "a.zip", {"a": b"theirs"}), tmp_path / "opt")
    assert (tmp_path / "opt/a").read_text() == "mine"


def test_unpacking_leaves_a_file_beyond_what_the_system_allows_to_the_caller(tmp_path: Path) -> None:
    path = zips.of(tmp_path / "a.zip", {"python/a.bin": b"\0" * 500_000})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            unpack(path, tmp_path / "opt")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.errno == errno.EFBIG


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_unpacking_leaves_a_full_disk_to_the_caller(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = OSError(number, os.strerror(number))

    def refuse(*_: object) -> None:
        raise full

    monkeypatch.setattr("layerforge.examine.unpack._write", refuse)
    with pytest.raises(OSError, match=os.strerror(number)) as caught:
        unpack(zips.of(tmp_path / "a.zip", {"python/a.py": b"x"}), tmp_path / "opt")
    assert caught.value is full


# --- sums ------------------------------------------------------------------------------------------------------------


def test_a_summary_names_the_largest_packages_kinds_and_files_first() -> None:
    members = [
        zips.a_member("python/a/1.py", b"1" * 10, package="a", kind=Kind.PYTHON),
        zips.a_member("python/b/2.so", b"2" * 30, package="b", kind=Kind.NATIVE),
        zips.a_member("python/b/3.py", b"3" * 5, package="b", kind=Kind.PYTHON),
    ]
    found = summarize(zips.an_examination(*members, zipped=100), largest=2)
    assert [(share.name, share.files, share.unzipped) for share in found.packages] == [("b", 2, 35), ("a", 1, 10)]
    assert [(share.name, share.unzipped) for share in found.kinds] == [("native code", 30), ("Python source", 15)]
    assert [member.path for member in found.largest] == ["python/b/2.so", "python/a/1.py"]
    assert (found.total.files, found.total.unzipped, found.overhead) == (3, 45, 55)


def test_duplicates_are_files_of_some_size_with_the_same_bytes() -> None:
    members = [zips.a_member(name, data) for name, data in (("b", b"x" * 4096), ("a", b"x" * 4096), ("c", b"y" * 4096))]
    small = [zips.a_member(name, b"z" * 4095) for name in "de"]
    linked = zips.a_member("l", b"x" * 4096, link="a")
    (one,) = summarize(zips.an_examination(*members, *small, linked)).duplicates
    assert (one.paths, one.size, one.wasted) == (("a", "b"), 4096, 4096)


def test_a_real_zip_of_the_standard_library_s_writer_reads_alike(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, archive.open("python/a.txt", "w") as file:
        file.write(b"streamed")
    (tmp_path / "a.zip").write_bytes(buffer.getvalue())
    assert only(examine(tmp_path / "a.zip")).sha256 == digest.sha256(b"streamed")


def test_unpacked_folders_are_open_to_every_user_whatever_the_umask(tmp_path: Path) -> None:
    path = zips.write(tmp_path / "a.zip", [Put(name="python/pkg/a.py", data=b"")])
    before = os.umask(0o077)
    try:
        unpack(path, tmp_path / "opt")
    finally:
        os.umask(before)
    for name in ("opt", "opt/python", "opt/python/pkg"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o755


# --- what is more than any layer needs


def a_limit(each: int, together: int) -> limits.ReadLimit:
    return limits.ReadLimit(what="a note", names=re.compile(r".*\.note"), each=each, together=together)


def test_each_kind_of_file_has_a_limit_and_all_of_a_kind_have_one() -> None:
    files = [("a.note", 5), ("b.note", 6), ("c.other", 999)]
    assert list(limits.exceeded(files, [a_limit(6, 11)])) == []
    assert list(limits.exceeded(files, [a_limit(5, 5)])) == ["'b.note' has 6 bytes; of a note at most 5 are read"]
    [line] = limits.exceeded(files, [a_limit(6, 10)])
    assert "11 bytes together; at most 10" in line


@pytest.mark.parametrize(
    ("name", "each"),
    [
        (f"{zips.INFO}/RECORD", 16),
        (f"{zips.INFO}/METADATA", 2),
        (f"{zips.INFO}/sboms/a.cdx.json", 16),
        (f"{zips.INFO}/top_level.txt", 1),
        ("python/a.py", 64),
        ("python/a.pyc", 64),
    ],
)
def test_a_file_above_its_limit_is_refused_in_one_line_before_it_is_read(name: str, each: int, tmp_path: Path) -> None:
    path = zips.of(tmp_path / "a.zip", {name: b"x"})
    zips.patch(path, name, 24, ((each << 20) + 1).to_bytes(4, "little"))
    for read in (examine, lambda path: unpack(path, tmp_path / "opt")):
        with pytest.raises(VerificationError, match=f"is not read: '{name}' has") as caught:
            read(path)
        assert caught.value.exit_code == 7


def test_files_that_lie_too_deep_are_refused(tmp_path: Path) -> None:
    name = "python/" + "d/" * (DEEPEST - 1) + "a.py"
    assert only(examine(zips.of(tmp_path / "a.zip", {name: b""}))).path == name
    with pytest.raises(VerificationError, match=r"lies 1,000 folders deep; at most 64"):
        examine(zips.of(tmp_path / "b.zip", {"d/" * 1000 + "a.py": b""}))


def test_too_many_folders_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_FOLDERS", 2)
    assert list(limits.too_deep(["a/b/c", "a/b/d", "a/e"])) == []
    assert list(limits.too_deep(["a/b/c", "a/d/e"])) == ["its files lie in more than 2 folders"]


def test_records_that_list_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributions, "MOST_ROWS", 3)
    files = {"python/a-1.dist-info/RECORD": b"a,,\nb,,\n", "python/b-1.dist-info/RECORD": b"c,,\n"}
    assert len(examine(zips.of(tmp_path / "a.zip", files)).distributions) == 2
    more = files | {"python/b-1.dist-info/RECORD": b"c,,\nd,,\n"}
    with pytest.raises(VerificationError, match=r"b-1\.dist-info/RECORD is not read"):
        examine(zips.of(tmp_path / "b.zip", more))


def test_too_many_packages_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributions, "MOST_DISTRIBUTIONS", 1)
    files = {f"python/{name}-1.dist-info/METADATA": b"" for name in "ab"}
    with pytest.raises(VerificationError, match="holds the metadata of 2 packages"):
        examine(zips.of(tmp_path / "a.zip", files))


@pytest.mark.parametrize(("size", "read"), [("12", 12), ("9" * 5_000, None), ("\u0663", None), ("-1", None)])
def test_a_size_in_a_record_is_a_number_of_a_file_or_nothing(size: str, read: int | None, tmp_path: Path) -> None:
    files = {f"{zips.INFO}/RECORD": f"a.py,,{size}\n".encode()}
    [one] = examine(zips.of(tmp_path / "a.zip", files)).distributions
    assert one.record is not None
    assert [row.size for row in one.record] == [read]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("data", [b"", b"x", os.urandom(10_000), b"\0" * 100_000])
def test_pieces_are_the_content(data: bytes, method: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_content, "PIECE", 999)
    path = zips.write(tmp_path / "a.zip", [Put(name="a", data=data, method=method)])
    with zip_content.opened(path) as opened:
        [entry] = zip_directory.entries(opened, path)
        assert b"".join(zip_content.pieces(opened, entry)) == data
        assert max(map(len, zip_content.pieces(opened, entry)), default=0) <= 999


@pytest.mark.parametrize("declared", [{"size": 99_999}, {"size": 100_001}, {"crc": 1}, {"zipped": 50}])
def test_pieces_that_are_not_as_declared_are_damage(declared: dict[str, int], tmp_path: Path) -> None:
    path = zips.of(tmp_path / "a.zip", {"a": b"\0" * 100_000})
    with zip_content.opened(path) as opened:
        [entry] = zip_directory.entries(opened, path)
        with pytest.raises(VerificationError):
            list(zip_content.pieces(opened, replace(entry, **declared)))  # type: ignore[arg-type]


def test_large_files_tell_the_same_as_small_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = zips.library(tmp_path / "liba.so", soname="liba.so.1").read_bytes()
    path = zips.of(tmp_path / "a.zip", {**zips.sound(), "python/a.bin": b"x" * 5_000, "python/liba.so": library})
    small = examine(path)
    monkeypatch.setattr("layerforge.examine.examine.SMALL", 10)
    assert examine(path) == small
    monkeypatch.setattr("layerforge.examine.examine.MOST_NATIVE", 10)
    monkeypatch.setattr(zip_content, "PIECE", 1_000)
    [member] = [one for one in examine(path).members if one.path == "python/liba.so"]
    assert "more than any layer may" in member.damaged
    assert member.sha256 == digest.sha256(library)
