"""Judging an examined archive: static rules here, the running check in ``running``.

To add a rule, write a function ``(examination, expect) -> Iterable[Finding]``, name it in ``RULES``, give it a row in
``table`` and a section in ``docs/rules.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from layerforge.model import Examination, Finding, Severity
from layerforge.verify.imports import Imports, imports_of, top_level_imports
from layerforge.verify.modules import (
    foreign_paths,
    lying_records,
    metadata,
    path_files,
    stale,
    unusable,
    without_bytecode,
)
from layerforge.verify.native import (
    copies,
    damaged,
    missing_libraries,
    newer_symbols,
    other_pythons,
    outside_paths,
    wrong_machine,
)
from layerforge.verify.notes import notes
from layerforge.verify.packing import above_budget, dead_links, misplaced, too_large, unreadable, unsafe_names
from layerforge.verify.running import Checked, check_program, init_program, nothing_proved, run_check
from layerforge.verify.table import RULES_TABLE, Expect, Rule

__all__ = [
    "RULES",
    "RULES_TABLE",
    "Checked",
    "Expect",
    "Imports",
    "Rule",
    "check_program",
    "imports_of",
    "init_program",
    "judge",
    "notes",
    "nothing_proved",
    "run_check",
    "top_level_imports",
]

RULES: tuple[Callable[[Examination, Expect], Iterable[Finding]], ...] = (
    newer_symbols,
    wrong_machine,
    missing_libraries,
    outside_paths,
    copies,
    damaged,
    other_pythons,
    without_bytecode,
    stale,
    unusable,
    foreign_paths,
    metadata,
    lying_records,
    path_files,
    too_large,
    above_budget,
    unreadable,
    dead_links,
    misplaced,
    unsafe_names,
)


def judge(examination: Examination, expect: Expect) -> tuple[Finding, ...]:
    """Everything that is wrong with a layer as it lies there: errors first, then by rule and path."""
    found = (finding for rule in RULES for finding in rule(examination, expect))
    return tuple(sorted(found, key=lambda one: (one.severity is not Severity.ERROR, one.rule, one.path)))
