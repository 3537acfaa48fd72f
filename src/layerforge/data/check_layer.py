"""Proves a layer from inside: imports its modules, then runs its check. Standard library only, Python 3.10 to 3.14.

A call of ``main`` is written behind this text. What it reports are lines of JSON behind a marker: ``{"doing": ...}``
before each step, ``{"failed": ..., "error": ..., "trace": [...]}`` for each failure, and ``{"done": true}`` at the end.
"""

import importlib
import json
import linecache
import sys
import traceback
from types import ModuleType
from typing import Any

MARKER = "layerforge-check:"


def report(**facts: Any) -> None:
    """Writes one line at once, so that it is there even if the next step ends the process."""
    print("\n" + MARKER + json.dumps(facts), flush=True)


def failure(doing: str, error: BaseException) -> None:
    """Reports an exception: its last line, and the lines of its traceback."""
    text = traceback.format_exception_only(type(error), error)
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__)).splitlines()
    report(failed=doing, error="".join(text[-1:]).strip(), trace=trace[-12:])


def import_all(names: list[str]) -> bool:
    """Imports every module, whatever becomes of the others."""
    good = True
    for name in names:
        report(doing="import " + name)
        try:
            importlib.import_module(name)
        except (Exception, SystemExit) as error:
            failure(name, error)
            good = False
    return good


def run(script: str) -> None:
    """Runs the check as a program of its own."""
    report(doing="check.py")
    # A module of its own, so that the check can pickle what it defines, and cannot overwrite anything here.
    module = sys.modules["__main__"] = ModuleType("__main__")
    vars(module)["__file__"] = "check.py"
    # The traceback of a failed assertion can then show its line, though there is no such file.
    linecache.cache["check.py"] = (len(script), None, script.splitlines(keepends=True), "check.py")
    try:
        exec(compile(script, "check.py", "exec"), vars(module))  # noqa: S102
    except SystemExit as end:
        if end.code not in {None, 0}:
            failure("check.py", end)
    except Exception as error:
        failure("check.py", error)


def main(imports: list[str], script: str) -> None:
    """Does everything, and says so."""
    if import_all(imports) and script:
        run(script)
    report(doing="exit")
    report(done=True)
