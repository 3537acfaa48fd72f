"""Advice as data for JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import accumulate
from typing import Any

from layerforge.measure.deferring.advise import Group, Reason
from layerforge.measure.deferring.investigate import Investigation
from layerforge.measure.deferring.owners import Owners

SCHEMA = 1
DIGITS = 3
"""Of a millisecond."""


def as_data(found: Investigation, owners: Owners) -> dict[str, Any]:
    """What was found out."""
    sums = accumulate(group.ms for group in found.groups)
    return {
        "imports_ms": round(found.ms, DIGITS),
        "modules": found.modules,
        "together": {
            "before_ms": round(found.before_ms, DIGITS),
            "after_ms": round(found.after_ms, DIGITS),
            "modules": found.modules_after,
            "still_loaded": sorted(found.still),
        },
        "groups": [_group(found, owners, group, total) for group, total in zip(found.groups, sums, strict=True)],
        "recipes": {
            one.package: {
                "ms": round(one.ms, DIGITS),
                "defer": {file: list(names) for file, names in one.defer.items()},
                "unread": {file: list(names) for file, names in one.unread.items()},
            }
            for one in found.recipes
        },
        "cannot_wait": [
            {
                "module": one.module,
                "ms": round(one.ms, DIGITS),
                "by": [asdict(place(found, owners, by)) for by in one.by],
            }
            for one in found.kept
        ],
    }


def _group(found: Investigation, owners: Owners, group: Group, total: float) -> dict[str, Any]:
    return {
        "module": group.module,
        "ms": round(group.ms, DIGITS),
        "sum_ms": round(total, DIGITS),
        "frees": list(group.freed),
        "imports": list(_imports(found, owners, group)),
    }


def _imports(found: Investigation, owners: Owners, group: Group) -> Iterator[dict[str, str]]:
    for wait in group.waits:
        file = found.trace.modules[wait.importer].file
        yield {"package": owners.package(file), "file": owners.path(file), "module": wait.module}


def place(found: Investigation, owners: Owners, reason: Reason) -> Reason:
    """A reason with a file in the place of its module, where that has one in the layer."""
    module = found.trace.modules.get(reason.module)
    return Reason(
        module=(owners.path(module.file) if module else "") or reason.module, line=reason.line, why=reason.why
    )
