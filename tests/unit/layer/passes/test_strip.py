from __future__ import annotations

import ctypes
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import elves
import fakes
from layerforge.core import elf
from layerforge.layer import tree
from layerforge.layer.passes.setting import LeftAlone
from layerforge.layer.passes.strip import REASON, Unsafe, _prove, cut, strip
from layerforge.layer.tree import Blob, Edit, File, Link, blob

linux = pytest.mark.skipif(sys.platform != "linux", reason="gcc makes ELF files on Linux only")

SYMBOLS = (".symtab", b"s" * 2400)
ROOMY = elves.image(parts=(elves.Part(content=b"code" * 900), elves.Part(content=b"data", gap=b"?" * 9000, zeroed=800)))


def answer(data: bytes, path: Path) -> int:
    """What the loader and the processor make of a library."""
    path.write_bytes(data)
    return int(ctypes.CDLL(str(path)).answer(3))


@linux
def test_a_cut_library_loads_and_computes_as_before(tmp_path: Path) -> None:
    data = elves.compiled(tmp_path, "whole.so").read_bytes()
    shorter = cut(data)
    assert len(shorter) < len(data) - 2000
    assert answer(shorter, tmp_path / "cut.so") == answer(data, tmp_path / "whole.so") == 18
    assert elf.facts(shorter).stripped


@linux
@pytest.mark.parametrize(
    "flags",
    [
        ("-Wl,-z,noseparate-code",),
        ("-Wl,-z,max-page-size=65536",),
        ("-Wl,-z,max-page-size=2097152", "-Wl,-z,separate-code"),
        ("-Wl,-z,norelro", "-Wl,--hash-style=sysv"),
        ("-ffunction-sections", "-Wl,--gc-sections", "-Wl,-z,now"),
    ],
)
def test_a_cut_library_loads_however_it_was_linked(flags: tuple[str, ...], tmp_path: Path) -> None:
    data = elves.compiled(tmp_path, "whole.so", elves.LIBRARY, *flags).read_bytes()
    shorter = cut(data)
    assert len(shorter) < len(data)
    assert answer(shorter, tmp_path / "cut.so") == 18


@linux
def test_a_file_with_moved_segments_stays_loadable(tmp_path: Path) -> None:
    data = elves.moved(elves.compiled(tmp_path, "whole.so").read_bytes(), pages=5)
    shorter = cut(data)
    assert answer(data, tmp_path / "moved.so") == 18
    assert answer(shorter, tmp_path / "cut.so") == 18
    assert len(shorter) < len(data) - 5 * elves.PAGE, "the pages between its segments are won back"


@linux
def test_every_fact_but_stripped_is_the_same_after_the_cut(tmp_path: Path) -> None:
    data = elves.tiny(tmp_path)
    before, after = elf.facts(data), elf.facts(cut(data))
    assert (before.stripped, after.stripped) == (False, True)
    assert (after.init, after.soname, after.runpath, after.versions) == (
        before.init,
        before.soname,
        before.runpath,
        before.versions,
    )


@pytest.mark.parametrize("machine", [elves.X86_64, elves.ARM64])
@pytest.mark.parametrize("kind", [elves.EXEC, elves.DYN])
def test_libraries_and_programs_of_either_machine_are_cut_on_any_host(machine: int, kind: int) -> None:
    data = elves.image(machine=machine, kind=kind, loose=[SYMBOLS])
    assert len(cut(data)) < len(data) - 2400
    assert elves.loaded(cut(data)) == elves.loaded(data)


@pytest.mark.parametrize(("align", "gone"), [(64, 8192), (4096, 8192), (8192, 8192), (16384, 0)])
def test_gaps_between_segments_go_in_multiples_of_the_largest_alignment(align: int, gone: int) -> None:
    parts = (elves.Part(content=b"code"), elves.Part(content=b"data", gap=b"?" * 9000))
    data = elves.image(align=align, parts=parts)
    shorter = cut(data)
    assert len(elves.image(align=align, parts=parts, sections=False)) - len(shorter) == gone
    assert elves.mappable(shorter)
    assert elves.loaded(shorter) == elves.loaded(data)


def test_what_remains_of_a_gap_is_zero() -> None:
    assert b"?" not in cut(ROOMY)


def test_memory_without_bytes_keeps_the_page_that_the_loader_maps_for_it() -> None:
    parts = (elves.Part(content=b"code"), elves.Part(content=b"", gap=b"?" * 9000, zeroed=5000))
    shorter = cut(elves.image(parts=parts))
    offset, address = elves.table(shorter)[3][2:4]
    assert elves.mappable(shorter)
    assert address % elves.PAGE
    assert len(shorter) > offset // elves.PAGE * elves.PAGE, "a page behind the end is a bus error"


def test_program_headers_at_the_end_move_with_what_precedes_them() -> None:
    data = elves.image(parts=(elves.Part(content=b"data", gap=b"?" * 9000),), headers_last=True)
    shorter = cut(data)
    assert struct.unpack_from("<Q", data, 32)[0] - struct.unpack_from("<Q", shorter, 32)[0] == 2 * elves.PAGE
    assert elves.loaded(shorter) == elves.loaded(data)


@pytest.mark.parametrize(
    "data",
    [
        elves.image(sections=False),
        elves.image(kind=elves.REL),
        elves.image(machine=elves.CUDA),
        elves.image(machine=elves.RISCV),
        b"\x7fELF\x01\x01\x01" + bytes(100),
        b"\x7fELF\x02\x02\x01" + bytes(100),
        cut(ROOMY),
    ],
    ids=["no sections", "object file", "GPU code", "other machine", "32 bits", "big-endian", "cut before"],
)
def test_what_has_nothing_to_win_or_is_not_for_the_loader_stays_as_it_is(data: bytes) -> None:
    assert cut(data) is data


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x7fELF", "word size or byte order"),
        (ROOMY[:9000], "a segment ends at byte"),
        (ROOMY[:-1], "section header table ends at byte"),
        (elves.patched(ROOMY, 60, "<H", 0), "no count"),
        (elves.image(loose=[SYMBOLS, ("pydata", b"PYZ")]), "section pydata is outside every segment and not known"),
        (elves.image(loose=[SYMBOLS, ("", b"PYZ")]), "section without a name"),
        (elves.image(loose=[SYMBOLS], tail=b"\0\0PK\3\4"), "data is appended"),
        (elves.patched(ROOMY, 64 + 2 * 56 + 16, "<Q", 12345), "cannot be loaded as it is"),
        (elves.patched(ROOMY, 64 + 48, "<Q", 12288), "cannot be loaded as it is"),
        (elves.patched(ROOMY, 64, "<I", elves.NOTE), "headers overlap"),
        (elves.patched(elves.patched(ROOMY, 64, "<I", 4), 64 + 112, "<I", 4), "headers overlap"),
        (elves.patched(ROOMY, 32, "<Q", 8), "a segment ends at byte|headers overlap"),
        (elves.patched(ROOMY, 56, "<H", 0), "no segment to load"),
    ],
)
def test_a_file_that_cannot_be_cut_safely_says_why(data: bytes, reason: str) -> None:
    with pytest.raises(Unsafe, match=reason):
        cut(data)


def test_a_section_that_is_looked_up_by_name_protects_its_file() -> None:
    # Such a section is loaded, too, so nothing but its name tells.
    inside = (elves.Part(content=b"QTMETADATA"),)
    data = elves.image(parts=inside, loose=[SYMBOLS, (".qtmetadata", b"")])
    with pytest.raises(Unsafe, match=r"\.qtmetadata by the section header"):
        cut(data)


@pytest.mark.parametrize(
    "name",
    [".symtab", ".strtab", ".comment", ".debug_line", ".zdebug_str", ".gnu_debuglink", ".gnu_debugdata",
     ".gnu.build.attributes", ".annobin.notes", ".note.stapsdt", ".stabstr", ".rela.text", ".llvm_addrsig"],
)  # fmt: skip
def test_sections_that_only_tools_read_go(name: str) -> None:
    data = elves.image(loose=[(name, b"x" * 500)])
    assert len(data) - len(cut(data)) > 500


def test_zeros_behind_the_last_section_are_no_appended_data() -> None:
    data = elves.image(loose=[SYMBOLS])
    assert cut(data + b"\0") == cut(data)


@pytest.mark.parametrize(
    "name",
    [".text", ".data", ".rodata", ".dynsym", ".dynstr", ".hash", ".gnu.hash", ".gnu.version", ".gopclntab", ".debug",
     ".rela", ".symtab2", ".comments", "symtab", "payload.debug_info", ".payload"],
)  # fmt: skip
def test_any_other_section_outside_the_segments_protects_its_file(name: str) -> None:
    with pytest.raises(Unsafe, match="outside every segment and not known"):
        cut(elves.image(loose=[(name, b"x" * 500)]))


CUT = cut(ROOMY)
LAST = 64 + 3 * 56
"""Where the program header of the segment with ``data`` stands, in the whole file and in the cut one."""


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        (CUT[:100], "would be damaged"),
        (CUT[:-1], "would be damaged"),
        (elves.patched(CUT, 56, "<H", 2), "program headers overlap what they describe"),
        (elves.patched(CUT, LAST + 4, "<I", 5), "other bytes"),
        (elves.patched(CUT, LAST + 16, "<Q", 12288), "program headers overlap what they describe"),
        (elves.patched(CUT, LAST + 8, "<Q", 128), "offset and address would not agree"),
        (elves.patched(CUT, LAST + 8, "<Q", struct.unpack_from("<Q", CUT, LAST + 8)[0] - 4096), "other bytes"),
        (CUT.replace(b"data", b"date"), "other bytes"),
        (CUT.replace(b"code", b"core", 1), "other bytes"),
        (elves.patched(CUT, 24, "<Q", 64), "other bytes"),
        (elves.patched(CUT, 32, "<Q", 8), "would be damaged|headers overlap"),
        (elves.patched(CUT, 64 + 56, "<I", elves.NOTE), "headers overlap"),
    ],
)
def test_a_cut_that_the_loader_would_notice_is_refused(spoilt: bytes, reason: str) -> None:
    with pytest.raises(Unsafe, match=reason):
        _prove(ROOMY, spoilt)


def test_a_cut_that_the_loader_does_not_notice_is_taken() -> None:
    _prove(ROOMY, CUT)
    _prove(ROOMY, ROOMY)


# --- the pass --------------------------------------------------------------------------------------------------------


def test_the_pass_cuts_every_elf_file_and_nothing_else() -> None:
    small = elves.image(sections=False)
    before = fakes.a_tree(
        fakes.a_file("python/a/x.so", ROOMY, package="a", executable=True),
        fakes.a_file("python/a/y.so", small),
        fakes.a_file("python/a/x.py", b"import a"),
        fakes.a_file("python/a/empty"),
        Link(path="python/a/z.so", target="x.so"),
    )
    setting = fakes.a_setting()
    (edit,) = strip(before, setting)
    assert isinstance(edit, Edit)
    assert edit.entry == File(path="python/a/x.so", blob=blob(cut(ROOMY)), package="a", executable=True)
    assert (edit.path, edit.reason, edit.saved) == ("python/a/x.so", REASON, len(ROOMY) - len(cut(ROOMY)))
    assert tree.apply(before, [edit]).size == before.size - edit.saved
    assert isinstance(setting.step, fakes.FakeStep)
    assert setting.step.advanced == setting.step.expected == len(ROOMY) + len(small)


@pytest.mark.parametrize(
    "damage", [lambda data: data[:3000], lambda data: data + b"appended", lambda data: data[:4] + b"\x09" + data[5:]]
)
def test_the_pass_leaves_what_it_cannot_cut_and_goes_on(damage: Callable[[bytes], bytes]) -> None:
    before = fakes.a_tree(fakes.a_file("python/bad.so", damage(ROOMY)), fakes.a_file("python/good.so", ROOMY))
    left, edit = strip(before, fakes.a_setting())
    assert isinstance(left, LeftAlone)
    assert left.path == "python/bad.so"
    assert left.reason
    assert edit.path == "python/good.so"


def test_a_second_run_of_the_pass_has_nothing_to_do() -> None:
    before = fakes.a_tree(fakes.a_file("python/x.so", ROOMY))
    edits = [edit for edit in strip(before, fakes.a_setting()) if isinstance(edit, Edit)]
    assert len(edits) == 1
    assert list(strip(tree.apply(before, edits), fakes.a_setting())) == []


def test_files_on_disk_are_read_and_never_written(tmp_path: Path) -> None:
    (tmp_path / "x.so").write_bytes(ROOMY)
    on_disk = File(path="python/x.so", blob=Blob(sha256="", size=len(ROOMY), source=tmp_path / "x.so"))
    (edit,) = strip(fakes.a_tree(on_disk), fakes.a_setting())
    assert isinstance(edit, Edit)
    assert edit.saved > 0
    assert (tmp_path / "x.so").read_bytes() == ROOMY
