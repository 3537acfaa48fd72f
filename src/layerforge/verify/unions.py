"""The rule about several layers of one function, which no layer alone can break."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from layerforge.core.findings import Finding
from layerforge.core.paths import PRIMING
from layerforge.core.text import counted
from layerforge.examine.examination import Examination, Member
from layerforge.examine.union import contested
from layerforge.layer.passes.priming import is_shared
from layerforge.verify.rules_table import ERROR, WARNING, finding

MOST_NAMED = 3


def same_paths(parts: Sequence[Examination]) -> Iterator[Finding]:
    """LF310: a file that two layers have at the same path, of which a function sees the last one's alone.

    With the same bytes in both it does no harm. Where they differ, a package has lost a file of its own.
    """
    found = {path: members for path, members in contested(parts).items() if not is_shared(path)}
    names = {path: [one.path.name for one in parts if path in one.by_path] for path in found}
    for differs, severity in ((True, ERROR), (False, WARNING)):
        paths = [path for path, members in found.items() if _differ(members) is differs]
        if not paths:
            continue
        what = "other contents" if differs else "the same contents"
        more = f"; so do {counted(len(paths) - 1, 'other path')}" if len(paths) > 1 else ""
        message = f"lies in {' and in '.join(names[paths[0]][:MOST_NAMED])}, with {what}{more}"
        yield finding("LF310", paths[0], message, severity=severity)
    yield from _of_two_makers(parts)


def _of_two_makers(parts: Sequence[Examination]) -> Iterator[Finding]:
    """LF310: the module that layers share, as two versions of layerforge lay it."""
    shared = {path: members for path, members in contested(parts).items() if is_shared(path)}
    # Where there is a source, it tells: bytecode of one source may be that of two Pythons.
    telling = [PRIMING] if PRIMING in shared else list(shared)
    for path in [path for path in telling if _differ(shared[path])][:1]:
        names = [part.path.name for part in parts if path in part.by_path]
        message = f"is not the same in {' and in '.join(names[:MOST_NAMED])}: the last one's loads what all have wait"
        hint = "build these layers with the same layerforge"
        yield finding("LF310", path, message, severity=WARNING, hint=hint)


def _differ(members: Sequence[Member]) -> bool:
    return len({(one.sha256, one.link) for one in members}) > 1
