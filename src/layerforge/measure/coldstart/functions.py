"""The function whose cold start is measured: one that only imports, or the user's own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from layerforge.core import guarded
from layerforge.core.errors import UsageError
from layerforge.examine.examination import Examination
from layerforge.examine.function_code import FunctionCode
from layerforge.measure.coldstart.experiment import Function
from layerforge.verify.imports import top_level_imports

_MODULE = """
import linecache, sys, types
FILE, TEXT = {file!r}, {text!r}
linecache.cache[FILE] = (len(TEXT), None, TEXT.splitlines(True), FILE)
MODULE = sys.modules[{name!r}] = types.ModuleType({name!r})
MODULE.__file__ = FILE
exec(compile(TEXT, FILE, "exec", dont_inherit=True), vars(MODULE))
NAMED = [vars(MODULE).get(name) for name in ("handler", "lambda_handler")]
HANDLER = next(filter(callable, NAMED), None)
if HANDLER is None:
    raise TypeError(FILE + " has no function `handler(event, context)`, nor one called lambda_handler")
"""
"""Compiles the user's file, as Lambda does at every cold start, and runs it as the module that it would be there."""

_OF_CODE = """
import sys
__import__({module!r})
MODULE = sys.modules[{module!r}]
HANDLER = next(filter(callable, [getattr(MODULE, name, None) for name in {names!r}]), None)
if HANDLER is None:
    raise TypeError({module!r} + " has no function " + " or ".join({names!r}))
"""
"""Loads a handler as Lambda does."""

_INVOCATION = """
import json
json.dumps(HANDLER({event!r}, CONTEXT), default=float)
"""
"""The runtime turns the answer into JSON too, decimal numbers among it."""


def of_imports(modules: Iterable[str]) -> Function:
    """A function that imports ``modules`` in the init phase and does nothing when it is invoked."""
    modules = tuple(modules)
    # Never lazy, whatever variables say; an import statement may be (PEP 810), and would measure nothing.
    init = "".join(f"__import__({name!r})\n" for name in modules)
    return Function(init=init, program="", about={"imports": list(modules)})


def of_file(file: Path, event: str = "{}") -> Function:
    """The function in the user's ``file``, whose ``handler``, or ``lambda_handler``, is invoked with ``event``, JSON.

    Raises ``UsageError`` where the file cannot be read or the event is no JSON.
    """
    try:
        text = guarded.text(file)
    except guarded.Unreadable as error:
        raise UsageError(
            f"the handler {file} cannot be read: {error}",
            hint="--handler takes a Python file with a function `handler(event, context)`",
        ) from error
    value = _event(event)
    return Function(
        init=_MODULE.format(name=file.stem, file=f"/var/task/{file.name}", text=text),
        program=_INVOCATION.format(event=value),
        about={"handler": file.name, "event": value},
    )


def of_code(code: FunctionCode, module: str, names: Iterable[str], event: str = "{}") -> Function:
    """The function in ``module`` of a function's code, that of the first of ``names`` which is there, invoked with
    ``event``, JSON. Raises ``UsageError`` where the event is no JSON.
    """
    names, value = tuple(names), _event(event)
    return Function(
        init=_OF_CODE.format(module=module.replace("/", "."), names=names),
        program=_INVOCATION.format(event=value),
        about={"handler": f"{module}.{names[0]}", "code": str(code.name), "event": value},
        code=code.folder,
    )


def _event(text: str) -> Any:
    try:
        return guarded.json_value(text)
    except guarded.Unreadable as error:
        raise UsageError(f"--event is no JSON: {error}", hint="""such as --event '{"rows": 10}'""") from error


def default_modules(seen: Examination, requires: Iterable[str] = ()) -> tuple[str, ...]:
    """Modules that a function with the layer would import: the top-level ones of the packages that were asked for, of
    all packages where that is not known.
    """
    wanted = {name for text in requires if (name := _name(text))}
    asked = replace(seen, members=tuple(one for one in seen.members if one.package in wanted))
    return top_level_imports(asked) or top_level_imports(seen)


def _name(requirement: str) -> str:
    try:
        return canonicalize_name(guarded.requirement(requirement).name)
    except guarded.Unreadable:
        return ""
