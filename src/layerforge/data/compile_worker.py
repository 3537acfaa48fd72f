"""Compiles modules to ``.pyc`` bytes that depend on nothing but the module, its options and the interpreter.

Runs on its own, on the CPython of the target (3.10 to 3.15), with nothing but the standard library. It must be
started with ``PYTHONHASHSEED=0`` in effect, hence not with ``-I`` or ``-E``, which would make Python overlook it.

Standard input is one JSON list::

    [{"filename": "/opt/python/a.py", "path": "/somewhere/a.py", "drop": false, "optimize": 0},
     {"filename": "/opt/python/b.py", "data": "<base64>", "drop": true, "optimize": 1, "defer": ["scipy.stats"],
      "lazy": true}]

Standard output is a frame per file, in that order: ``C`` and the ``.pyc``, or in UTF-8 ``E`` and the reason why the
file does not compile, or ``D`` and why imports that are to wait cannot, a line each. A frame is that letter, the
length of what follows as four bytes (little-endian), and the bytes. Standard error gets a line ``+`` when a file is
done.
"""

import ast
import base64
import functools
import gc
import importlib.util
import json
import marshal
import re
import struct
import sys
import warnings
from collections.abc import Sequence
from types import CodeType, ModuleType
from typing import Any, BinaryIO

SITE = "/opt/python/"
"""What the names of all files begin with."""

BLANK, DEFER, LAZY, USES = "blank_docstrings", "defer_imports", "lazy_imports", "module_uses"
"""Modules beside this one."""

Defer = tuple[Sequence[str], Sequence[str] | None]
"""What to have wait: the modules that are imported, and those of a package itself, if it is one."""

HASH_BASED = 0b01
"""Flags of a ``.pyc`` that is bound to its source by a hash that no import ever checks."""

CHARACTERS = [sys.intern(chr(number)) for number in range(256)]
"""CPython has one object for each of these. Whether it is interned is part of what marshal writes, and once any
module makes it so, it stays so for all that follow; therefore all of them are, from the start."""

FLAGS_NAMES_BY_CHANCE = sys.version_info < (3, 12)
"""Whether marshal's flag on an interned string tells if anything else in this process has the same name."""

SETS_IN_TABLE_ORDER = sys.version_info < (3, 11)
"""Whether marshal writes a frozenset in the order of its hash table. Later versions sort the members."""

WORDS_ARE_INTERNED = sys.version_info < (3, 14)
"""Whether every constant that is a word, and no other, ends up interned for being one."""

TEXT_IS_TREE = sys.version_info < (3, 14)
"""Whether a text with empty docstrings was seen to give the code of a tree with such, module by module."""

WORD = re.compile("[a-zA-Z0-9_]*")
"""What counts as a word there."""

BRACED = re.compile(rb"\{([^{}:]+)\}")
"""What most sets look like, and no dictionary."""

QUOTED = re.compile(rb"[\"']([a-zA-Z0-9_]+)[\"']")

DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def empty_docstrings(node: Any) -> None:
    """Sets every docstring below ``node`` to ``''``; the statement stays, so that ``__doc__`` is a ``str`` as before.

    Only lists of statements are looked into, since nothing else can hold a definition.
    """
    first = node.body[0] if isinstance(node, DOCUMENTED) and node.body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        first.value.value = ""
    for name in ("body", "orelse", "finalbody", "handlers", "cases"):
        for statement in getattr(node, name, ()):
            empty_docstrings(statement)


class _UnfoldSets(ast.NodeTransformer):
    """Writes ``{None, 1}`` as ``{*(None,), 1}``, which is built at run time instead of being a constant."""

    def visit_Set(self, node: ast.Set) -> ast.Set:
        self.generic_visit(node)
        if any(isinstance(part, ast.Constant) and hashed_by_address(part.value) for part in ast.walk(node)):
            first = ast.Tuple(elts=node.elts[:1], ctx=ast.Load())
            node.elts[0] = ast.fix_missing_locations(
                ast.copy_location(ast.Starred(value=first, ctx=ast.Load()), node.elts[0])
            )
        return node


def hashed_by_address(value: object) -> bool:
    """Whether the hash of a constant differs between processes, whatever the hash seed."""
    if isinstance(value, (tuple, frozenset)):
        return any(map(hashed_by_address, value))
    return value is None or value is ...


def parse(source: bytes, filename: str) -> ast.Module:
    """The syntax tree of a module."""
    tree = compile(source, filename, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    assert isinstance(tree, ast.Module)
    return tree


def build(
    source: bytes,
    filename: str,
    optimize: int,
    *,
    drop: bool,
    defer: Defer | None = None,
    lazy: bool = False,
    unfold: bool = False,
) -> CodeType:
    """The code of a module, its docstrings emptied where ``drop`` says so, the imports of ``defer`` waiting, and with
    ``lazy`` its others lazy.
    """
    rewritten = unfold or defer or lazy
    if drop and not rewritten and (code := from_text(source, filename, optimize)):
        return code
    if drop or rewritten:
        try:
            tree = parse(source, filename)
            if drop:
                empty_docstrings(tree)
            if defer:
                code = deferred(tree, filename, optimize, defer)
                if not lazy and not unfold:
                    return code
            if lazy:
                package = filename.removeprefix(SITE).rpartition("/")[0].replace("/", ".")
                tree = beside(LAZY).lazily(tree, package)
            if unfold:
                _UnfoldSets().visit(tree)
            return compile(tree, filename, "exec", dont_inherit=True, optimize=optimize)
        except RecursionError:
            if defer:
                raise
            # An expression too deep for a tree of Python objects; the compiler alone may manage it.
    return compile(source, filename, "exec", dont_inherit=True, optimize=optimize)


def from_text(source: bytes, filename: str, optimize: int) -> "CodeType | None":
    """The code of a module whose docstrings were emptied in its text: the same as of a tree, in half the time.

    ``None`` where the text does not tell, or is no module; what is amiss with it is told of the text as it was.
    """
    text = without_docstrings(source) if TEXT_IS_TREE else None
    try:
        return None if text is None else compile(text, filename, "exec", dont_inherit=True, optimize=optimize)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):
        return None


@functools.lru_cache(maxsize=1)
def without_docstrings(source: bytes) -> "bytes | None":
    """See ``blank_docstrings``; kept for a module that is compiled twice."""
    emptied: bytes | None = beside(BLANK).emptied(source)
    return emptied


def deferred(tree: ast.Module, filename: str, optimize: int, defer: Defer) -> CodeType:
    """The code of a tree, which is changed, with the imports of ``defer`` waiting.

    Raises ``CannotWait`` of ``defer_imports``.
    """
    using = beside(USES)  # which the next one imports
    rewriting = beside(DEFER)
    module, is_package = using.place(filename.removeprefix(SITE))
    modules, submodules = defer
    code: CodeType = rewriting.deferred_code(
        tree,
        modules,
        module=module,
        is_package=is_package,
        submodules=submodules,
        filename=filename,
        optimize=optimize,
    )
    return code


@functools.cache
def beside(name: str) -> ModuleType:
    """A module beside this one, which only few jobs need; its folder is not on the path."""
    spec = importlib.util.spec_from_file_location(name, f"{__file__.removesuffix('compile_worker.py')}{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look for it there
    spec.loader.exec_module(module)
    return module


def codes(code: CodeType) -> "list[CodeType]":
    """A module's code, and all that is inside of it."""
    found = [code]
    for one in found:  # grows as it is gone through
        found += [value for value in one.co_consts if isinstance(value, CodeType)]
    return found


def constants(code: CodeType) -> "list[Any]":
    """Every constant of a module that is no code."""
    return [value for one in codes(code) for value in one.co_consts if not isinstance(value, CodeType)]


def sets_of(code: CodeType) -> "list[Any]":
    """Every constant of a module that is a frozenset or holds one."""
    kinds = (frozenset, tuple)
    return [value for one in codes(code) for value in one.co_consts if isinstance(value, kinds) and has_set(value)]


def has_set(value: object) -> bool:
    """Whether a constant is a frozenset or holds one."""
    return isinstance(value, frozenset) or (isinstance(value, tuple) and any(map(has_set, value)))


def settled(
    source: bytes, filename: str, optimize: int, *, drop: bool, defer: Defer | None = None, lazy: bool = False
) -> CodeType:
    """The code of a module, the same in every process.

    The compiler makes a frozenset anew, in another order and no longer shared between functions, where one of its
    members was interned before. Therefore a module that has frozensets is compiled a second time, while the first
    code keeps all their members interned; unless they were so before the first time, which then is as good.
    """
    before = interned(source)
    first = build(source, filename, optimize, drop=drop, defer=defer, lazy=lazy)
    sets = sets_of(first)
    if not sets or is_final(first, sets, before):
        return first
    unfold = SETS_IN_TABLE_ORDER and any(map(hashed_by_address, sets))
    return build(source, filename, optimize, drop=drop, defer=defer, lazy=lazy, unfold=unfold)


def interned(source: bytes) -> "set[str]":
    """The words that are most likely in the sets of a module, interned for as long as the result is held."""
    found = QUOTED.findall(b" ".join(BRACED.findall(source))) if WORDS_ARE_INTERNED else []
    return {"", *(sys.intern(word.decode()) for word in found)}


def is_final(code: CodeType, sets: "list[Any]", before: "set[str]") -> bool:
    """Whether a module that is compiled while ``code`` is held has the bytes of ``code``.

    It has where all that ``code`` has interned and that shows was interned ``before``. Of words it shows in sets alone.
    Of others it shows where one is both a name and a constant, as ``Outer.Inner``: that constant is interned with the
    name in the first code, and is not in the second, whose name is the one of the first.
    """
    if not WORDS_ARE_INTERNED or (SETS_IN_TABLE_ORDER and any(map(hashed_by_address, sets))):
        return False
    words = set(filter(WORD.fullmatch, strings(tuple(sets))))
    both = set(names(code)).intersection(strings(tuple(constants(code))))
    return words <= before and all(map(WORD.fullmatch, both))


def names(code: CodeType) -> "list[str]":
    """Every name in a module and its functions, those of the functions among them."""
    found: list[str] = []
    for one in codes(code):
        found += (one.co_name, getattr(one, "co_qualname", ""))
        found += one.co_names + one.co_varnames + one.co_cellvars + one.co_freevars
    return found


def strings(value: Any) -> "list[str]":
    """Every string that marshal would meet in a constant."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, CodeType):
        return [*names(value), *strings(tuple(constants(value)))]
    if isinstance(value, (tuple, frozenset)):
        return [text for member in value for text in strings(member)]
    return []


def serialize(code: CodeType) -> bytes:
    """The marshalled code. A second reference to each of its names makes marshal's flags the same in every process."""
    held = strings(code) if FLAGS_NAMES_BY_CHANCE else []
    data = marshal.dumps(code)
    del held
    return data


def compile_file(
    source: bytes, filename: str, optimize: int, *, drop: bool, defer: Defer | None = None, lazy: bool = False
) -> bytes:
    """The whole ``.pyc``. Raises what ``compile`` raises, and ``CannotWait`` of ``defer_imports``."""
    code = settled(source, filename, optimize, drop=drop, defer=defer, lazy=lazy)
    header = importlib.util.MAGIC_NUMBER + struct.pack("<I", HASH_BASED) + importlib.util.source_hash(source)
    return header + serialize(code)


def read(job: "dict[str, Any]") -> bytes:
    """The source of one file."""
    if "data" in job:
        return base64.b64decode(job["data"])
    with open(job["path"], "rb") as file:
        return file.read()


def answer(job: "dict[str, Any]") -> "tuple[bytes, bytes]":
    """The letter and the bytes of one file's frame."""
    source, defer = read(job), (job["defer"], job.get("submodules")) if "defer" in job else None
    how = {"drop": job["drop"], "defer": defer, "lazy": job.get("lazy", False)}
    try:
        return b"C", compile_file(source, job["filename"], job["optimize"], **how)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        kind, text = (b"D", refusal(error)) if defer else (b"E", reason(error))
        return kind, text.encode("utf-8", "backslashreplace")


def refusal(error: Exception) -> str:
    """Why imports cannot wait, ``line 3: stats is used while the module loads``, a line each."""
    told = "an expression is too deep to be rewritten" if isinstance(error, RecursionError) else reason(error)
    problems = getattr(error, "problems", [(0, told)])
    return "\n".join(f"line {line}: {why}" if line else why for line, why in problems)


def reason(error: Exception) -> str:
    """``SyntaxError in line 3: invalid syntax``."""
    kind = type(error).__name__
    if isinstance(error, SyntaxError):
        return f"{kind} in line {error.lineno}: {error.msg}" if error.lineno else f"{kind}: {error.msg}"
    return f"{kind}: {error}"


def main(output: BinaryIO) -> None:
    """Reads the jobs and writes the frames."""
    gc.disable()  # there are next to no cycles, and looking for them takes time
    warnings.simplefilter("ignore")
    for job in json.load(sys.stdin.buffer):
        kind, data = answer(job)
        output.write(kind + struct.pack("<I", len(data)) + data)
        sys.stderr.write("+\n")
        sys.stderr.flush()
    output.flush()


if __name__ == "__main__":
    main(sys.stdout.buffer)
