"""The bytes of one small layer are pinned: the same plan gives the same bytes, on every machine and in every release.

Whoever changes these digests changes the bytes of every layer, and the store would serve the old ones under the same
key. So ``plan.SCHEMA`` is raised first, and the new digests are written under the new number.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import elves
from fakes import FakeProgress, FakeStore, a_file, a_tree, target
from layerforge.build import interpreters, plan
from layerforge.build.plan import Plan
from layerforge.core import digest
from layerforge.layer import compiler
from layerforge.layer.archive import EARLIEST, Archive, archive
from layerforge.layer.compiler import Module
from layerforge.layer.passes.run import optimize
from layerforge.layer.tree import Link, Package, Tree, blob
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import Bytecode, BytecodeMode, Compression

GOLDEN = {
    6: {
        "content": "9079986fd3a8520fb9b8a5c7c34a7d7e6e2fde3e4ada2bee876739d555958fcd",
        Compression.FAST: "a0014357d18f5908ace7fae00abe1c660b9b24b82cbc39194ba649564191ef8a",
        Compression.SMALL: "cf076caf6791d9dd861b3901f328029dbfb4733c0b4b5a5be62a739e6e35f255",
        Compression.MAX: "72dae9d40d8be8db2ce916472ca89c3315764a97ebbeb1b85854eb7c4a25fe78",
    },
}
"""SHA-256 of the golden layer's content and of its zips, by ``plan.SCHEMA``."""

COMPILED = {
    6: {
        "3.13.0": "369ce11e1b18f060b668510c841898d88191155e2e2fd3fa8171fa03d85f8c7f",
    },
}
"""SHA-256 of its module's bytecode, by ``plan.SCHEMA`` and the version of CPython that compiles it."""

RAISE = "these bytes are a promise: raise plan.SCHEMA, then write the digests under its new number"


def words(count: int) -> str:
    """Text that every level of every compressor packs differently, the same on every machine."""
    state, found = 1, []
    for _ in range(count):
        state = (state * 48271) % 0x7FFFFFFF
        found.append(f"{'abcdefgh'[state % 8]}{state % 977}")
    return "\n".join(f"# {' '.join(found[at : at + 9])}" for at in range(0, count, 9))


MODULE = f'"""A module."""\n\n\ndef double(x: int) -> int:\n    """Twice x."""\n    return 2 * x\n\n\n{words(6000)}\n'
LIBRARY = elves.image(
    soname="libgold.so.1",
    needed=("libc.so.6",),
    versions={"libc.so.6": ("GLIBC_2.17",)},
    parts=(elves.Part(content=b"code" * 2000), elves.Part(content=b"data" * 50, gap=b"?" * 9000, zeroed=800)),
)
RECORD = b"gold/__init__.py,,\ngold/tests/test_gold.py,,\ngold-1.dist-info/RECORD,,\n"


def the_tree() -> Tree:
    """A module, a test that goes, a library that is cut and its twin that becomes a link, data, and edges of each."""
    return a_tree(
        a_file("bin/gold", b"#!/bin/sh\necho gold\n", executable=True),
        a_file("lib/libgold.so.1", LIBRARY),
        a_file("python/gold/__init__.py", MODULE.encode()),
        a_file("python/gold/data.bin", bytes(range(256)) * 40),
        a_file("python/gold/empty.txt", b""),
        a_file("python/gold/tool", b"#!/bin/sh\necho tool\n", executable=True),
        a_file("python/gold/é.txt", b"a name of its own\n" * 30),
        a_file("python/gold/incompressible", bytes.fromhex(digest.sha256(b"gold")) + b"!"),
        a_file("python/gold/libs/libgold.so.1", LIBRARY),
        a_file("python/gold/tests/__init__.py", b""),
        a_file("python/gold/tests/test_gold.py", b"def test_gold(): pass\n"),
        a_file("python/gold-1.dist-info/RECORD", RECORD),
        a_file("python/gold-1.dist-info/METADATA", b"Metadata-Version: 2.1\nName: gold\nVersion: 1\n"),
        Link(path="python/gold/link.bin", target="data.bin", package="gold"),
        packages=(Package(name="gold", version="1", info="python/gold-1.dist-info"),),
    )


def the_plan(compression: Compression) -> Plan:
    spec = LayerSpec(name="gold", requires=("gold",), bytecode=Bytecode(mode=BytecodeMode.NONE))
    return plan.plan(spec, target(), (), compression, None, EARLIEST)


def the_layer(compression: Compression) -> Archive:
    made = the_plan(compression)
    tree, _ = optimize(the_tree(), made, None, FakeStore(), FakeProgress())
    return archive(tree, compression, EARLIEST, FakeStore(), FakeProgress())


@pytest.mark.parametrize("compression", list(Compression))
def test_the_golden_layer_has_the_bytes_that_are_pinned_beside_the_schema(compression: Compression) -> None:
    made = the_layer(compression)
    pinned = GOLDEN.get(plan.SCHEMA, {})
    assert (made.sha256, made.content_sha256) == (pinned.get(compression), pinned.get("content")), RAISE
    assert digest.sha256(made.data) == made.sha256


def test_the_golden_layer_goes_through_every_pass_that_needs_no_interpreter() -> None:
    tree, results = optimize(the_tree(), the_plan(Compression.FAST), None, FakeStore(), FakeProgress())
    assert {one.name for one in results if one.edits} == {"prune", "link", "strip", "record"}
    assert any(file.executable for file in tree.files), "an executable's mode is pinned too"


def test_the_golden_module_has_the_bytecode_that_is_pinned_beside_the_schema(tmp_path: Path) -> None:
    pinned = COMPILED.get(plan.SCHEMA, {})
    interpreter = interpreters.find("3.13", own=tmp_path)
    if interpreter is None or (interpreter.version not in pinned and pinned):
        pytest.skip(f"no CPython of {', '.join(pinned)} on this machine")
    module = Module(filename="/opt/python/gold/__init__.py", source=blob(MODULE.encode()), drop_docstrings=True)
    [compiled] = compiler.compile_all([module], interpreter=interpreter, store=FakeStore())
    assert compiled.pyc is not None
    assert digest.sha256(compiled.pyc) == pinned.get(interpreter.version), RAISE
