from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import elves
from layerforge.core import elf, elf_layout
from layerforge.layer.passes.strip import Unsafe, cut

PARTS = st.builds(
    elves.Part,
    content=st.binary(max_size=9000),
    gap=st.integers(0, 30_000).map(lambda size: b"?" * size),
    zeroed=st.integers(0, 9000),
)
IMAGES = st.builds(
    elves.image,
    machine=st.sampled_from([elves.X86_64, elves.ARM64]),
    kind=st.sampled_from([elves.EXEC, elves.DYN]),
    align=st.sampled_from([4096, 16384, 65536]),
    needed=st.lists(st.sampled_from(["libc.so.6", "libm.so.6", "liba.so"]), max_size=3, unique=True),
    versions=st.just({"libc.so.6": ("GLIBC_2.17", "GLIBC_2.34")}),
    exports=st.sampled_from([(), ("PyInit_mod",)]),
    parts=st.lists(PARTS, max_size=4),
    loose=st.lists(
        st.tuples(st.sampled_from([".symtab", ".debug_info", ".comment"]), st.binary(max_size=5000)), max_size=3
    ),
    headers_last=st.booleans(),
    sections=st.booleans(),
    tail=st.sampled_from([b"", b"\0"]),
)
"""Libraries and programs with any gaps, zeroed memory and places of the program headers."""

FULL = elves.image(
    soname="liba.so",
    needed=("libc.so.6",),
    runpath="$ORIGIN",
    versions={"libc.so.6": ("GLIBC_2.17",)},
    exports=("PyInit_a",),
    parts=(elves.Part(content=b"data" * 5, gap=b"?" * 100, zeroed=90),),
)


def check_read(data: bytes) -> list[str]:
    """Why ``data`` could not be read, and why not cut; any other error is a failure, and so is a change when loaded."""
    reasons = []
    try:
        elf.facts(data)
    except elf_layout.Damaged as damaged:
        reasons.append(str(damaged))
    try:
        shorter = cut(data)
    except Unsafe as unsafe:
        reasons.append(str(unsafe))
    else:
        assert shorter is data or elves.loaded(shorter) == elves.loaded(data)
    assert all(reasons)
    return reasons


@given(IMAGES)
def test_a_cut_file_is_loaded_byte_for_byte_as_before(data: bytes) -> None:
    shorter = cut(data)
    assert elves.mappable(shorter)
    assert elves.loaded(shorter) == elves.loaded(data)
    unmoved = [(*row[:2], *row[3:]) for row in elves.table(data)]
    assert [(*row[:2], *row[3:]) for row in elves.table(shorter)] == unmoved


@given(IMAGES)
def test_a_cut_file_is_smaller_and_cannot_be_cut_again(data: bytes) -> None:
    shorter = cut(data)
    assert len(shorter) < len(data) or shorter is data
    assert cut(shorter) is shorter or shorter is data


@given(IMAGES)
def test_no_fact_but_stripped_changes(data: bytes) -> None:
    before, after = elf.facts(data), elf.facts(cut(data))
    assert after.aligned
    assert (before.machine, before.needed, before.versions, before.init) == (
        after.machine,
        after.needed,
        after.versions,
        after.init,
    )


@given(IMAGES)
def test_where_there_were_sections_none_are_left(data: bytes) -> None:
    if elf_layout.sections(data):
        assert elf_layout.sections(cut(data)) == ()
        assert elf.facts(cut(data)).stripped


def test_a_synthetic_file_that_ends_anywhere_is_read_or_refused() -> None:
    assert check_read(FULL) == []
    assert all(len(check_read(FULL[:end])) == 2 for end in range(200))
    assert all(check_read(FULL[:end]) for end in range(200, len(FULL)))


@pytest.mark.skipif(sys.platform != "linux", reason="gcc makes ELF files on Linux only")
def test_a_real_file_that_ends_anywhere_is_read_or_refused(tmp_path: Path) -> None:
    data = elves.tiny(tmp_path)
    assert check_read(data) == []
    assert all(check_read(data[:end]) for end in range(len(data)))


@given(
    st.lists(
        st.tuples(
            st.integers(0, len(FULL) - 8),
            st.one_of(
                st.binary(min_size=1, max_size=8),
                st.sampled_from([b"\0" * 8, b"\xff" * 8, b"\xff" * 4, b"\x7f", len(FULL).to_bytes(8, "little")]),
            ),
        ),
        min_size=1,
        max_size=6,
    )
)
@settings(max_examples=600)
def test_overwritten_bytes_are_read_or_refused(changes: list[tuple[int, bytes]]) -> None:
    data = bytearray(FULL)
    for at, value in changes:
        data[at : at + len(value)] = value
    check_read(bytes(data[: len(FULL)]))


@given(st.binary(max_size=300))
def test_anything_that_claims_to_be_elf_is_read_or_refused(rest: bytes) -> None:
    check_read(elf_layout.MAGIC + rest)
    check_read(elf_layout.MAGIC + b"\x02\x01\x01" + rest)
    check_read(elf_layout.MAGIC + b"\x01\x02\x01" + rest)
