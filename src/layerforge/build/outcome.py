"""What a step of the build has to have made, and what its last lines say where it has not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from layerforge.build import compiler_flags
from layerforge.build.engine import Outcome, Task
from layerforge.build.plan import LibraryStep, PackageStep, SourceStep, SystemStep
from layerforge.core import process
from layerforge.core.errors import StepError
from layerforge.core.faults import writing
from layerforge.core.filing import write_atomically
from layerforge.core.text import megabytes

_LAST_LINES = 25
_LONGEST = 400
"""Characters of a command that an error shows."""

HINTS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), hint)
    for pattern, hint in (
        (
            r"fatal error: '?(\S+?)'?:? (?:file not found|No such file)",
            "the header {0} is missing: add the library to `needs`, or the image's package to [build] packages",
        ),
        (
            r"cannot find -l(\S+)|unable to find library -l(\S+)",
            "the library {0} is missing: add it to `needs`, or the image's package to [build] packages",
        ),
        (
            r"Dependency \"?(\S+?)\"? not found|No package '(\S+)' found",
            "{0} is missing: add it to `needs`, or the image's package to [build] packages",
        ),
        (
            r"(\S+): (?:command )?not found",
            "the program {0} is missing: name the image's package that brings it in [build] packages",
        ),
        (r"ModuleNotFoundError: No module named '(\S+)'", "the module {0} is missing: add it to [build] requires"),
        (
            r"No space left on device",
            "the disk is full: free some space or set LAYERFORGE_CACHE to a larger one; /tmp holds 1 GB, $TMPDIR more",
        ),
        (
            r"Temporary failure in name resolution|Could not resolve host|Network is unreachable",
            "steps have no network: name what it fetches in the recipe",
        ),
        (
            r"Read-only file system",
            "a step may write to its working folder, $PREFIX and $TMPDIR alone: let it install there",
        ),
        (
            r"[Cc]annot fork|Resource temporarily unavailable",
            "a step may have 4,096 processes at once: does a script call itself?",
        ),
    )
)


def require_success(outcome: Outcome, task: Task, out: Path, promised: Iterable[str]) -> None:
    """Raises ``StepError`` where a step failed, or succeeded without a result."""
    name = task.name
    evidence = tuple(outcome.output.splitlines()[-_LAST_LINES:])
    where = f"the whole log: {task.log}"
    if outcome.out_of_memory:
        raise StepError(
            f"{name} ran out of memory: it may have {megabytes(task.memory)}",
            hint=f"fewer at a time with --jobs 1; {where}",
            details=evidence,
        )
    if outcome.timed_out:
        raise StepError(
            f"{name} did not end within {task.timeout:,.0f} seconds",
            hint=f"does it wait for something? {where}",
            details=evidence,
        )
    if outcome.status:
        hint = "; ".join([*_fitting_hint(outcome.output), where])
        signal = process.signal_name(outcome.status)
        how = f"was ended by {signal}" if signal else f"failed with status {outcome.status}"
        raise StepError(f"{name} {how}", hint=hint, details=evidence)
    require_outputs(name, out, promised, f"does the script install into $PREFIX? {where}", evidence)


_WHOLE_LOG = re.compile(r"(?<=the whole log: ).+?\.log")


def with_log_here(hint: str, log: bytes, folder: Path) -> str:
    """A hint that names a log of another machine, with the same log in a folder of this one, where it is written."""
    found = _WHOLE_LOG.search(hint)
    if found is None:
        return hint
    here = folder / Path(found[0]).name
    with writing(folder):
        write_atomically(here, log)
    return _WHOLE_LOG.sub(lambda _match: str(here), hint)


def require_outputs(name: str, out: Path, promised: Iterable[str], hint: str, evidence: tuple[str, ...] = ()) -> None:
    """Raises ``StepError`` where a result lacks what the recipe says of it."""
    missing = [glob for glob in promised if not list(out.glob(glob))]
    if missing:
        raise StepError(f"{name} ended well but did not make {', '.join(missing)}", hint=hint, details=evidence)


def refuse_native(task: Task) -> None:
    """Raises ``StepError`` where a command in a step's log compiled for the processor of this machine."""
    with task.log.open(encoding="utf-8", errors="replace") as log:
        for line in log:
            if compiler_flags.compiles_for_this_machine(line):
                raise StepError(
                    f"{task.name} was compiled for this machine's processor, which Lambda's need not be like",
                    hint=f"take that flag out, with an option of the package or a sed in the script; "
                    f"the whole log: {task.log}",
                    details=(line.strip()[:_LONGEST],),
                )


def promised_files(step: SourceStep) -> Iterator[str]:
    """Globs of what a step's result has to hold."""
    match step:
        case LibraryStep():
            yield from step.library.ship
        case PackageStep():
            yield "*.whl"
        case SystemStep():
            yield from (f"lib/{soname}" for soname in step.sonames)


def _fitting_hint(output: str) -> Iterator[str]:
    for pattern, hint in HINTS:
        if match := pattern.search(output):
            yield hint.format(next((group for group in match.groups() if group), ""))
            return
