"""Proves a layer from inside: imports its modules, then runs its check. Standard library only, Python 3.10 to 3.14.

A call of ``import_all`` is written behind this text, for the init phase; the program that follows calls ``main``.
What they report are lines of JSON behind a marker: ``{"doing": ...}`` before each step, ``{"failed": ..., "error": ...,
"trace": [...]}`` for each failure, ``{"import_seconds": ..., "import_cpu_seconds": ...}`` after the imports, and
``{"done": true}`` at the end.
"""

import importlib
import json
import linecache
import sys
import time
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
    """Imports every module, whatever becomes of the others; whether all could be."""
    good = True
    wall, cpu = time.perf_counter(), time.process_time()
    for name in names:
        report(doing="import " + name)
        try:
            importlib.import_module(name)
        except (Exception, SystemExit) as error:
            failure(name, error)
            good = False
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    report(import_seconds=round(wall, 4), import_cpu_seconds=round(cpu, 4))
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


def main(imported: bool, script: str) -> None:  # noqa: FBT001
    """Runs the check where everything could be imported, and says so."""
    if imported and script:
        run(script)
    report(doing="exit")
    report(done=True)
