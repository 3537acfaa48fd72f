"""The running check: a program that imports what the layer brings, then runs the recipe's own check."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from layerforge.model import Engine, Examination, Figures, Finding, Job, Outcome, Target
from layerforge.process import signal_name
from layerforge.runtimes import site
from layerforge.verify.table import finding

MARKER = "layerforge-check:"
"""What the lines of the program's report begin with; anything else is output of the modules themselves."""

_NO_MODULES = frozenset(
    {"bin", "share", "include", "etc", "man", "test", "tests", "testing", "doc", "docs", "example", "examples"}
    | {"benchmark", "benchmarks", "conftest", "setup", "scripts"}
)
"""Top-level names that wheels leave behind by mistake, or that are no modules."""

_LINES = 12

LONGEST_INIT_MS = 10_000
"""Milliseconds that Lambda gives a function to initialise; then it starts it anew, in the time of the invocation."""

_OWN_FRAME = re.compile(
    r"""
    (?: \A | (?<=Traceback\ \(most\ recent\ call\ last\):\n) )     # outermost frame, or where the program cut it
    (?: [ ]{2}File\ "(?!check\.py"|/opt/)[^"\n]*",\ line\ \d+,\ in\ run\n )?
    (?: [ ]{4}.*\n )*                                                # its source, and marks below
    (?= [ ]{2}File\ "check\.py" )
    """,
    re.VERBOSE,
)
"""The frame of the check program that runs ``check.py``, in the text of a traceback."""


def top_level_imports(examination: Examination) -> tuple[str, ...]:
    """Modules to import where a recipe names none: every top-level package and module, sorted.

    A folder counts where it has an ``__init__``; private names, tests and the like do not.
    """
    return tuple(sorted({name for member in examination.members if (name := _module(member.path))}))


def _module(path: str) -> str:
    """Name of the top-level module that the file at ``path`` makes importable; empty where it does not."""
    folder = site(path)
    parts = path.removeprefix(folder).split("/")
    stem, _, suffix = parts[-1].partition(".")
    is_code = suffix in {"py", "pyc", "so", "abi3.so"} or (suffix.startswith("cpython-") and suffix.endswith(".so"))
    is_package = len(parts) == 2 and stem == "__init__"
    name = parts[0] if is_package else stem
    wanted = name.isidentifier() and not name.startswith("_") and name not in _NO_MODULES
    return name if folder and is_code and wanted and (is_package or len(parts) == 1) else ""


def init_program(imports: tuple[str, ...]) -> str:
    """Source text of what runs in the init phase: it imports each of ``imports`` and reports what fails."""
    text = resources.files("layerforge").joinpath("data/check_layer.py").read_text("utf-8")
    return f"{text}\n\nIMPORTED = import_all({list(imports)!r})\n"


def check_program(script: str) -> str:
    """Source text of the program behind that, which runs ``script``."""
    return f"main(IMPORTED, {script!r})\n"


def run_check(
    engine: Engine, target: Target, opt: Path, imports: tuple[str, ...], script: str, timeout: float
) -> tuple[tuple[Finding, ...], Figures]:
    """Runs the check of the layer unpacked at ``opt``; ``timeout`` is in seconds. No finding where all is well."""
    init, program = init_program(imports), check_program(script)
    outcome = engine.run(Job(target=target, opt=opt, init=init, program=program, timeout=timeout))
    return tuple(read_outcome(outcome, timeout)), figures(outcome)


def figures(outcome: Outcome) -> Figures:
    """What the engine and the program itself have measured."""
    told = {name: value for report in _reports(outcome.output) for name, value in report.items()}
    wall, cpu = told.get("import_seconds"), told.get("import_cpu_seconds")
    return Figures(
        init_ms=outcome.init_ms,
        peak_memory=outcome.peak_memory,
        import_seconds=wall if isinstance(wall, float) else None,
        import_cpu_seconds=cpu if isinstance(cpu, float) else None,
    )


def read_outcome(outcome: Outcome, timeout: float) -> Iterator[Finding]:
    """What the end of a check means."""
    reports = list(_reports(outcome.output))
    yield from (_failed(report) for report in reports if "failed" in report)
    doing = next((str(report["doing"]) for report in reversed(reports) if "doing" in report), "start")
    if outcome.timed_out:
        yield finding("LF404", "", f"did not end within {timeout:g} seconds; it was at: {doing}")
    elif outcome.out_of_memory:
        yield finding("LF409", "", f"had not enough memory for: {doing}")
    elif outcome.status < 0:
        message = f"ended by {signal_name(outcome.status)} at: {doing}"
        yield finding("LF403", "", _with_lines(message, _others(outcome.output)))
    elif outcome.status or not any("done" in report for report in reports):
        message = f"ended with status {outcome.status} at: {doing}"
        yield finding("LF402", "", _with_lines(message, _others(outcome.output)))
    elif outcome.init_ms is not None and outcome.init_ms > LONGEST_INIT_MS:
        yield finding("LF408", "", f"the init phase took {outcome.init_ms / 1000:.1f} s, Lambda allows 10 s")


def _reports(output: str) -> Iterator[Mapping[str, Any]]:
    for line in output.splitlines():
        if line.startswith(MARKER):
            try:
                data = json.loads(line.removeprefix(MARKER))
            except ValueError:
                continue  # a module wrote into the line
            if isinstance(data, dict):
                yield data


def _failed(report: Mapping[str, Any]) -> Finding:
    what, error = str(report["failed"]), str(report.get("error", ""))
    if what == "check.py":
        return finding("LF402", "", _with_lines(error, _trace(report)))
    return finding("LF401", "", f"import {what}: {error}", hint=_hint(error))


def _trace(report: Mapping[str, Any]) -> list[str]:
    """Lines of the traceback, from ``check.py`` on."""
    return _OWN_FRAME.sub("", "\n".join(map(str, report.get("trace", ())))).splitlines()


def _hint(error: str) -> str:
    """A better hint than the rule's own, where the error names its cause."""
    for part, hint in (
        ("cannot open shared object file", "the library that is named has to be in the layer's lib/ folder; see LF103"),
        ("not page-aligned", "the file was damaged by strip or patchelf; see LF106"),
        ("version `GLIBC", "the package was built for a newer system; see LF101"),
        ("PackageNotFoundError", "the package reads its own .dist-info at import; see LF205"),
        ("Read-only file system", "/opt is read-only on Lambda: let the package write below /tmp"),
    ):
        if part in error:
            return hint
    return ""


def _others(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.strip() and not line.startswith(MARKER)]


def _with_lines(message: str, lines: list[str]) -> str:
    return "\n".join((message, *(f"    {line}" for line in lines[-_LINES:])))
