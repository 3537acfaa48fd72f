"""Makes the imports of a module lazy as PEP 810 has it: they load nothing until something uses what they bring.

Standard library alone; runs on the CPython of the target. From 3.15 on, a module that has ``__lazy_modules__`` imports
lazily what that names; earlier ones know nothing of it. Python looks for the full name of the module that stands in the
import: ``a.b`` for ``import a.b`` and for ``from a.b import c``; in the package ``p`` it is ``p.b`` for
``from .b import c``, and ``p`` for ``from . import c``.

Python never does so for imports in functions, in classes, in ``try``, and for ``import *``: those stay as they are.
"""

import ast
import contextlib
from collections.abc import Iterator, Sequence
from importlib.util import resolve_name

NAME = "__lazy_modules__"
"""Of the variable that Python asks."""


def lazily(tree: ast.Module, package: str) -> ast.Module:
    """The tree, changed in place, with ``__lazy_modules__`` above its imports, which names the modules of all of them.

    ``package`` is what relative imports count from. The module stays as it is where it has such a variable of its own
    or nothing that could wait.
    """
    names = modules(tree.body, package)
    if names and not _has_own(tree):
        at = _behind_head(tree.body)
        value = ast.Tuple(elts=[ast.Constant(value=name) for name in names], ctx=ast.Load())
        own = ast.Assign(targets=[ast.Name(id=NAME, ctx=ast.Store())], value=value)
        tree.body.insert(at, ast.fix_missing_locations(ast.copy_location(own, tree.body[at])))
    return tree


def modules(body: Sequence[ast.stmt], package: str) -> tuple[str, ...]:
    """Full names of the modules whose imports can wait, sorted.

    What a ``with`` imports anywhere in the module stays eager: it may be there to see the import fail.
    """
    found = {name for statement in _imports(body) for name in _asked(statement, package)}
    guarded = {name for statement in _guarded(body) for name in _asked(statement, package)}
    return tuple(sorted(found - guarded))


def _imports(body: Sequence[ast.stmt]) -> "Iterator[ast.Import | ast.ImportFrom]":
    """The imports of which Python asks, those of a ``with`` too."""
    for statement in body:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            yield statement
        elif isinstance(statement, (ast.If, ast.For, ast.While, ast.With, ast.Match)):
            yield from _imports(list(_inner(statement)))


def _guarded(body: Sequence[ast.stmt]) -> "Iterator[ast.Import | ast.ImportFrom]":
    """Those of them that stand in a ``with``."""
    for statement in body:
        if isinstance(statement, ast.With):
            yield from _imports([statement])
        elif isinstance(statement, (ast.If, ast.For, ast.While, ast.Match)):
            yield from _guarded(list(_inner(statement)))


def _inner(statement: ast.stmt) -> "Iterator[ast.stmt]":
    """The statements that stand in one."""
    for case in getattr(statement, "cases", ()):
        yield from case.body
    for part in ("body", "orelse"):
        yield from getattr(statement, part, ())


def _asked(statement: "ast.Import | ast.ImportFrom", package: str) -> "Iterator[str]":
    """The names that Python asks for."""
    if isinstance(statement, ast.Import):
        yield from (alias.name for alias in statement.names)
        return
    name = "." * statement.level + (statement.module or "")
    if name == "__future__" or statement.names[0].name == "*":
        return
    with contextlib.suppress(ImportError):  # above the topmost package: it fails when it is run, now as ever
        yield resolve_name(name, package)


def _has_own(tree: ast.Module) -> bool:
    """Whether a module says itself what it imports lazily."""
    names = (node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
    aliases = (alias.asname or alias.name for node in _imports(tree.body) for alias in node.names)
    return NAME in (*names, *aliases)


def _behind_head(body: Sequence[ast.stmt]) -> int:
    """Where the first statement behind the docstring and the imports from ``__future__`` stands."""
    at = 0
    first = body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        at = 1
    while isinstance(statement := body[at], ast.ImportFrom) and statement.module == "__future__":
        at += 1
    return at
