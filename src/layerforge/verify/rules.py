"""Judging an examined archive: static rules here, the running check in ``run_check``.

To add a rule, write a function ``(examination, expect) -> Iterable[Finding]``, name it in ``RULES``, give it a row in
``rules_table`` and a section in ``docs/rules.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from layerforge.core.findings import Finding, Severity
from layerforge.examine.examination import Examination
from layerforge.verify.archive_rules import dead_links, misplaced, too_large, unreadable, unsafe_names
from layerforge.verify.budget import above_budget
from layerforge.verify.bytecode_and_metadata import (
    foreign_paths,
    lying_records,
    metadata,
    path_files,
    stale,
    unusable,
    without_bytecode,
)
from layerforge.verify.dead_programs import dead_programs
from layerforge.verify.native_code import (
    copies,
    damaged,
    missing_libraries,
    newer_symbols,
    other_pythons,
    outside_paths,
    wrong_machine,
)
from layerforge.verify.rules_table import Expect

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
    dead_programs,
)


def judge(examination: Examination, expect: Expect) -> tuple[Finding, ...]:
    """Everything that is wrong with a layer as it lies there: errors first, then by rule and path."""
    found = (finding for rule in RULES for finding in rule(examination, expect))
    return tuple(sorted(found, key=lambda one: (one.severity is not Severity.ERROR, one.rule, one.path)))
