from __future__ import annotations

import _imp
import importlib.util
import json
import marshal
import os
import py_compile
import struct
import subprocess
import sys
import types
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from fakes import FakeStore
from layerforge.build import interpreters
from layerforge.build.interpreters import Interpreter
from layerforge.core.errors import StepError
from layerforge.core.runtimes import runtimes
from layerforge.layer import compiler, tree
from layerforge.layer.compiler import Compiled, Module
from layerforge.layer.pyc import PycState, Source, facts, pyc_path, source_hash, source_path
from layerforge.resolve.recipe import BytecodeMode

MAGIC = int.from_bytes(importlib.util.MAGIC_NUMBER[:2], "little")
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"

NAMES = """
'''Module's docstring.'''
import os, sys
x = {'alpha', 'beta', 'gamma'}
def function(alpha, beta=(1, 2.5, b'x', None, ..., 10**30, 3j), *, gamma='-'):
    "Function's docstring."
    class Inner:
        "Class's docstring."
        async def method(self):
            '''Method's
            docstring.'''
            self.one = self.two = alpha
            return [y for y in alpha if y in {'a', 'b-c', None, 7, '}'}], f'{gamma}: {{}}'
    return Inner, lambda: beta[1:2], 'a string with spaces', 'identifier', '}', 'h\\xf6'
"""


@pytest.fixture(scope="module", params=list(runtimes()))
def interpreter(request: pytest.FixtureRequest) -> Interpreter:
    found = interpreters.find(request.param)
    if found is None:
        pytest.skip(f"no CPython {request.param} on this machine")
    return found


@pytest.fixture(scope="module")
def running() -> Interpreter:
    return Interpreter(path=Path(sys.executable), version=sys.version.split()[0])


def a_module(text: str | bytes, *, name: str = "mod", drop: bool = False) -> Module:
    data = text.encode() if isinstance(text, str) else text
    return Module(filename=f"/opt/python/{name}.py", source=tree.blob(data), drop_docstrings=drop)


def compiled(modules: list[Module], interpreter: Interpreter, *, optimize: int = 0, jobs: int = 1) -> list[Compiled]:
    asked = [replace(module, optimize=optimize) for module in modules]
    return compiler.compile_all(asked, interpreter=interpreter, store=FakeStore(), jobs=jobs)


def pyc(module: Module, interpreter: Interpreter, *, optimize: int = 0) -> bytes:
    (result,) = compiled([module], interpreter, optimize=optimize)
    assert result.pyc is not None, result.reason
    return result.pyc


def evaluated(data: bytes, interpreter: Interpreter, expression: str) -> object:
    """What ``expression`` is worth in the namespace of the module, as the interpreter itself unmarshals and runs it."""
    program = (
        "import json, marshal, sys\n"
        "code = marshal.loads(sys.stdin.buffer.read()[16:])\n"
        "space = {'code': code, '__name__': 'mod'}\n"
        "exec(code, space)\n"
        "print(json.dumps(eval(sys.argv[1], space)))\n"
    )
    argv = [str(interpreter.path), "-I", "-S", "-c", program, expression]
    answer: object = json.loads(subprocess.run(argv, input=data, capture_output=True, check=True).stdout)
    return answer


def a_source(data: bytes, mtime: int | None = None) -> Source:
    return Source(size=len(data), mtime=mtime, hashed=partial(source_hash, data))


def facts_of(data: bytes, source: bytes | None = None, mtime: int | None = None) -> PycState:
    return facts(data, magic=MAGIC, source=None if source is None else a_source(source, mtime)).state


def test_a_source_is_hashed_only_where_its_hash_counts(tmp_path: Path) -> None:
    def never(magic: int) -> bytes:
        raise AssertionError(magic)

    untouched = Source(size=1 << 30, mtime=0, hashed=never)
    for mode in (py_compile.PycInvalidationMode.TIMESTAMP, py_compile.PycInvalidationMode.UNCHECKED_HASH):
        facts(a_pyc(tmp_path, mode), magic=MAGIC, source=untouched)


def a_pyc(tmp_path: Path, mode: py_compile.PycInvalidationMode, text: str = "x = 1\n") -> bytes:
    source = tmp_path / "mod.py"
    source.write_text(text)
    os.utime(source, (1_000_000_000, 1_000_000_000))
    made = py_compile.compile(
        str(source), str(tmp_path / "mod.pyc"), "/opt/python/mod.py", True, invalidation_mode=mode
    )
    assert made is not None
    return Path(made).read_bytes()


# --- names


@pytest.mark.parametrize(
    ("source", "mode", "expected"),
    [
        ("python/pkg/mod.py", BytecodeMode.BESIDE, "python/pkg/__pycache__/mod.cpython-313.pyc"),
        ("python/pkg/mod.py", BytecodeMode.ONLY, "python/pkg/mod.pyc"),
        ("mod.py", BytecodeMode.BESIDE, "__pycache__/mod.cpython-313.pyc"),
        ("python/a.b.py", BytecodeMode.BESIDE, "python/__pycache__/a.b.cpython-313.pyc"),
    ],
)
def test_a_compiled_module_stands_where_python_looks_for_it(source: str, mode: BytecodeMode, expected: str) -> None:
    assert pyc_path(source, "cpython-313", mode) == expected


def test_the_name_beside_the_source_is_importlibs_own() -> None:
    tag = sys.implementation.cache_tag
    assert tag is not None
    assert pyc_path("pkg/mod.py", tag, BytecodeMode.BESIDE) == importlib.util.cache_from_source("pkg/mod.py")


@pytest.mark.parametrize(
    "path", ["p/__pycache__/mod.cpython-313.pyc", "p/__pycache__/mod.cpython-313.opt-2.pyc", "p/mod.pyc"]
)
def test_the_source_of_a_compiled_module_is_known_from_its_name(path: str) -> None:
    assert source_path(path) == "p/mod.py"


def test_a_cached_file_without_a_tag_has_a_source_too() -> None:
    assert source_path("p/__pycache__/mod.pyc") == "p/mod.py"


# --- facts


def test_bytecode_with_an_unchecked_hash_is_valid_whatever_the_source(tmp_path: Path) -> None:
    data = a_pyc(tmp_path, py_compile.PycInvalidationMode.UNCHECKED_HASH)
    found = facts(data, magic=MAGIC, source=a_source(b"something else"))
    assert (found.state, found.magic, found.filename) == (PycState.VALID, MAGIC, "/opt/python/mod.py")


def test_bytecode_with_a_checked_hash_is_told_apart(tmp_path: Path) -> None:
    data = a_pyc(tmp_path, py_compile.PycInvalidationMode.CHECKED_HASH)
    assert facts_of(data, b"x = 1\n") is PycState.CHECKED
    assert facts_of(data, b"x = 2\n") is PycState.STALE


@pytest.mark.parametrize(
    ("source", "mtime", "state"),
    [
        (b"x = 1\n", 1_000_000_000, PycState.VALID),
        (b"x = 1\n", 315_532_800, PycState.STALE),
        (b"x = 1\n", None, PycState.STALE),
        (b"x = 10\n", 1_000_000_000, PycState.STALE),
    ],
    ids=["date and size match", "dated 1980", "date unknown", "another size"],
)
def test_dated_bytecode_is_valid_only_with_the_date_and_size_of_its_source(
    tmp_path: Path, source: bytes, mtime: int | None, state: PycState
) -> None:
    assert facts_of(a_pyc(tmp_path, py_compile.PycInvalidationMode.TIMESTAMP), source, mtime) is state


@pytest.mark.parametrize("mode", list(py_compile.PycInvalidationMode))
def test_bytecode_without_a_source_is_compared_with_nothing(
    tmp_path: Path, mode: py_compile.PycInvalidationMode
) -> None:
    assert facts_of(a_pyc(tmp_path, mode)) is PycState.VALID


def test_bytecode_of_another_version_is_foreign(tmp_path: Path) -> None:
    data = a_pyc(tmp_path, py_compile.PycInvalidationMode.UNCHECKED_HASH)
    assert facts(data, magic=MAGIC + 100, source=None).state is PycState.FOREIGN


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:15],
        lambda data: data[:16],
        lambda data: data[:60],
        lambda data: data[:2] + b"xx" + data[4:],
        lambda data: data[:4] + b"\x04" + data[5:],
        lambda data: data[:16] + b"\x00" * 500,
        lambda data: data[:16] + b"N",
        lambda data: data[:16] + data[16:37] + b"(\xff\xff\xff\x7f" * 20,
    ],
    ids=["empty", "half a header", "no code", "cut", "no magic", "bad flags", "zeros", "no code object", "bomb"],
)
def test_what_is_no_bytecode_is_broken(tmp_path: Path, damage: object) -> None:
    assert callable(damage)
    data = damage(a_pyc(tmp_path, py_compile.PycInvalidationMode.UNCHECKED_HASH, NAMES))
    assert facts_of(data) is PycState.BROKEN


NAME = b"z\x07/opt/a."
"""A marshalled text."""


def written(magic: int, fields: int, *objects: bytes, last: bytes = NAME) -> bytes:
    """A ``.pyc`` of one code object: so many numbers, as many objects, of which ``objects`` are the first, the last."""
    code = b"c" + bytes(4 * fields) + b"".join((*objects, b"N" * (fields - len(objects)), last))
    return magic.to_bytes(2, "little") + b"\r\n\1" + bytes(11) + code


@pytest.mark.parametrize(
    ("magic", "fields"),
    [(3412, 0), (3413, 6), (3449, 6), (3450, 0), (3494, 0), (3495, 5), (3999, 5), (4000, 0)],
)
def test_the_layout_of_a_code_object_is_known_from_the_first_to_the_last_magic_number(magic: int, fields: int) -> None:
    for written_in in (5, 6):
        found = facts(written(magic, written_in), magic=magic, source=None)
        assert found.filename == ("/opt/a." if fields == written_in else "")
        assert found.state is (PycState.VALID if fields in {0, written_in} else PycState.BROKEN)


def test_a_source_is_hashed_in_one_round_a_word_from_the_first_magic_number_of_3_11_on() -> None:
    keys = {magic: int.from_bytes(magic.to_bytes(2, "little") + b"\r\n", "little") for magic in (3494, 3495)}
    one_round = {magic: _imp.source_hash(key, b"x = 1") for magic, key in keys.items()}
    assert source_hash(b"x = 1", 3495) == one_round[3495]
    assert source_hash(b"x = 1", 3494) != one_round[3494]


@pytest.mark.parametrize(
    ("objects", "last", "name"),
    [
        ((bytes([NAME[0] | 0x80]) + NAME[1:],), b"r\0\0\0\0", "/opt/a."),
        ((NAME,), b"r\0\0\0\0", None),
        ((), b"r\1\0\0\0", None),
        ((), b"i\0\0\0\0", None),
        ((), b"N", None),
        ((), b"?", None),
        ((b"?",), NAME, None),
        ((), NAME[:-1], None),
        ((), b"", None),
        ((b"s\xff\0\0\0",), NAME, None),
        ((b":NNN",), NAME, "/opt/a."),
        ((b"l\xfe\xff\xff\xff1234",), NAME, "/opt/a."),
        ((b"g12345678",), NAME, "/opt/a."),
        ((b"y1234567812345678",), NAME, "/opt/a."),
        ((b")\2N)\0",), NAME, "/opt/a."),
    ],
)
def test_a_file_name_is_read_or_the_bytes_make_no_sense(
    objects: tuple[bytes, ...], last: bytes, name: str | None
) -> None:
    found = facts(written(3495, 5, *objects, last=last), magic=3495, source=None)
    assert found.filename == (name or "")
    assert found.state is (PycState.BROKEN if name is None else PycState.VALID)


def test_a_tuple_that_claims_more_members_than_there_are_bytes_makes_no_sense_whatever_stands_in_it() -> None:
    inner = written(3495, 5)[16:]
    for count, state in ((1, PycState.VALID), (1 << 30, PycState.BROKEN)):
        found = facts(written(3495, 5, b"(" + count.to_bytes(4, "little") + inner), magic=3495, source=None)
        assert found.state is state


@pytest.mark.parametrize(("last", "name"), [(NAME, "/opt/a."), (b"?", "")])
def test_foreign_bytecode_has_the_file_name_that_can_be_read_of_it(last: bytes, name: str) -> None:
    found = facts(written(3495, 5, last=last), magic=3571, source=None)
    assert (found.state, found.magic, found.filename) == (PycState.FOREIGN, 3495, name)


def test_code_inside_of_something_else_is_none_that_python_runs() -> None:
    data = written(3495, 5)
    inside = data[:16] + b")\1" + data[16:]
    assert facts(data, magic=3495, source=None).state is PycState.VALID
    assert facts(inside, magic=3495, source=None).state is PycState.BROKEN


def test_the_file_name_is_not_confused_with_a_constant_that_looks_like_one(tmp_path: Path) -> None:
    text = "a = '/usr/lib/other.py'\nb = ('/x/y.py', 'z')\ndef f(): return '/etc/more.py', 'name'\n"
    data = a_pyc(tmp_path, py_compile.PycInvalidationMode.UNCHECKED_HASH, text)
    assert facts(data, magic=MAGIC, source=None).filename == "/opt/python/mod.py"


def test_the_file_name_is_read_from_every_module_of_the_standard_library() -> None:
    folder = Path(types.__file__).parent
    for path in [*folder.glob("*.py"), *(folder / "json").glob("*.py"), *(folder / "encodings").glob("*.py")]:
        code = marshal.dumps(compile(path.read_bytes(), f"/opt/{path.name}", "exec", dont_inherit=True))
        data = importlib.util.MAGIC_NUMBER + struct.pack("<I", 1) + bytes(8) + code
        found = facts(data, magic=MAGIC, source=None)
        assert (found.state, found.filename) == (PycState.VALID, f"/opt/{path.name}")


# --- compiling


def test_each_interpreters_bytecode_is_valid_for_its_version(interpreter: Interpreter) -> None:
    magic = interpreter_magic(interpreter)
    found = facts(pyc(a_module(NAMES), interpreter), magic=magic, source=a_source(NAMES.encode()))
    assert (found.state, found.magic, found.filename) == (PycState.VALID, magic, "/opt/python/mod.py")


def interpreter_magic(interpreter: Interpreter) -> int:
    program = "import importlib.util; print(int.from_bytes(importlib.util.MAGIC_NUMBER[:2], 'little'))"
    argv = [str(interpreter.path), "-I", "-S", "-c", program]
    return int(subprocess.run(argv, capture_output=True, check=True).stdout)


def test_the_source_hash_in_the_header_is_the_one_that_importlib_would_check(interpreter: Interpreter) -> None:
    data = pyc(a_module(NAMES), interpreter)
    checked = data[:4] + struct.pack("<I", 0b11) + data[8:]
    magic = interpreter_magic(interpreter)
    assert facts(checked, magic=magic, source=a_source(NAMES.encode())).state is PycState.CHECKED
    assert facts(checked, magic=magic, source=a_source(b"")).state is PycState.STALE


# A worker takes the largest file first.
LARGE = "#" * 10_000


def test_bytes_do_not_depend_on_what_was_compiled_before_in_the_same_process(interpreter: Interpreter) -> None:
    # Names stay interned in some versions; the first annotation as text makes the compiler intern both braces.
    before = [
        a_module(f"def alpha(beta, gamma): return beta.method, 'identifier', {{'a', 'b-c'}}\n{LARGE}", name="one"),
        a_module(f"from __future__ import annotations\nalpha: one = 1\n{LARGE}", name="two"),
    ]
    module = a_module(NAMES)
    assert compiled([*before, module], interpreter)[2].pyc == pyc(module, interpreter)


@pytest.mark.parametrize(
    "text",
    [
        "def f(marshal): return marshal\n",
        "def f(x): return x in {'marshal'}\ndef g(x): return 5, x in {'marshal'}\n",
        "def f(x): return x in {('marshal', 1)}\ndef g(x): return 5, x in {('marshal', 1)}\n",
    ],
    ids=["an argument", "a set in two functions", "a tuple in a set"],
)
def test_a_name_that_the_worker_itself_uses_leaves_no_trace(interpreter: Interpreter, text: str) -> None:
    """The worker has the name ``marshal`` and not the name ``narshal``; all else being equal, so must be the bytes."""
    used, unused = pyc(a_module(text), interpreter), pyc(a_module(text.replace("marshal", "narshal")), interpreter)
    assert used[16:] == unused[16:].replace(b"narshal", b"marshal")


def test_sets_are_written_in_the_same_order_by_every_process(interpreter: Interpreter) -> None:
    module = a_module("def f(x): return x in {None, 'a', 'b', 'c', ..., (None, 1), 2.5}\ny = f(None), f('z'), f(2.5)\n")
    results = {pyc(module, interpreter) for _ in range(4)}
    assert len(results) == 1
    assert evaluated(results.pop(), interpreter, "y") == [True, False, True]


def test_a_set_does_not_depend_on_which_of_its_members_were_known_before(interpreter: Interpreter) -> None:
    words = [f"word{number}" for number in range(40)]
    module = a_module(f"def f(x): return x in {{{', '.join(map(repr, words))}}}\n")
    for start in (0, 1, 20):
        other = a_module("\n".join([*(f"{word} = 1" for word in words[start:]), LARGE]), name="other")
        assert compiled([other, module], interpreter)[1].pyc == pyc(module, interpreter)


FROM_TREES = """
import os, sys, warnings
sys.path.insert(0, sys.argv[1])
import compile_worker as worker
warnings.simplefilter('ignore')
def from_tree(source, drop):
    tree = worker.parse(source, 'mod.py')
    if drop:
        worker.empty_docstrings(tree)
    return compile(tree, 'mod.py', 'exec', dont_inherit=True, optimize=0)
folder = os.path.dirname(os.__file__)
names = sorted(name for name in os.listdir(folder) if name.endswith('.py'))
told = 0
for name in names:
    with open(os.path.join(folder, name), 'rb') as file:
        source = file.read()
    told += worker.without_docstrings(source) is not None
    for drop in (True, False):
        held = from_tree(source, drop)
        sets = any(map(worker.has_set, worker.constants(held)))
        expected = worker.serialize(from_tree(source, drop) if sets else held)
        del held
        if worker.serialize(worker.settled(source, 'mod.py', 0, drop=drop)) != expected:
            print(name, drop)
print(told > 0.9 * len(names))
"""


def test_modules_have_the_bytes_of_those_that_are_compiled_from_trees_and_twice(interpreter: Interpreter) -> None:
    if interpreter.version.startswith("3.10."):
        pytest.skip("its sets are unfolded in other trees")
    argv = [str(interpreter.path), "-S", "-s", "-B", "-c", FROM_TREES, str(compiler.WORKER.parent)]
    done = subprocess.run(argv, capture_output=True, check=True, text=True, env={"PYTHONHASHSEED": "0"})
    assert done.stdout == "True\n"


def test_the_hash_seed_of_this_process_has_no_effect(interpreter: Interpreter, monkeypatch: pytest.MonkeyPatch) -> None:
    module = a_module(NAMES)
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    one = pyc(module, interpreter)
    monkeypatch.setenv("PYTHONHASHSEED", "2")
    monkeypatch.setenv("PYTHONOPTIMIZE", "2")
    assert pyc(module, interpreter) == one


def test_the_number_of_workers_changes_neither_bytes_nor_order(running: Interpreter) -> None:
    modules = [a_module(f"x = {number}\n{'y = 1; ' * number}\n", name=f"m{number}") for number in range(9)]
    one, many = compiled(modules, running, jobs=1), compiled(modules, running, jobs=4)
    assert one == many
    assert [evaluated(result.pyc or b"", running, "x") for result in many] == list(range(9))


def test_dropped_docstrings_are_empty_strings_in_every_place(interpreter: Interpreter) -> None:
    data = pyc(a_module(NAMES, drop=True), interpreter)
    found = "[__doc__, function.__doc__, function('')[0].__doc__, function('')[0].method.__doc__, sorted(x)]"
    assert evaluated(data, interpreter, found) == ["", "", "", "", ["alpha", "beta", "gamma"]]
    assert b"docstring" not in data


def test_docstrings_are_kept_by_default(interpreter: Interpreter) -> None:
    data = pyc(a_module(NAMES), interpreter)
    assert evaluated(data, interpreter, "[__doc__, function.__doc__]") == [
        "Module's docstring.",
        "Function's docstring.",
    ]


def test_what_only_looks_like_a_docstring_stays(running: Interpreter) -> None:
    text = "def f():\n    x = 1\n    'second'\n    return 'only'\ndef g():\n    return 'value'\n"
    text += "y = 'text', f(), g(), f.__doc__\n"
    assert evaluated(pyc(a_module(text, drop=True), running), running, "y") == ["text", "only", "value", None]


def test_a_docstring_in_any_block_is_dropped(running: Interpreter) -> None:
    text = (
        "if 0:\n    pass\nelse:\n    try:\n        1/0\n    except ZeroDivisionError:\n        for _ in [1]:\n"
        "            match 1:\n                case _:\n                    def f():\n"
        "                        'dropped'\n"
    )
    assert evaluated(pyc(a_module(text, drop=True), running), running, "f.__doc__") == ""


def test_line_numbers_are_those_of_the_source_where_docstrings_are_dropped(running: Interpreter) -> None:
    text = 'def f():\n    """One\n\n    two\n    """\n    return 1\n'
    lines = "[line for *_, line in f.__code__.co_lines() if line]"
    kept, dropped = pyc(a_module(text), running), pyc(a_module(text, drop=True), running)
    assert evaluated(dropped, running, lines) == evaluated(kept, running, lines)


def test_an_expression_too_deep_for_a_tree_keeps_docstrings_rather_than_failing(interpreter: Interpreter) -> None:
    text = "'kept'\none = 1\nx = " + "+".join(["one"] * 1500) + "\n"
    data = pyc(a_module(text, drop=True), interpreter)
    assert evaluated(data, interpreter, "[x, __doc__ in ('', 'kept')]") == [1500, True]


@pytest.mark.parametrize(("optimize", "expected"), [(0, ["Doc.", True]), (1, ["Doc.", False]), (2, [None, False])])
def test_the_optimize_level_is_the_recipes(running: Interpreter, optimize: int, expected: list[object]) -> None:
    text = "def f():\n    'Doc.'\ny = f.__doc__, __debug__\n"
    assert evaluated(pyc(a_module(text), running, optimize=optimize), running, "y") == expected


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (b"x =\n", "SyntaxError in line 1: "),
        (b"x = 1\x00\n", "null byte"),
        (b"# coding: nothing-known\n", "unknown encoding"),
        (b"x = '\xff'\n", "SyntaxError"),
    ],
    ids=["syntax", "null byte", "unknown encoding", "wrong encoding"],
)
def test_a_file_that_does_not_compile_is_a_result_and_not_an_error(
    interpreter: Interpreter, text: bytes, part: str
) -> None:
    bad, good = compiled([a_module(text, name="bad"), a_module("x = 1\n")], interpreter)
    assert bad.pyc is None
    assert part in bad.reason
    assert good.pyc is not None


def test_a_declared_encoding_is_respected(interpreter: Interpreter) -> None:
    data = pyc(a_module("# coding: latin-1\nx = 'ö'\n".encode("latin-1")), interpreter)
    assert evaluated(data, interpreter, "x") == "ö"


def test_a_doubtful_escape_is_no_concern_of_the_layers_user(interpreter: Interpreter) -> None:
    assert compiled([a_module("x = '\\d'\ny = 1 is 1\n")], interpreter)[0].reason == ""


def test_a_source_on_disk_gives_the_same_bytes_as_one_in_memory(tmp_path: Path, running: Interpreter) -> None:
    (tmp_path / "x.py").write_text(NAMES)
    memory = tree.blob(NAMES.encode())
    disk = type(memory)(sha256=memory.sha256, size=memory.size, source=tmp_path / "x.py")
    module = Module(filename="/opt/python/mod.py", source=disk)
    assert pyc(module, running) == pyc(a_module(NAMES), running)


def test_what_the_store_has_is_not_compiled_again(running: Interpreter) -> None:
    store, advanced = FakeStore(), list[int]()
    modules = [a_module("x = 1\n", name="a"), a_module("x =\n", name="b")]
    broken = Interpreter(path=Path("/nonexistent/python"), version=running.version)
    first = compiler.compile_all(modules, interpreter=running, store=store)
    again = compiler.compile_all(modules, interpreter=broken, store=store, advance=advanced.append)
    assert first == again
    assert sum(advanced) == 2


def test_what_others_have_compiled_comes_by_packages_and_needs_no_interpreter(running: Interpreter) -> None:
    ours = FakeStore(shared=True)
    texts = {"a": "x = 1\n", "b": "x =\n", "c": "y = 2\n"}
    modules = [
        replace(a_module(text, name=name), package="one" if name == "a" else "two") for name, text in texts.items()
    ]
    first = compiler.compile_all(modules, interpreter=running, store=ours)
    bundles = {key: value for key, value in ours.values.items() if key[0] == compiler.KIND}
    assert len(bundles) == 2
    broken = Interpreter(path=Path("/nonexistent/python"), version=running.version)
    theirs = FakeStore(shared=True, values=dict(bundles))
    assert compiler.compile_all(modules, interpreter=broken, store=theirs) == first
    assert theirs.values == ours.values


def test_a_package_of_which_one_module_is_new_is_compiled_again_and_no_other(running: Interpreter) -> None:
    store, told = FakeStore(), list[int]()
    own = [replace(a_module(f"x = {name!r}\n", name=name), package=name[0]) for name in ("a1", "a2", "b1", "b2")]
    compiler.compile_all(own, interpreter=running, store=store)
    other = [*own[:3], replace(a_module("x = 2\n", name="b2"), package="b")]
    again = compiler.compile_all(other, interpreter=running, store=store, advance=told.append)
    assert told == [2, 1, 1], "what is kept of the one, and each module of the other"
    assert again == compiler.compile_all(other, interpreter=running, store=FakeStore())


@pytest.mark.parametrize("frame", [b"", b"[]", b"E\xff", b"X"])
def test_what_the_store_has_that_is_no_frame_is_compiled_again(frame: bytes, running: Interpreter) -> None:
    store, module = FakeStore(), a_module("x = 1\n")
    [right] = compiler.compile_all([module], interpreter=running, store=store)
    [key] = store.values
    store.values[key] = frame
    assert compiler.compile_all([module], interpreter=running, store=store) == [right]
    assert store.values[key] != frame


def test_progress_counts_every_module_once(running: Interpreter) -> None:
    advanced = list[int]()
    modules = [a_module(f"x = {number}\n", name=f"m{number}") for number in range(7)]
    compiler.compile_all(modules, interpreter=running, store=FakeStore(), jobs=3, advance=advanced.append)
    assert sum(advanced) == 7


def test_nothing_to_compile_starts_nothing() -> None:
    broken = Interpreter(path=Path("/nonexistent/python"), version="3.13.0")
    assert compiler.compile_all([], interpreter=broken, store=FakeStore()) == []


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo + >&2; echo 'Fatal: no memory' >&2; exit 3", "status 3"),
        ("echo + >&2; echo 'Fatal: no memory' >&2; kill -SEGV $$", "SIGSEGV"),
        ("echo + >&2; echo 'Fatal: no memory' >&2; exit 0", "status 0"),
    ],
    ids=["failed", "crashed", "fell silent"],
)
def test_a_worker_that_dies_names_the_file_and_its_last_words(tmp_path: Path, script: str, words: str) -> None:
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\ncat > /dev/null\n{script}\n")
    path.chmod(0o755)
    modules = [a_module("x = 1\n" * 9, name="first"), a_module("x = 1\n", name="second")]
    with pytest.raises(StepError) as caught:
        compiled(modules, Interpreter(path=path, version="3.13.0"))
    assert words in caught.value.message
    assert "/opt/python/second.py" in caught.value.message
    assert "Fatal: no memory" in caught.value.details[0]
    assert caught.value.exit_code == 6


def test_an_interpreter_that_cannot_be_started_is_a_step_error() -> None:
    with pytest.raises(StepError, match=r"3\.13\.0 cannot be started"):
        compiled([a_module("x = 1\n")], Interpreter(path=Path("/nonexistent/python"), version="3.13.0"))
