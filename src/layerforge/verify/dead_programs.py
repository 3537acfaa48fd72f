"""The rule about programs that are scripts: whether Lambda has what starts them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from layerforge.core.findings import Finding
from layerforge.core.paths import below_site
from layerforge.core.shebang import is_python
from layerforge.core.text import counted, visible
from layerforge.examine.examination import Examination, Member
from layerforge.layer.imports import module_parts
from layerforge.layer.programs import BIN, lacks
from layerforge.verify.rules_table import Expect, finding, named

_EXECUTABLE = 0o111
_LONGEST = 120
"""Characters of an interpreter's path that are shown."""


def dead_programs(examination: Examination, expect: Expect) -> Iterable[Finding]:
    """LF308: scripts whose interpreter neither Lambda nor the layer has; one finding for all of them."""
    runtime, paths = expect.target.runtime, examination.by_path
    found = [one for one in _programs(examination.members) if lacks(one.started_by, runtime, paths)]
    if found:
        first = found[0]
        message = f"is started with {_shown(first)}, which neither Lambda nor the layer has"
        yield finding("LF308", first.path, message + _others(found[1:]))


def _programs(members: Iterable[Member]) -> Iterator[Member]:
    """Scripts that something may start: those in ``bin/``, and executable ones elsewhere.

    Modules of packages are imported, whatever their mode and the line that some of them have left from elsewhere.
    """
    for one in members:
        is_module = bool(module_parts(below_site(one.path))) and is_python(one.started_by)
        if one.started_by and (one.path.startswith(BIN) or (one.mode & _EXECUTABLE and not is_module)):
            yield one


def _shown(member: Member) -> str:
    name = visible(member.started_by)
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…"


def _others(others: list[Member]) -> str:
    if not others:
        return ""
    names = named(tuple(f"{visible(one.path)} ({_shown(one)})" for one in others))
    return f"; {counted(len(others), 'more program')} cannot be started: {names}"
