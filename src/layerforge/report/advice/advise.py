"""Advice: what would help a layer most, with the bytes or the milliseconds that were measured of this very layer.

To add one, write a function ``(evidence) -> Iterable[Proposal]`` and name it in ``ADVISERS``. No byte is promised
twice: where two pieces of advice would save the same file, the one that stands first in ``ADVISERS`` gets it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from layerforge.core.runtimes import Target
from layerforge.core.text import counted, megabytes
from layerforge.examine import zip_content
from layerforge.examine.examination import Examination
from layerforge.report.advice.evidence import LayerEvidence, Proposal, Saving
from layerforge.report.advice.removable import removable
from layerforge.report.advice.sizes import (
    bytecode_only,
    copies,
    dead_weight,
    for_graphics,
    provided,
    several_libraries,
    symbols,
    twice,
    unused_bytecode,
)
from layerforge.report.advice.sources import unused
from layerforge.report.advice.times import missing_bytecode, slow_import
from layerforge.report.manifest import Manifest
from layerforge.resolve.left_out import LeftOut, Why

SMALLEST = 100_000
"""Unzipped bytes from which on something is worth a line."""

SMALLEST_SHARE = 0.005
"""The same as a share of the layer; both count."""

Adviser = Callable[[LayerEvidence], Iterable[Proposal]]

ADVISERS: tuple[Adviser, ...] = (
    missing_bytecode,
    slow_import,
    twice,
    provided,
    for_graphics,
    unused,
    copies,
    dead_weight,
    removable,
    unused_bytecode,
    bytecode_only,
    several_libraries,
    symbols,
)
"""Those that take most away stand before those that make the same files smaller."""

AT_ANY_SIZE = {"package-twice"}
"""What is worth a line however little it saves: which version is there may be another than the metadata says."""

TIMELY = ("missing-bytecode", "unused-bytecode", "slow-import")
"""Advice about time, which stands before that about bytes: compiling takes most of a cold start."""


@dataclass(frozen=True, kw_only=True)
class Advice:
    """One thing that would help."""

    kind: str
    """``bytecode-only``; stable, for programs."""
    message: str
    how: str
    bytes: int
    """Unzipped bytes that it saves; 0 where it saves time alone."""
    zipped: int | None
    """Zipped bytes that it saves; ``None`` where that was not measured."""
    files: int
    ms: float | None
    """Milliseconds of the imports of a cold start that it is about; ``None`` where that was not measured."""


def advise(evidence: LayerEvidence, advisers: Sequence[Adviser] = ADVISERS) -> tuple[Advice, ...]:
    """What would help most: first what makes each cold start compile, then what it need not import, then by bytes.

    Nothing below the thresholds.
    """
    proposals = apart(proposal for adviser in advisers for proposal in adviser(evidence))
    found = [_weighed(one) for one in proposals]
    least = smallest(evidence.examination.unzipped)
    worth = [one for one in found if one.bytes >= least or not one.files or one.kind in AT_ANY_SIZE]
    return tuple(sorted(worth, key=lambda one: (_place(one), -(one.ms or 0.0), -one.bytes, one.kind)))


def notes(evidence: LayerEvidence, *, ours: bool) -> tuple[str, ...]:
    """What a build or a verification says besides its findings: what could be left out, a line each.

    Of a layer of layerforge's own making (``ours``), the rules have dropped what they may.
    """
    found = advise(evidence, (provided, for_graphics) if ours else (provided, for_graphics, dead_weight))
    return (*(f"{one.message}; {one.how}" for one in found), *(_of_recipes(evidence) if ours else ()))


def _of_recipes(evidence: LayerEvidence) -> Iterator[str]:
    """What recipes could remove of a layer of layerforge's own: a line for the largest, and one for the others."""
    found = advise(evidence, (removable,))
    yield from (f"{one.message}; {one.how}" for one in found[:1])
    if found[1:]:
        size = megabytes(sum(one.bytes for one in found[1:]))
        yield f"{counted(len(found) - 1, 'package')} more could lose {size} by recipes; `layerforge inspect` says which"


def smallest(unzipped: int) -> int:
    """Unzipped bytes from which on something is worth a line, of a layer that has so many."""
    return max(SMALLEST, int(SMALLEST_SHARE * unzipped))


def _place(one: Advice) -> int:
    return TIMELY.index(one.kind) if one.kind in TIMELY else len(TIMELY)


def as_data(advice: Iterable[Advice]) -> list[dict[str, Any]]:
    """Advice as data for JSON and for the page."""
    return [asdict(one) for one in advice]


def apart(proposals: Iterable[Proposal]) -> Iterator[Proposal]:
    """Proposals without the files that an earlier one would save; those that are left without any are gone."""
    taken: set[str] = set()
    for one in proposals:
        savings: Mapping[str, Saving] = {path: saving for path, saving in one.savings.items() if path not in taken}
        taken |= savings.keys()
        if savings or not one.savings:
            yield replace(one, savings=savings)


def _weighed(proposal: Proposal) -> Advice:
    savings = proposal.savings.values()
    sizes = [saving.zipped for saving in savings]
    zipped = sum(size for size in sizes if size is not None) if savings and None not in sizes else None
    unzipped = sum(saving.unzipped for saving in savings)
    return Advice(
        kind=proposal.kind,
        message=f"{proposal.what}: {_cost(unzipped, zipped, len(savings))}" if savings else proposal.what,
        how=proposal.how,
        bytes=unzipped,
        zipped=zipped,
        files=len(savings),
        ms=proposal.ms,
    )


def _cost(unzipped: int, zipped: int | None, files: int) -> str:
    packed = "" if zipped is None else f"{megabytes(zipped)} zipped, "
    return f"{megabytes(unzipped)} ({packed}{counted(files, 'file')})"


def limited(examination: Examination, target: Target, left_out: Iterable[LeftOut]) -> tuple[str, ...]:
    """A line on each package that asks for versions of what Lambda's own Python is to bring: it may have others."""
    names = {one.name for one in left_out if one.why is Why.RUNTIME}
    if not names:
        return ()
    with zip_content.reader(examination.path) as read:
        capped = LayerEvidence(target=target, examination=examination, read=read).capped
    return tuple(
        f"{one} asks for certain versions of {', '.join(sorted(wanted & names))}, and the runtime may have others"
        for one, wanted in sorted(capped.items())
        if wanted & names
    )


def could_go(
    examination: Examination, target: Target, *, ours: bool, manifest: Manifest | None = None
) -> tuple[str, ...]:
    """What could be left out of a layer, a line each. For a layer of layerforge's own, ``ours``, only what is new."""
    with zip_content.reader(examination.path) as read:
        evidence = LayerEvidence(target=target, examination=examination, read=read, manifest=manifest)
        return notes(evidence, ours=ours)
