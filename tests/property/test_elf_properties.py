from __future__ import annotations

import random
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import elves
from layerforge.core import elf, elf_layout
from layerforge.core.elf_layout import Damaged

NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=40)
SMALL = elves.image(
    soname="liba.so",
    needed=("libc.so.6", "libm.so.6"),
    runpath="$ORIGIN",
    rpath="/opt/lib",
    versions={"libc.so.6": ("GLIBC_2.17", "GLIBC_2.34"), "libm.so.6": ("GLIBC_2.29",)},
    exports=("PyInit_a",),
    imports=("malloc",),
)
EDGES = [0, 1, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 63, (1 << 64) - 1, len(SMALL) - 1, len(SMALL)]


def check(data: bytes) -> None:
    """Fails where reading ends in any error but the declared one, or where more is told than the file can hold."""
    with suppress(Damaged):
        elf_layout.sections(data)
    with suppress(Damaged):
        facts = elf.facts(data)
        told = [facts.soname, facts.init, *facts.needed, *facts.runpath, *facts.versions]
        assert sum(len(name) for name in told) <= len(data)


@given(
    soname=st.one_of(st.just(""), NAMES),
    needed=st.lists(NAMES, max_size=4),
    runpath=st.lists(NAMES, max_size=3).map(":".join),
    versions=st.dictionaries(NAMES, st.lists(NAMES, max_size=4), max_size=4),
)
def test_whatever_names_a_file_has_are_read_as_they_were_written(
    soname: str, needed: list[str], runpath: str, versions: Mapping[str, list[str]]
) -> None:
    facts = elf.facts(elves.image(soname=soname, needed=needed, runpath=runpath, versions=versions))
    assert (facts.soname, list(facts.needed)) == (soname, needed)
    assert facts.runpath == tuple(path for path in runpath.split(":") if path)
    assert facts.versions == {library: tuple(sorted(set(names))) for library, names in versions.items()}


def test_every_bit_of_a_small_file_may_be_flipped() -> None:
    for at in range(len(SMALL)):
        for bit in range(8):
            check(elves.patched(SMALL, at, "<B", SMALL[at] ^ 1 << bit))


def test_every_number_of_a_small_file_may_be_at_an_edge() -> None:
    for at in range(len(SMALL) - 8):
        for edge in EDGES:
            check(elves.patched(SMALL, at, "<Q", edge))


@given(st.integers(0, len(SMALL) - 4), st.integers(0, len(SMALL)), st.integers(0, len(SMALL)))
def test_a_file_that_points_anywhere_within_itself_may_end_anywhere(at: int, value: int, end: int) -> None:
    check(elves.patched(SMALL, at, "<I", value)[:end])


@pytest.mark.skipif(sys.platform != "linux", reason="gcc makes ELF files on Linux only")
def test_bits_of_a_real_file_may_be_flipped_at_random(tmp_path: Path) -> None:
    data, chance = elves.tiny(tmp_path), random.Random(7)
    for _ in range(3000):
        damaged = bytearray(data)
        for _ in range(chance.randint(1, 12)):
            damaged[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        check(bytes(damaged))
