from __future__ import annotations

import importlib.util
import marshal
import string
import struct
from types import CodeType

from hypothesis import given
from hypothesis import strategies as st

from layerforge.layer import pyc
from layerforge.layer.pyc import PycState
from layerforge.resolve.recipe import BytecodeMode

MAGIC = int.from_bytes(importlib.util.MAGIC_NUMBER[:2], "little")

names = st.text(string.ascii_letters + string.digits + "._-", min_size=1).filter(lambda text: text.strip("."))
constants = st.recursive(
    st.none()
    | st.booleans()
    | st.just(...)
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner).map(tuple) | st.frozensets(inner, max_size=5),
    max_leaves=20,
)


def a_pyc(code: CodeType) -> bytes:
    return importlib.util.MAGIC_NUMBER + struct.pack("<I", 1) + bytes(8) + marshal.dumps(code)


@given(folder=st.lists(names, max_size=3), name=names, mode=st.sampled_from([BytecodeMode.BESIDE, BytecodeMode.ONLY]))
def test_the_source_of_a_compiled_name_is_where_it_came_from(folder: list[str], name: str, mode: BytecodeMode) -> None:
    source = "/".join(["python", *folder, f"{name}.py"])
    assert pyc.source_path(pyc.pyc_path(source, "cpython-313", mode)) == source


@given(values=st.lists(constants), filename=st.text().filter(lambda text: "\0" not in text))
def test_the_file_name_is_found_behind_any_constants(values: list[object], filename: str) -> None:
    code = compile("def f(): pass", "x", "exec")
    inner = next(value for value in code.co_consts if isinstance(value, CodeType))
    inner = inner.replace(co_consts=(*values, *inner.co_consts), co_filename=filename)
    code = code.replace(co_consts=(*values, inner, *code.co_consts), co_filename=filename)
    found = pyc.facts(a_pyc(code), magic=MAGIC, source=None)
    assert (found.state, found.filename) == (PycState.VALID, filename)


@given(data=st.binary(max_size=200), known=st.booleans())
def test_no_bytes_make_the_reader_fail(data: bytes, known: bool) -> None:
    header = importlib.util.MAGIC_NUMBER + bytes(12) + b"\xe3" + bytes(20) if known else b""
    found = pyc.facts(header + data, magic=MAGIC, source=pyc.Source(size=0, mtime=None, hashed=lambda _: bytes(8)))
    assert found.state in PycState


@given(cut=st.integers(min_value=0, max_value=10_000))
def test_cut_bytecode_is_never_read_past_its_end(cut: int) -> None:
    whole = a_pyc(compile("def f(a, b): return a in {1, 2}, 'text', b'x', 1.5", "/opt/python/x.py", "exec"))
    found = pyc.facts(whole[:cut], magic=MAGIC, source=None)
    assert found.filename in ("", "/opt/python/x.py")
    assert found.state is PycState.VALID or found.filename == ""


@given(source=st.binary())
def test_the_source_hash_is_importlibs(source: bytes) -> None:
    assert pyc.source_hash(source, MAGIC) == importlib.util.source_hash(source)
    assert pyc.source_hash(source, MAGIC + 1) != importlib.util.source_hash(source)


@given(source=st.binary())
def test_the_source_hash_of_python_3_10_takes_every_byte_into_account(source: bytes) -> None:
    known = pyc.source_hash(source, 3439)
    assert len(known) == 8
    assert pyc.source_hash(source + b"\0", 3439) != known
