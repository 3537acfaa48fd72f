"""Which function ``layerforge coldstart`` measures: one that imports, a file, or a function's own code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from layerforge.cli import code_options
from layerforge.core.errors import UsageError
from layerforge.core.progress import Progress
from layerforge.examine import handlers
from layerforge.examine.examination import Examination
from layerforge.examine.function_code import FunctionCode, function_code
from layerforge.examine.overlaps import overlaps
from layerforge.measure.coldstart.experiment import Function
from layerforge.measure.coldstart.functions import of_code, of_file, of_imports

MOST_MODULES = 6
"""Modules that are named on the screen."""

_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_OF_FILES = ("handler", "lambda_handler")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the options say of the function."""

    modules: tuple[str, ...] = ()
    handler: str | None = None
    """A file, or, of code, a handler as Lambda's configuration has it."""
    event: str | None = None
    code: Path | None = None


def refuse(asked: Asked) -> None:
    """Raises ``UsageError`` for options that do not go together, before anything is looked at."""
    if asked.handler is None and asked.event is not None:
        raise UsageError("--event is what --handler is invoked with", hint="name a file: --handler FILE")
    if asked.handler is None and asked.code is not None:
        raise UsageError("--code takes --handler", hint="name the function in it: --handler app.handler")
    if asked.handler is not None and asked.modules:
        raise UsageError("--import and --handler do not go together", hint="let the handler's file import the modules")
    for name in asked.modules:
        if not _MODULE.fullmatch(name):
            raise UsageError(f"{name!r} is no module's name", hint="such as --import sklearn.ensemble")
    if asked.handler and not asked.code and _is_of_code(asked.handler):
        raise UsageError(
            f"--handler {asked.handler} is a function of code that is not named",
            hint="name its folder or zip: --code DIR; or a file: --handler app.py",
        )


def _is_of_code(handler: str) -> bool:
    """Whether it is a handler's name and no file's."""
    dotted = handler.replace("/", ".")
    return _MODULE.fullmatch(dotted) is not None and not handler.endswith(".py") and not Path(handler).exists()


def own_function(asked: Asked, layers: Sequence[Examination], into: Path, progress: Progress) -> Function | None:
    """The function that the options name, whose code is copied below ``into``; ``None`` where they name none.

    Raises ``UsageError``, and what ``function_code`` raises.
    """
    if asked.handler is None:
        return of_imports(asked.modules) if asked.modules else None
    event = code_options.event_of(asked.event).decode() if asked.event else "{}"
    if asked.code:
        code = _code(asked.code, into, layers, progress)
        handlers.require(asked.handler, code, layers)
        module, _, name = asked.handler.rpartition(".")
        return of_code(code, module, (name,), event)
    file = Path(asked.handler)
    names = handlers.beside(file, layers)
    if not names:
        return of_file(file, event)
    progress.say(f"{file.name} imports {', '.join(names)} beside it: its folder is taken as --code")
    return of_code(_code(file.parent, into, layers, progress), file.stem, _OF_FILES, event)


def _code(name: Path, into: Path, layers: Sequence[Examination], progress: Progress) -> FunctionCode:
    code = function_code(name, into, layers)
    code_options.say_code(code, layers, overlaps(code, layers), progress)
    return code


def say(function: Function, progress: Progress, *, chosen: bool) -> None:
    """Says what is run, and how to run something else. Raises ``UsageError`` where there is nothing to run."""
    if "handler" in function.about:
        progress.say(f"function: {function.about['handler']}")
        return
    modules = function.about["imports"]
    if not modules:
        raise UsageError("the zip holds no module that could be imported", hint="name some with --import, or --handler")
    more = f" and {len(modules) - MOST_MODULES} more" if len(modules) > MOST_MODULES else ""
    hint = "" if chosen else "; --import or --handler choose something else"
    progress.say(f"function: imports {', '.join(modules[:MOST_MODULES])}{more}{hint}")
