"""Proves a layer from inside: imports its modules, then runs its check. Standard library only, Python 3.10 to 3.15.

A call of ``checking`` is written behind this text, for the init phase; the program that follows goes on with it. What
it reports are lines of JSON behind a marker and a word that is new in each run: ``{"doing": ...}`` before each step,
``{"failed": ..., "error": ..., "trace": [...]}`` for each failure, ``{"import_seconds": ...,
"import_cpu_seconds": ...}`` after the imports, and ``{"done": true}`` at the end, which is reached in no other way.
"""

import importlib
import json
import linecache
import os
import sys
import time
import traceback
from collections.abc import Callable, Generator
from types import ModuleType
from typing import Any


def checking(word: str, needed: list[str], others: list[str]) -> Generator[None, "list[tuple[str, str]]", None]:
    """Imports every module, whatever becomes of the rest, and waits for the checks, each a name and a text, which are
    run one after another where whatever is needed could be imported.

    The word is known to nothing that a module could ask for by name, and a generator that runs cannot be called.
    """

    def report(**facts: Any) -> None:
        # At once, so that it is there even if the next step ends the process.
        print("\nlayerforge-check:" + word + json.dumps(facts), flush=True)

    failed = import_all(report, [*needed, *others])
    scripts = yield
    if failed.isdisjoint(needed):
        for name, script in scripts:
            run(report, name, script)
    report(doing="exit")
    report(done=True)
    yield


def failure(report: Callable[..., None], doing: str, error: BaseException) -> None:
    """Reports an exception: its last line, and the lines of its traceback."""
    text = traceback.format_exception_only(type(error), error)
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__)).splitlines()
    report(failed=doing, error="".join(text[-1:]).strip(), trace=trace[-12:])


def import_all(report: Callable[..., None], names: list[str]) -> set[str]:
    """Imports every module; those that failed. One that wants to end the program has, whatever status it names."""
    failed = set()
    wall, cpu = time.perf_counter(), time.process_time()
    for name in names:
        report(doing="import " + name)
        try:
            importlib.import_module(name)
        except BaseException as error:
            failure(report, name, error)
            failed.add(name)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    report(import_seconds=round(wall, 4), import_cpu_seconds=round(cpu, 4))
    return failed


def run(report: Callable[..., None], name: str, script: str) -> None:
    """Runs a check as a program of its own."""
    report(doing=name)
    # A module of its own, so that the check can pickle what it defines, and cannot overwrite anything here.
    module = sys.modules["__main__"] = ModuleType("__main__")
    vars(module)["__file__"] = name
    # The traceback of a failed assertion can then show its line, though there is no such file.
    linecache.cache[name] = (len(script), None, script.splitlines(keepends=True), name)
    put_back = as_now()
    try:
        try:
            exec(compile(script, name, "exec"), vars(module))  # noqa: S102
        finally:
            put_back()
    except SystemExit as end:
        if end.code not in {None, 0} or not ended_itself(end, name):
            failure(report, name, end)
    except BaseException as error:
        failure(report, name, error)


def as_now() -> Callable[[], None]:
    """What puts back all that a check may have changed by its end, so that the next one begins as it did: working
    folder, variables, arguments, path and streams. Modules stay as they became.
    """
    folder, variables = os.getcwd(), dict(os.environ)  # noqa: PTH109 - nothing more is imported than is needed
    kept = (list(sys.argv), list(sys.path), sys.stdout, sys.stderr)

    def put_back() -> None:
        os.chdir(folder)
        if dict(os.environ) != variables:
            os.environ.clear()
            os.environ.update(variables)
        sys.argv, sys.path, sys.stdout, sys.stderr = kept

    return put_back


def ended_itself(error: BaseException, name: str) -> bool:
    """Whether an exception comes from the check's own lines, and not from a module that it uses."""
    frames = list(traceback.walk_tb(error.__traceback__))
    return bool(frames) and frames[-1][0].f_code.co_filename == name
