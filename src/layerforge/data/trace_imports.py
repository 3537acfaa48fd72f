"""Tells what a function's init phase imports: what each module costs, and who asked for it. Python 3.10 to 3.15.

This text stands before that of the init phase, which begins after a call of ``trace``; a call of ``tell`` is the
program that follows. Until then nothing is imported that is not loaded in every interpreter: what this loaded would be
missing from what is measured.

``tell`` prints JSON, packed, in lines behind a word that is new in each run::

    {"modules": {"a.b": {"file": "/opt/python/a/b.py", "us": 120}}, "edges": [["a.b", 3, "", "a.c"]],
     "statements": {"a.b": [[3, 4, "a", ["c"], ["c"], [9]]]}}

``us`` is processor time of the main thread, for the module alone. An edge is the module that asked, the line of its
body that was being run, the module of the function that was called there and holds the import (empty where the line
does itself), and the module that was asked for; line 0 is native code's. A statement is its first and last line, the
module that it imports, the names that it takes of it (none for ``import a``), the names that it binds, and for each of
these a line that keeps it from waiting, 0 where none was seen.
"""

import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any

EDGES: "set[tuple[str, int, str, str]]" = set()
COSTS: "dict[str, int]" = {}
"""Nanoseconds by module."""
BEFORE = frozenset(sys.modules)
INSIDE = [0]
"""Nanoseconds of what the module that is being loaded has loaded itself."""
LINE = 4000
IMPORTS: "Any" = sys.modules["_frozen_importlib"]
"""The import system, whose own functions call one another by these names in every version."""
LOAD, PREPARE = IMPORTS._find_and_load_unlocked, IMPORTS._load_unlocked
OWN = frozenset(("find_and_timed", "find_and_noted"))


def site(frame: "FrameType | None") -> "tuple[str, int, str]":
    """Who asks for a module: its name, the line, and the module whose function it called, if any, that imports.

    The import system's own frames are passed over; where one of them is loading native code, it is that which asks.
    """
    called = ""
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith("<frozen importlib"):
            loader = frame.f_locals.get("self")
            if code.co_name in {"create_module", "exec_module"} and type(loader).__name__ == "ExtensionFileLoader":
                return str(getattr(loader, "name", "")), 0, called
        elif code.co_name == "<module>" and code.co_filename[:1] != "<":
            return str(frame.f_globals.get("__name__", "")), frame.f_lineno, called
        elif code.co_name not in OWN and not code.co_filename.endswith("/importlib/__init__.py"):
            called = called or str(frame.f_globals.get("__name__", "")) or "?"
        frame = frame.f_back
    return "", 0, called


class Noting(IMPORTS.ModuleSpec):  # type: ignore[misc]
    """The specification of a module that notes who imports it: each import of a loaded one asks whether it is ready."""

    @property
    def _initializing(self) -> bool:
        EDGES.add((*site(sys._getframe(1)), self.name))
        return bool(self.__dict__.get("initializing"))

    @_initializing.setter
    def _initializing(self, value: bool) -> None:
        self.__dict__["initializing"] = value


def find_and_noted(name: str, import_: "Any") -> "Any":
    """Loads a module, and notes who asked for it first."""
    EDGES.add((*site(sys._getframe(1)), name))
    return LOAD(name, import_)


def prepared(spec: "Any") -> "Any":
    """Loads a module whose specification notes the rest."""
    noted(spec)
    return PREPARE(spec)


def noted(spec: "Any") -> None:
    """Has a specification note who asks."""
    if type(spec) is IMPORTS.ModuleSpec:
        spec.__class__ = Noting


def find_and_timed(name: str, import_: "Any") -> "Any":
    """Loads a module, and measures what it took alone."""
    outer, INSIDE[0] = INSIDE[0], 0
    begun = time.thread_time_ns()
    try:
        return LOAD(name, import_)
    finally:
        taken = time.thread_time_ns() - begun
        COSTS[name] = COSTS.get(name, 0) + taken - INSIDE[0]
        INSIDE[0] = outer + taken


def trace(*, edges: bool) -> None:
    """Begins: notes who imports what, or else measures, which does not go together."""
    IMPORTS._find_and_load_unlocked = find_and_noted if edges else find_and_timed
    if edges:
        IMPORTS._load_unlocked = prepared
        for module in list(sys.modules.values()):
            noted(getattr(module, "__spec__", None))


def tell(word: str) -> None:
    """Ends, and prints what there is to tell."""
    IMPORTS._find_and_load_unlocked, IMPORTS._load_unlocked = LOAD, PREPARE
    edges = sorted(EDGES)
    named = {edge[3] for edge in edges}.union(COSTS, sys.modules) - BEFORE
    files = {name: file_of(name) for name in sorted(named)}
    modules = {name: {"file": file, "us": COSTS.get(name, 0) / 1000} for name, file in files.items()}
    found = {name: statements(name, file) for name, file in files.items() if edges and file}
    say(word, {"modules": modules, "edges": edges, "statements": found})


def say(word: str, value: "Any") -> None:
    """Prints JSON, packed, in lines behind a word."""
    import base64
    import json
    import zlib

    text = base64.b64encode(zlib.compress(json.dumps(value).encode())).decode()
    print("".join(f"\n{word}{text[at : at + LINE]}" for at in range(0, len(text), LINE)), flush=True)


def file_of(name: str) -> str:
    """The file that a module was loaded from: of the layer, ``/opt/…``; empty for any other."""
    spec = getattr(sys.modules.get(name), "__spec__", None)
    origin = getattr(spec, "origin", None)
    return origin if isinstance(origin, str) and "/" in origin else ""


def statements(name: str, file: str) -> "list[list[Any]]":
    """The import statements in the body of a module whose source is there."""
    import ast

    if not file.endswith(".py"):
        return []
    try:
        with open(file, "rb") as opened:
            tree = ast.parse(opened.read())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return []
    package = name.split(".") if hasattr(sys.modules.get(name), "__path__") else name.split(".")[:-1]
    needed = at_load(tree)
    rows = []
    for one, inside in imports(tree):
        for row in named(one, package):
            anyway = one.lineno if inside else needed.get("*", 0)
            # What waits of ``import a.b`` is read as ``a.b``, whatever becomes of ``a``.
            parts = "." in row[2] and row[4] == [row[2].partition(".")[0]] and not row[3]
            rows.append([*row, [anyway or (0 if parts else needed.get(name, 0)) for name in row[4]]])
    return rows


def imports(node: "Any", inside: int = 0) -> "Iterator[tuple[Any, int]]":
    """The import statements that run while a module is loaded, those of its classes apart, each with how many others it
    stands in.
    """
    for name in ("body", "orelse", "finalbody", "handlers", "cases"):
        for one in getattr(node, name, ()):
            kind = type(one).__name__
            if kind in {"Import", "ImportFrom"}:
                yield one, inside
            elif kind not in {"FunctionDef", "AsyncFunctionDef", "ClassDef"}:
                yield from imports(one, inside + 1)


def named(one: "Any", package: "list[str]") -> "Iterator[list[Any]]":
    """A row for each module that a statement imports."""
    if type(one).__name__ == "Import":
        for alias in one.names:
            yield [one.lineno, one.end_lineno, alias.name, [], [alias.asname or alias.name.partition(".")[0]]]
        return
    above = package[: len(package) - one.level + 1] if one.level else []
    base = ".".join([*above, *filter(None, [one.module])])
    bound = [alias.asname or alias.name for alias in one.names]
    yield [one.lineno, one.end_lineno, base, [alias.name for alias in one.names], bound]


def at_load(tree: "Any") -> "dict[str, int]":
    """The names that are read while a module is loaded, each with the first line that does; ``*`` for all of them where
    the module has a ``__getattr__`` or an ``import *``. The rewrite itself looks closer.
    """
    import ast

    found: dict[str, int] = {}
    postponed = any(isinstance(one, ast.ImportFrom) and one.module == "__future__" for one in tree.body)
    ahead = list(tree.body)
    while ahead:
        one = ahead.pop()
        kind = type(one).__name__
        if kind == "Name":
            found[one.id] = min(one.lineno, found.get(one.id, one.lineno))
        elif kind == "ImportFrom" and one.names[0].name == "*":
            found["*"] = one.lineno
        elif kind in {"FunctionDef", "AsyncFunctionDef"}:
            if one.name == "__getattr__" and one in tree.body:
                found["*"] = one.lineno
            ahead += [*one.decorator_list, *one.args.defaults, *filter(None, one.args.kw_defaults)]
            if not postponed:
                ahead += annotations(one)
        elif kind == "Lambda":
            ahead += [*one.args.defaults, *filter(None, one.args.kw_defaults)]
        else:
            ahead += [
                inner
                for inner in ast.iter_child_nodes(one)
                if not (postponed and inner is getattr(one, "annotation", 0))
            ]
    return found


def annotations(function: "Any") -> "list[Any]":
    """What a function's annotations are made of."""
    given = function.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    return [*filter(None, [function.returns, *(one.annotation for one in every if one)])]
