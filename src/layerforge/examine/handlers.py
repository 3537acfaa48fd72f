"""Handlers by their names: what a name means in a function's code, and what was probably meant."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from layerforge.core import guarded
from layerforge.core.errors import UsageError
from layerforge.core.paths import below_site
from layerforge.examine.examination import Examination
from layerforge.examine.function_code import FunctionCode
from layerforge.layer import distributions as metadata
from layerforge.layer.imports import imported, module_name

FORM = "a handler is the path of its module, a dot and the function: app.handler, or src/app.handler"
_MOST_SOURCES = 500
"""Files of the code that are looked at for what could be meant."""

_USUAL = ("lambda_handler", "handler", "main")


def require(handler: str, code: FunctionCode, layers: Sequence[Examination]) -> None:
    """Raises ``UsageError`` for a handler that is none, or whose module neither code nor layers have."""
    module, _, name = handler.rpartition(".")
    if handler.endswith(".py") or not module or not name.isidentifier():
        raise UsageError(f"{handler!r} is no handler", hint=f"{FORM}{_perhaps(suggested(handler, code))}")
    known = modules(code, layers)
    dotted = module.replace("/", ".")
    if dotted not in known and not any(one.startswith(f"{dotted}.") for one in known):
        own = f"--code {code.name}{', nor in a layer' if layers else ''}" if code.files else "a layer"
        raise UsageError(
            f"{handler}: there is no module {module} in {own}",
            hint=_meant(handler, code) or f"name the folder that it lies in with --code; {FORM}",
        )
    if _lacks(code, dotted, name):
        raise UsageError(
            f"{handler}: the module {module} has no {name}",
            hint=_meant(handler, code) or f"name a function of it; {FORM}",
        )


def _lacks(code: FunctionCode, module: str, name: str) -> bool:
    """Whether a module of the code cannot have a name, since its source does not hold the word."""
    place = module.replace(".", "/")
    source = code.read(f"{place}.py") or code.read(f"{place}/__init__.py")
    if source is None or any(word in source for word in (b"import *", b"__getattr__", b"exec(", b"globals(")):
        return False
    return re.search(rf"\b{re.escape(name)}\b", source.decode("utf-8", "replace")) is None


def _meant(handler: str, code: FunctionCode) -> str:
    found = suggested(handler, code)
    return _perhaps(found).removeprefix("; ") if found else ""


def _perhaps(names: Sequence[str]) -> str:
    return f"; perhaps you meant {' or '.join(names)}" if names else ""


def modules(code: FunctionCode, layers: Iterable[Examination]) -> frozenset[str]:
    """Dotted names of all modules that code and layers have."""
    paths = (*code.paths, *(below_site(member.path) for one in layers for member in one.members))
    return frozenset(name for path in paths if (name := module_name(path)))


def suggested(handler: str, code: FunctionCode) -> tuple[str, ...]:
    """Handlers of the code that may be meant, the likeliest first, at most two."""
    known = list(found(code))
    plain = handler.removesuffix(".py").replace("/", ".")
    close = difflib.get_close_matches(plain, known, 2)
    inside = [one for one in known if one.rpartition(".")[0].endswith(plain.rpartition(".")[0] or plain)]
    usual = [one for one in known if one.rpartition(".")[2] in _USUAL]
    return tuple(dict.fromkeys(_named(one, code) for one in (*close, *inside, *usual)))[:2]


def found(code: FunctionCode) -> Iterator[str]:
    """Functions of two arguments at the top of the code's own modules, by their dotted names."""
    owners = metadata.owners(code.paths, metadata.distributions(code), code)
    own = [path for path in code.paths if path.endswith(".py") and path not in owners]
    for path in sorted(own, key=lambda one: (one.count("/"), one))[:_MOST_SOURCES]:
        if module := module_name(path):
            yield from (f"{module}.{name}" for name in functions(code.read(path) or b""))


def functions(source: bytes) -> tuple[str, ...]:
    """Names at the top of a source that may be handlers: functions of two arguments, and what is called one, as in
    ``handler = Mangum(app)``. None where it is no Python.
    """
    try:
        body = guarded.python(source).body
    except guarded.Unreadable:
        return ()
    return tuple(name for one in body for name in _handlers(one))


def _handlers(statement: ast.stmt) -> Iterator[str]:
    match statement:
        case ast.FunctionDef(name=name, args=ast.arguments(posonlyargs=first, args=others)):
            if len(first) + len(others) == 2:
                yield name
        case ast.Assign(targets=[ast.Name(id=name)]) if name.endswith("handler"):
            yield name


def _named(dotted: str, code: FunctionCode) -> str:
    """A handler as people write it: with the folders of a module that is in no package."""
    module, _, name = dotted.rpartition(".")
    place = PurePosixPath(*module.split("."))
    is_package = f"{place.parent}/__init__.py" in code.paths
    return f"{module if is_package or '.' not in module else place}.{name}"


def beside(file: Path, layers: Iterable[Examination]) -> tuple[str, ...]:
    """Names of the modules that the source ``file`` imports and that lie beside it, of those that no layer has."""
    try:
        source = guarded.data(file, guarded.MOST_PYTHON)
    except guarded.Unreadable:
        return ()
    theirs = {below_site(member.path).partition("/")[0].partition(".")[0] for one in layers for member in one.members}
    names = sorted({name.partition(".")[0] for name in imported(source, file.name)} - theirs - {file.stem})
    return tuple(name for name in names if _is_module(file.parent / name))


def _is_module(place: Path) -> bool:
    return place.with_name(f"{place.name}.py").is_file() or (place.is_dir() and any(place.glob("*.py")))
