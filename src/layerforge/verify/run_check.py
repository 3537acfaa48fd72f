"""The running check: a program that imports what the layer brings, then runs the checks of its packages' recipes."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layerforge.build.engine import Engine, Job, Outcome
from layerforge.core import guarded, resources
from layerforge.core.findings import Finding
from layerforge.core.limits import LONGEST_INIT_MS
from layerforge.core.process import signal_name
from layerforge.core.runtimes import Target
from layerforge.examine.examination import Examination
from layerforge.layer.passes.deferring import Deferral
from layerforge.resolve.left_out import LeftOut, Why
from layerforge.resolve.recipe import CheckScript
from layerforge.resolve.requirement import known_modules
from layerforge.verify import waited
from layerforge.verify.imports import Imports, holds_code
from layerforge.verify.rules_table import finding, named
from layerforge.verify.verdict import Figures

MOST_NAMES = 3
"""Modules that one note names."""

MARKER = "layerforge-check:"
"""What the lines of the program's report begin with, before the word of the run; anything else is output of the modules
themselves."""

_LINES = 12
_OWN_FRAME = re.compile(
    r"""
    (?: \A | (?<=Traceback\ \(most\ recent\ call\ last\):\n) )     # outermost frame, or where the program cut it
    (?: [ ]{2}File\ "(?![^"\n/]+/check\.py"|/opt/)[^"\n]*",\ line\ \d+,\ in\ run\n )?
    (?: [ ]{4}.*\n )*                                                # its source, and marks below
    (?= [ ]{2}File\ "[^"\n/]+/check\.py" )
    """,
    re.VERBOSE,
)
"""The frame of the check program that runs ``check.py``, in the text of a traceback."""


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What a run has shown. No finding where all is well."""

    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    figures: Figures


def init_program(imports: Imports, word: str) -> str:
    """Source text of what runs in the init phase: it imports what it is told to and reports what fails.

    The report's lines begin with ``word``, which no module knows, so that none of them can be taken for it by what it
    prints. Code that searches the memory of its own process could still find the word: whoever wants to behave in a
    check and nowhere else needs no such thing.
    """
    text = resources.text("check_layer.py")
    start = f"checking({word!r}, {list(imports.needed)!r}, {list(imports.optional)!r})"
    return f"{text}\n\nCHECK = {start}\nnext(CHECK)\n"


def check_program(scripts: Sequence[CheckScript]) -> str:
    """Source text of the program behind that, which runs ``scripts`` one after another."""
    return f"CHECK.send({[(_called(one), one.text) for one in scripts]!r})\n"


def _called(script: CheckScript) -> str:
    """What a check is called in tracebacks and findings."""
    return f"{script.package}/check.py"


def run_check(
    engine: Engine,
    target: Target,
    opt: Path,
    imports: Imports,
    scripts: Sequence[CheckScript],
    timeout: float,
    *,
    env: Mapping[str, str] | None = None,
    runtime: Path | None = None,
    left_out: Iterable[LeftOut] = (),
    waiting: Sequence[Deferral] = (),
    word: str | None = None,
) -> Checked:
    """Runs the check of the layer unpacked at ``opt``; ``timeout`` is in seconds, ``env`` has the function's variables.
    ``runtime`` is where the packages of Lambda's own Python lie; ``left_out`` is what may be missing for a reason,
    ``waiting`` what is imported later than packages have it. ``word`` is a new one in each run.
    """
    word = secrets.token_hex(16) if word is None else word
    init, program = init_program(imports, word), check_program(scripts)
    job = Job(target=target, opt=opt, init=init, program=program, timeout=timeout, env=env or {}, runtime=runtime)
    outcome = engine.run(job)
    reports = tuple(_reports(outcome.output, MARKER + word))
    failed = {str(report["failed"]): report for report in reports if "failed" in report}
    excused = _excused(imports, failed)
    return Checked(
        findings=(
            *(_failed(report, tuple(left_out), waiting) for name, report in failed.items() if name not in excused),
            *_ended(outcome, reports, timeout),
            *_loaded(outcome),
        ),
        notes=tuple(_notes(outcome, imports, [failed[name] for name in failed if name in excused])),
        figures=figures(outcome, reports),
    )


def nothing_proved(examination: Examination) -> tuple[Finding, ...]:
    """The finding on a run that imported nothing, where there is code that it should have run."""
    if not holds_code(examination):
        return ()
    message = "nothing was imported, so nothing is proved: no file below python/ has a name that an import could use"
    return (finding("LF401", "", message, hint="name the modules in a recipe's [check] imports"),)


def _excused(imports: Imports, failed: Mapping[str, Any]) -> frozenset[str]:
    """Modules that may fail: those that nobody needs, and parts of a package of which others could be imported."""
    parts = [names for names in (imports.parts or {}).values() if not failed.keys() >= set(names)]
    return frozenset(imports.others).union(*parts) - set(imports.needed)


def _notes(outcome: Outcome, imports: Imports, failed: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    by_error: dict[str, list[str]] = {}
    for report in failed:
        by_error.setdefault(str(report.get("error", "")), []).append(str(report["failed"]))
    for error, names in by_error.items():
        # A generated client may have hundreds that all lack the same optional package.
        more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        need = "their packages do" if len(names) > 1 else "its package does"
        yield f"{', '.join(names[:MOST_NAMES])}{more} cannot be imported, which {need} not need: {error}"
    if not imports.names:
        yield "nothing was imported, since there is no Python module in the layer"
    if outcome.open:
        yield f"the run was not shut off as on Lambda: {outcome.open}"


def _loaded(outcome: Outcome) -> Iterator[Finding]:
    """What came from a machine whose libraries could not be hidden."""
    if outcome.foreign:
        message = f"was loaded from this machine, and Lambda does not have it: {named(outcome.foreign, 5)}"
        yield finding("LF103", "", message)


def figures(outcome: Outcome, reports: Sequence[Mapping[str, Any]]) -> Figures:
    """What the engine and the program itself have measured."""
    told = {name: value for report in reports for name, value in report.items()}
    wall, cpu = told.get("import_seconds"), told.get("import_cpu_seconds")
    return Figures(
        init_ms=outcome.init_ms,
        peak_memory=outcome.peak_memory,
        import_seconds=wall if isinstance(wall, float) else None,
        import_cpu_seconds=cpu if isinstance(cpu, float) else None,
    )


def _ended(outcome: Outcome, reports: Sequence[Mapping[str, Any]], timeout: float) -> Iterator[Finding]:
    """What the end of a check means."""
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
        took, allowed = f"{outcome.init_ms / 1000:.1f}", LONGEST_INIT_MS // 1000
        yield finding("LF408", "", f"the init phase took {took} s, Lambda allows {allowed} s")


def _reports(output: str, marker: str) -> Iterator[Mapping[str, Any]]:
    for line in output.splitlines():
        if line.startswith(marker):
            try:
                data = guarded.json_value(line.removeprefix(marker))
            except guarded.Unreadable:
                continue  # a module wrote into the line
            if isinstance(data, dict):
                yield data


def _failed(report: Mapping[str, Any], left_out: Sequence[LeftOut], waiting: Sequence[Deferral]) -> Finding:
    what, error = str(report["failed"]), str(report.get("error", ""))
    trace = "\n".join(map(str, report.get("trace", ())))
    missing = _left_out(error, left_out) or waited.hint(error, trace, waiting)
    if what.endswith("/check.py"):
        return finding("LF402", "", _with_lines(f"{what}: {error}", _trace(report)), hint=missing)
    return finding("LF401", "", f"import {what}: {error}", hint=missing or hint_of(error))


def _left_out(error: str, left_out: Sequence[LeftOut]) -> str:
    """What to do where what is missing was left out, or may have been; else empty."""
    said = set(_WORD.findall(error.partition(":")[2].lower()))
    names = [one.name for one in left_out if said & _words_for(one.name)]
    if not names and "No module named" in error:
        # A module need not be called as its package is.
        names = [one.name for one in left_out]
    if beside := [one.name for one in left_out if one.name in names and one.why is Why.BESIDE]:
        return f"{' or '.join(beside)} lies in another layer: verify all layers of a function together"
    return f"--leave-out has taken {' or '.join(names)} away, which is needed at once: let that in" if names else ""


def _words_for(package: str) -> set[str]:
    """Words by which an error may speak of a package."""
    return {package, package.replace("-", "_"), *(one for one, name in known_modules().items() if name == package)}


def _trace(report: Mapping[str, Any]) -> list[str]:
    """Lines of the traceback, from ``check.py`` on."""
    return _OWN_FRAME.sub("", "\n".join(map(str, report.get("trace", ())))).splitlines()


_WORD = re.compile(r"\w(?:[\w-]*\w)?")
_BY_NAME = (
    "Lambda's runtime does not have the library that is looked for by its name: put it into the layer's lib/ folder"
)


def hint_of(error: str) -> str:
    """A better hint than the rule's own, where the error names its cause; else empty."""
    for part, hint in (
        ("cannot load library", _BY_NAME),
        ("cannot open shared object file", "the library that is named has to be in the layer's lib/ folder; see LF103"),
        ("executable", "Lambda's runtime has no such program: put it into the layer's bin/ folder, or do without it"),
        ("failed to find lib", _BY_NAME),
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
