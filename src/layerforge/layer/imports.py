"""What Python sources import, and the names by which imports find the files of a layer.

Paths are those below a folder on ``sys.path``: ``a/b.py`` for ``python/a/b.py`` of a layer.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from layerforge.core.guarded import Unreadable
from layerforge.core.guarded import python as parsed
from layerforge.data.module_uses import statements_of

_STATEMENTS = re.compile(rb"^[ \t]*(?:from|import)\b[^\n(\\]*(?:\\\r?\n[^\n(\\]*)*(?:\([^)]*\))?", re.MULTILINE)
"""Import statements, those included that go on over several lines."""

_CODE = re.compile(r"([^./]+)(?:\.py|\.pyc|\.so|\.abi3\.so|\.cpython-[^/]*\.so)")
_NO_CODE = frozenset({"bin", "__pycache__"})


def module_parts(path: str) -> tuple[str, ...]:
    """Parts of a module's name, ``__init__`` among them; empty for what no import statement could name."""
    *folders, file = path.split("/")
    match = _CODE.fullmatch(file)
    parts = (*folders, match[1]) if match else ()
    return parts if all(part.isidentifier() and part != "__pycache__" for part in parts) else ()


def module_name(path: str) -> str:
    """``a/b/__init__.py`` is ``a.b``, ``a/c.cpython-313-x86_64-linux-gnu.so`` is ``a.c``; empty for no module."""
    parts = module_parts(path)
    return ".".join(parts[:-1] if parts[-1:] == ("__init__",) else parts)


def top_level(path: str) -> str:
    """Name of the package that a module lies in, else of the module itself; empty for any other file."""
    top, inside, rest = path.partition("/")
    if not inside:
        return module_name(path)
    is_code = rest.endswith((".py", ".pyc", ".so")) and top.isidentifier() and top not in _NO_CODE
    return top if is_code else ""


def statements(source: bytes) -> bytes:
    """The import statements of a source as they stand there, found without parsing it. Some may be words in texts."""
    return b"\n".join(_STATEMENTS.findall(source))


def imported(source: bytes, path: str, *, texts: bool = False) -> Iterator[str]:
    """Absolute names that the source at ``path`` imports, wherever in it the statement stands: ``a`` and ``a.b`` for
    ``from a import b``, though that may be no module.

    With ``texts`` also every text in it, which may be the name of a module.
    """
    package = path.split("/")[:-1]
    # Of expressions there are many, and none imports anything.
    for node in _nodes(source, ast.walk if texts else statements_of):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom() if node.level <= len(package):
                above = package[: len(package) - node.level + 1] if node.level else []
                base = ".".join([*above, *filter(None, [node.module])])
                yield from (base, *(f"{base}.{alias.name}" for alias in node.names))
            case ast.Constant(value=str() as text) if texts:
                yield text
            case _:
                pass


def _nodes(source: bytes, walk: Callable[[ast.Module], Iterable[ast.AST]]) -> Iterator[ast.AST]:
    """Everything in a source; of one that is very long, or that this Python is too old for, what is in its imports."""
    try:
        yield from walk(parsed(source))
    except Unreadable:
        for part in _STATEMENTS.finditer(source):
            with suppress(Unreadable):
                yield from walk(parsed(part[0].strip()))
