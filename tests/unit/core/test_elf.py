from __future__ import annotations

import importlib.util
import struct
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

import elves
from layerforge.core import elf
from layerforge.core.elf_layout import Damaged

linux = pytest.mark.skipif(sys.platform != "linux", reason="gcc makes ELF files on Linux only")

FULL = elves.image(
    soname="liba.so.1",
    needed=("libc.so.6", "libm.so.6"),
    runpath="$ORIGIN:/opt/lib",
    versions={"libm.so.6": ("GLIBC_2.29", "GLIBC_2.2.5"), "libc.so.6": ("GLIBC_2.34",)},
    exports=("answer", "PyInit_a"),
    imports=("malloc",),
)


def place_of(data: bytes, tag: int) -> int:
    """Offset of the value of a dynamic tag."""
    row = next(row for row in elves.table(data) if row[0] == elves.DYNAMIC)
    return next(at + 8 for at in range(row[2], row[2] + row[5], 16) if struct.unpack_from("<Q", data, at)[0] == tag)


def value_of(data: bytes, tag: int) -> int:
    """The value of a dynamic tag, which is an offset as well where it is an address."""
    return int(struct.unpack_from("<Q", data, place_of(data, tag))[0])


def name_of(data: bytes, text: str) -> int:
    """Where a name stands in the dynamic strings."""
    return data.index(text.encode() + b"\0", value_of(data, 5)) - value_of(data, 5)


def test_facts_are_what_the_dynamic_table_says() -> None:
    facts = elf.facts(FULL)
    assert facts.soname == "liba.so.1"
    assert facts.needed == ("libc.so.6", "libm.so.6")
    assert facts.runpath == ("$ORIGIN", "/opt/lib")
    assert facts.versions == {"libc.so.6": ("GLIBC_2.34",), "libm.so.6": ("GLIBC_2.2.5", "GLIBC_2.29")}
    assert (facts.machine, facts.bits, facts.init) == ("x86_64", 64, "a")
    assert facts.aligned
    assert not facts.stripped


@linux
def test_facts_of_a_compiled_library_are_what_the_linker_was_told(tmp_path: Path) -> None:
    flags = ("-Wl,-soname,libanswer.so.3", "-Wl,-rpath,$ORIGIN/../x", "-Wl,--no-as-needed")
    facts = elf.facts(elves.compiled(tmp_path, "libanswer.so", elves.LIBRARY, *flags).read_bytes())
    assert facts.soname == "libanswer.so.3"
    assert facts.runpath == ("$ORIGIN/../x",)
    assert set(facts.needed) >= {"libc.so.6", "libm.so.6"}
    assert all(version.startswith("GLIBC_2.") for version in facts.versions["libc.so.6"])
    assert facts.init == ""
    assert facts.aligned
    assert not facts.stripped


@linux
@pytest.mark.parametrize(
    "flags", [(), ("-Wl,--hash-style=sysv",), ("-Wl,--disable-new-dtags", "-Wl,-rpath,/a:/b"), ("-Wl,-z,relro,-z,now",)]
)
def test_facts_of_a_compiled_library_are_what_readelf_says(flags: tuple[str, ...], tmp_path: Path) -> None:
    path = elves.compiled(tmp_path, "liba.so", elves.LIBRARY, "-Wl,-soname,liba.so.1", "-Wl,--no-as-needed", *flags)
    check_against_readelf(path)


@linux
@pytest.mark.parametrize("module", ["_ssl", "_ctypes", "_sqlite3", "zlib", "msgspec._core"])
def test_facts_of_the_modules_that_python_itself_loads_are_what_readelf_says(module: str) -> None:
    spec = importlib.util.find_spec(module)
    if spec is None or not (spec.origin or "").endswith(".so"):
        pytest.skip(f"{module} is no file of its own here")
    check_against_readelf(Path(str(spec.origin)))


def check_against_readelf(path: Path) -> None:
    facts = elf.facts(path.read_bytes())
    versions = {library: set(names) for library, names in facts.versions.items()}
    assert (list(facts.needed), facts.soname, list(facts.runpath), versions) == elves.told_by_readelf(path)
    assert facts.needed


@linux
def test_a_library_linked_without_symbols_is_stripped(tmp_path: Path) -> None:
    assert elf.facts(elves.compiled(tmp_path, "libanswer.so", elves.LIBRARY, "-s").read_bytes()).stripped


@linux
def test_a_compiled_extension_module_is_known_by_what_it_exports(tmp_path: Path) -> None:
    assert elf.facts(elves.tiny(tmp_path)).init == "tiny"


@linux
def test_a_library_with_moved_segments_reads_as_before(tmp_path: Path) -> None:
    data = elves.compiled(tmp_path, "libanswer.so").read_bytes()
    assert elf.facts(elves.moved(data)) == elf.facts(data)


def test_section_headers_are_not_needed_for_any_fact_but_stripped() -> None:
    bare = elves.patched(elves.patched(FULL, 40, "<Q", 0), 60, "<HH", 0, 0)
    with_sections, without = elf.facts(FULL), elf.facts(bare)
    assert (with_sections.stripped, without.stripped) == (False, True)
    assert (without.needed, without.versions, without.init) == (
        with_sections.needed,
        with_sections.versions,
        with_sections.init,
    )


def test_section_headers_outside_the_file_do_not_hide_what_the_loader_reads() -> None:
    assert elf.facts(elves.patched(FULL, 40, "<Q", 1 << 40)).needed == ("libc.so.6", "libm.so.6")


@pytest.mark.parametrize(
    ("loose", "stripped"),
    [
        ((), True),
        (((".comment", b"GCC"),), True),
        (((".symtab", b"s" * 24),), False),
        (((".debug_line", b"d"),), False),
        (((".zdebug_info", b"d"),), False),
    ],
)
def test_symbol_tables_and_debug_sections_make_a_file_unstripped(
    loose: tuple[tuple[str, bytes], ...], stripped: bool
) -> None:
    assert elf.facts(elves.image(loose=loose)).stripped is stripped


@pytest.mark.parametrize(
    ("runpath", "rpath", "seen"),
    [("$ORIGIN", "", ("$ORIGIN",)), ("", "$ORIGIN:/x", ("$ORIGIN", "/x")), ("/new", "/old", ("/new",)), ("", "", ())],
)
def test_an_rpath_counts_only_where_there_is_no_runpath(runpath: str, rpath: str, seen: tuple[str, ...]) -> None:
    assert elf.facts(elves.image(runpath=runpath, rpath=rpath)).runpath == seen


@pytest.mark.parametrize(
    ("machine", "name"),
    [(62, "x86_64"), (183, "arm64"), (243, "riscv"), (3, "i386"), (22, "s390"), (51_999, "machine 51999")],
)
def test_machines_have_lambdas_names_or_those_of_elf_in_lower_case(machine: int, name: str) -> None:
    assert elf.facts(elves.image(machine=machine)).machine == name


def test_a_32_bit_big_endian_file_is_read_too() -> None:
    strings = b"\0libc.so.6\0"
    table = struct.pack(">8I", 5, 148, 10, len(strings), 1, 1, 0, 0)
    header = struct.pack(
        ">16sHHIIIIIHHHHHH", b"\x7fELF\x01\x02\x01" + bytes(9), 3, 20, 1, 0, 52, 0, 0, 52, 32, 2, 40, 0, 0
    )
    size = 148 + len(strings)
    load = struct.pack(">8I", 1, 0, 0, 0, size, size, 4, 4096)
    dynamic = struct.pack(">8I", 2, 116, 116, 116, len(table), len(table), 4, 4)
    facts = elf.facts(header + load + dynamic + table + strings)
    assert (facts.machine, facts.bits, facts.needed) == ("ppc", 32, ("libc.so.6",))


@pytest.mark.parametrize(
    ("exports", "imports", "init"),
    [
        (("PyInit_mod",), (), "mod"),
        (("PyInit___init__", "PyInit_shim"), (), "shim"),
        ((), ("PyInit_mod",), ""),
        (("CPyInit_mod", "_PyInit_other"), (), ""),
        (("PyInit_real",), ("PyInit_wanted",), "real"),
    ],
)
def test_only_an_exported_init_function_makes_an_extension_module(
    exports: tuple[str, ...], imports: tuple[str, ...], init: str
) -> None:
    assert elf.facts(elves.image(exports=exports, imports=imports)).init == init


def test_a_file_without_dynamic_table_has_no_needs() -> None:
    facts = elf.facts(elves.patched(FULL, 64 + 56, "<I", elves.NOTE))
    assert (facts.needed, facts.soname, dict(facts.versions), facts.init) == ((), "", {}, "")


def test_the_dynamic_table_is_read_where_it_lies_in_memory_as_the_loader_does() -> None:
    assert elf.facts(elves.patched(FULL, 64 + 56 + 8, "<Q", 0)) == elf.facts(FULL)


def test_a_segment_whose_offset_and_address_disagree_is_not_aligned() -> None:
    data = elves.image(parts=(elves.Part(content=b"x" * 50),))
    assert elf.facts(data).aligned
    third = 64 + 2 * 56
    assert not elf.facts(elves.patched(data, third + 16, "<Q", elves.table(data)[2][3] + 8)).aligned


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: b"", "does not begin"),
        (lambda data: b"\x7fELG" + data[4:], "does not begin"),
        (lambda data: data[:4], "word size or byte order"),
        (lambda data: elves.patched(data, 4, "<B", 3), "word size or byte order"),
        (lambda data: data[:40], "ELF header ends at byte 64 of 40"),
        (lambda data: elves.patched(data, 32, "<Q", 1 << 63), "program header table ends at byte"),
        (lambda data: elves.patched(data, 54, "<H", 55), "program headers are 55 bytes long"),
        (lambda data: elves.patched(data, 56, "<H", 40_000), "40,000 program headers"),
        (lambda data: elves.patched(data, 64 + 32, "<Q", len(data) + 1), "segment ends at byte"),
        (lambda data: elves.patched(data, 64 + 56 + 32, "<Q", 16), "dynamic table has no end"),
        (lambda data: elves.patched(data, place_of(data, 5), "<Q", 1 << 40), "points to 0x10000000000, which no segm"),
        (lambda data: elves.patched(data, 64 + 56 + 16, "<Q", 1 << 40), "lies at 0x10000000000, which no segments"),
        (lambda data: elves.patched(data, place_of(data, 5) - 8, "<Q", 7777), "each of its parts once"),
        (lambda data: elves.patched(data, place_of(data, 10), "<Q", 1 << 40), "strings have no end"),
        (lambda data: elves.patched(data, value_of(data, 5) + value_of(data, 10) - 1, "<B", 1), "strings have no end"),
        (lambda data: elves.patched(data, value_of(data, 0x6FFFFFFE) + 4, "<I", 5_000), "outside its dynamic strings"),
        (lambda data: elves.patched(data, place_of(data, 1), "<Q", 5_000), "outside its dynamic strings"),
        (lambda data: elves.patched(data, place_of(data, 14), "<Q", 5_000), "outside its dynamic strings"),
        (lambda data: elves.patched(data, place_of(data, 0x6FFFFFFF), "<Q", 9), "versions ends too early"),
        (lambda data: elves.patched(data, place_of(data, 0x6FFFFFFF), "<Q", 1 << 62), "versions ends too early"),
    ],
)
def test_a_damaged_file_says_what_is_wrong_with_it(damage: Callable[[bytes], bytes], reason: str) -> None:
    with pytest.raises(Damaged, match=reason):
        elf.facts(damage(FULL))


def test_an_address_that_two_segments_hold_is_damage() -> None:
    data = elves.image(needed=("libc.so.6",), parts=(elves.Part(content=b"x" * 5000),))
    with pytest.raises(Damaged, match="which 2 segments hold"):
        elf.facts(elves.patched(data, 64 + 2 * 56 + 16, "<Q", 0))


def test_a_segment_without_bytes_may_stand_anywhere() -> None:
    data = elves.image(parts=(elves.Part(content=b"", zeroed=4096),))
    assert elf.facts(elves.patched(data, 64 + 2 * 56 + 8, "<Q", 1 << 30)).bits == 64


def test_a_name_that_is_no_text_is_damage() -> None:
    at = FULL.index(b"libm.so.6\0")
    with pytest.raises(Damaged, match="is no text"):
        elf.facts(FULL[:at] + b"\xff\xfe" + FULL[at + 2 :])


def test_endless_names_are_refused_before_they_cost_time() -> None:
    data = elves.image(soname="x" * 20_000)
    with pytest.raises(Damaged, match="longer names than any linker writes"):
        elf.facts(data)


@pytest.mark.parametrize(("length", "read"), [(16_384, True), (16_385, False)])
def test_a_name_may_be_as_long_as_the_longest_wherever_it_stands(length: int, read: bool) -> None:
    data = elves.image(soname="liba.so", needed=("a" * 9_000, "b" * length, "c"))
    if read:
        assert elf.facts(data).needed[1:] == ("b" * length, "c")
    else:
        with pytest.raises(Damaged, match="longer names than any linker writes"):
            elf.facts(data)


def test_a_name_told_over_and_over_is_refused_before_it_costs_memory() -> None:
    few, many = (elves.image(versions={"libc.so.6": ("V" * 1000,) * count}) for count in (900, 1100))
    assert elf.facts(few).versions == {"libc.so.6": ("V" * 1000,)}
    with pytest.raises(Damaged, match="more or longer names"):
        elf.facts(many)


def test_millions_of_empty_names_take_no_memory() -> None:
    data = elves.image(needed=("\0" * 3_000_000, "libc.so.6"))
    tracemalloc.start()
    try:
        assert elf.facts(data).needed == ("", "libc.so.6")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_a_library_of_which_no_version_is_needed_is_named_all_the_same() -> None:
    assert elf.facts(elves.image(versions={"liba.so": (), "libb.so": ("B",)})).versions == {
        "liba.so": (),
        "libb.so": ("B",),
    }


def test_versions_needed_of_one_library_in_two_places_stand_together_and_once() -> None:
    data = elves.image(versions={"liba.so": ("A_2", "A_1"), "libb.so": ("A_1", "A_3")})
    same = elves.patched(data, value_of(data, 0x6FFFFFFE) + 48 + 4, "<I", name_of(data, "liba.so"))
    assert elf.facts(same).versions == {"liba.so": ("A_1", "A_2", "A_3")}


def test_more_symbol_versions_than_any_linker_writes_are_refused() -> None:
    data = elves.image(versions={"libc.so.6": tuple(f"V_{number}" for number in range(20_000))})
    with pytest.raises(Damaged, match="more or longer names"):
        elf.facts(data)


def test_reading_damaged_files_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    for end in range(0, len(FULL), 7):
        try:
            elf.facts(FULL[:end])
        except Damaged:
            continue
    assert capfd.readouterr() == ("", "")
