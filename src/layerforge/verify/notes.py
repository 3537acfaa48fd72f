"""What is worth knowing of a layer though nothing is wrong with it."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Sequence

from layerforge.model import DIRECT_UPLOAD_LIMIT, BytecodeMode, Examination, Member
from layerforge.progress import counted, megabytes
from layerforge.runtimes import site
from layerforge.verify.table import Expect

_NEAR = datetime.timedelta(days=180)
_SMALLEST = 100_000
"""Bytes from which on something that could go is worth a line."""

_SMALLEST_PROVIDED = 1_000_000
"""The same for what the runtime has: small ones are mostly there because another package needs that very version."""

_TESTS = re.compile(r"(?:.*/)?tests?/.*")
_STUBS = re.compile(r".*\.(?:pyi|pyx|pxd|h|hpp|a|c|cpp)")

_DEAD_WEIGHT: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("tests", _TESTS),
    ("stubs, headers and sources of compiled modules", _STUBS),
)


def notes(
    examination: Examination, expect: Expect, *, today: datetime.date | None = None, savings: bool = True
) -> tuple[str, ...]:
    """Lines for people. ``today`` is the date in UTC unless given. ``savings``: what could be left out, too, for whom
    ``layerforge.advice`` does not say it.
    """
    today = today or datetime.datetime.now(datetime.UTC).date()
    could_go = (*_provided(examination, expect), *_removable(examination)) if savings else ()
    return (*_upload(examination, expect), *_support(expect, today), *could_go)


def _upload(examination: Examination, expect: Expect) -> Iterator[str]:
    if examination.zipped > DIRECT_UPLOAD_LIMIT:
        smaller = (
            "--compression small" if expect.bytecode is BytecodeMode.ONLY else "--bytecode only --compression small"
        )
        yield (
            f"{megabytes(examination.zipped)} zipped is more than a direct upload takes "
            f"({megabytes(DIRECT_UPLOAD_LIMIT)}), so publishing needs a bucket; `{smaller}` makes it smaller"
        )


def _support(expect: Expect, today: datetime.date) -> Iterator[str]:
    runtime = expect.target.runtime
    end = datetime.date.fromisoformat(runtime.deprecated)
    if end - today <= _NEAR:
        when = "ended" if end < today else "ends"
        yield f"AWS's support for the Python {runtime.python} runtime {when} on {end}"


def _provided(examination: Examination, expect: Expect) -> Iterator[str]:
    """What the layer brings though the runtime has it: a choice, since the layer's copy comes first on the path."""
    found = [one for one in examination.members if _top(one) in expect.target.runtime.packages]
    if _size(found) >= _SMALLEST_PROVIDED:
        names = ", ".join(sorted({_top(one) for one in found}))
        yield f"the runtime has its own {names}: without the layer's, {_cost(found)} less, in the runtime's versions"


def _top(member: Member) -> str:
    folder = site(member.path)
    return member.path.removeprefix(folder).partition("/")[0].removesuffix(".py") if folder else ""


def _removable(examination: Examination) -> Iterator[str]:
    for what, pattern in _DEAD_WEIGHT:
        found = [one for one in examination.members if pattern.fullmatch(one.path)]
        if _size(found) >= _SMALLEST:
            yield f"{what} take {_cost(found)}"


def _size(members: Sequence[Member]) -> int:
    return sum(member.size for member in members)


def _cost(members: Sequence[Member]) -> str:
    zipped = sum(member.zipped for member in members)
    return f"{megabytes(_size(members))} unzipped ({megabytes(zipped)} zipped, {counted(len(members), 'file')})"
