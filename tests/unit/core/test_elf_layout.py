from __future__ import annotations

from pathlib import Path

import pytest

import elves
from layerforge.core import elf_layout
from layerforge.layer import tree
from layerforge.layer.tree import Blob, blob

FULL = elves.image(needed=("libc.so.6",))


@pytest.mark.parametrize(
    ("head", "answer"), [(b"\x7fELF\x02", True), (b"\x7fEL", False), (b"", False), (b"#!/b", False)]
)
def test_elf_files_are_known_by_their_first_bytes(head: bytes, answer: bool, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(head)
    on_disk = Blob(sha256="", size=len(head), source=tmp_path / "file")
    assert (elf_layout.is_elf(head), tree.holds_elf(blob(head)), tree.holds_elf(on_disk)) == (answer,) * 3


def test_segments_stand_in_the_order_of_the_file() -> None:
    data = elves.image(parts=(elves.Part(content=b"abc", zeroed=9), elves.Part(content=b"")))
    assert [(part.type, part.size, part.memory - part.size) for part in elf_layout.segments(data)[2:]] == [
        (elf_layout.LOAD, 3, 9),
        (elf_layout.LOAD, 0, 0),
    ]


def test_a_header_without_sections_keeps_everything_else() -> None:
    bare = elf_layout.without_sections(FULL, phoff=64) + FULL[64:]
    assert elf_layout.sections(bare) == ()
    assert elf_layout.segments(bare) == elf_layout.segments(FULL)
    assert [section.name for section in elf_layout.sections(FULL)][1:] == [
        ".symtab",
        ".strtab",
        ".debug_info",
        ".shstrtab",
    ]
