"""Whether what fails at run time may do so since an import waits: which, and what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence

from layerforge.layer.imports import module_name
from layerforge.layer.passes.deferring import Deferral

MOST_NAMED = 3

_CYCLE = re.compile(r"partially initialized module '([\w.]+)'")
_MISSING = re.compile(r"module '([\w.]+)' has no attribute '(\w+)'|cannot import name '(\w+)' from '([\w.]+)'")


def hint(error: str, trace: str, deferrals: Sequence[Deferral]) -> str:
    """What to do about an error that imports which wait may be the cause of; empty where none is likely to be.

    ``trace`` is the text of its traceback. An import that waits loads modules in another order than before, which may
    show a cycle, and leaves out what others counted on: ``import a.b`` of one module has ``a.b`` for all.
    """
    likely = [one for one in deferrals if _is_about(error, one)]
    if not likely and _CYCLE.search(error):
        likely = [one for one in deferrals if f"/{one.file}" in trace] or list(deferrals)
    if not likely:
        return ""
    named = [f"{', '.join(one.modules)} in {one.file} ({one.package})" for one in likely]
    more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    return (
        f"an import that waits may be the cause: {'; '.join(named[:MOST_NAMED])}{more}. "
        "Take it out of [defer] of that recipe, and build again"
    )


def _is_about(error: str, one: Deferral) -> bool:
    """Whether an error names the module whose import waits, or the one that has it wait."""
    names = set(_CYCLE.findall(error))
    for module, attribute, name, origin in _MISSING.findall(error):
        names |= {f"{module}.{attribute}"} if module else {origin, f"{origin}.{name}"}
    return bool(names & {module_name(one.file), *one.modules})
