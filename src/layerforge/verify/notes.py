"""What is worth knowing of a layer though nothing is wrong with it."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Iterator

from layerforge.model import DIRECT_UPLOAD_LIMIT, BytecodeMode, Examination, Member
from layerforge.progress import megabytes
from layerforge.verify.layout import site
from layerforge.verify.table import Expect, counted

_NEAR = datetime.timedelta(days=180)
_SMALLEST = 100_000
"""Bytes from which on something that could go is worth a line."""

_TESTS = re.compile(r"(?:.*/)?tests?/.*")
_STUBS = re.compile(r".*\.(?:pyi|pyx|pxd|h|hpp|a|c|cpp)")

_DEAD_WEIGHT: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("tests", _TESTS),
    ("stubs, headers and sources of compiled modules", _STUBS),
)


def notes(examination: Examination, expect: Expect, *, today: datetime.date | None = None) -> tuple[str, ...]:
    """Lines for people. ``today`` is the date in UTC unless given."""
    today = today or datetime.datetime.now(datetime.UTC).date()
    return (
        *_upload(examination, expect),
        *_support(expect, today),
        *_provided(examination, expect),
        *_removable(examination),
    )


def _upload(examination: Examination, expect: Expect) -> Iterator[str]:
    if examination.zipped > DIRECT_UPLOAD_LIMIT:
        options = ["`--compression max`"] + ["`--bytecode only`"] * (expect.bytecode is not BytecodeMode.ONLY)
        yield (
            f"{megabytes(examination.zipped)} zipped is more than a direct upload takes "
            f"({megabytes(DIRECT_UPLOAD_LIMIT)}), so publishing needs a bucket; {' and '.join(options)} would shrink it"
        )


def _support(expect: Expect, today: datetime.date) -> Iterator[str]:
    runtime = expect.target.runtime
    end = datetime.date.fromisoformat(runtime.deprecated)
    if end - today <= _NEAR:
        when = "ended" if end < today else "ends"
        yield f"AWS's support for the Python {runtime.python} runtime {when} on {end}"


def _provided(examination: Examination, expect: Expect) -> Iterator[str]:
    """What the layer brings though the runtime has it: a choice, since the layer's copy comes first on the path."""
    tops = expect.target.runtime.packages
    for name in sorted(tops):
        found = _select(examination.members, lambda member, name=name: _top(member) == name)  # type: ignore[misc]
        if found:
            yield f"{name} is part of the runtime already; {_cost(found)} in this layer could go"


def _top(member: Member) -> str:
    folder = site(member.path)
    return member.path.removeprefix(folder).partition("/")[0].removesuffix(".py") if folder else ""


def _removable(examination: Examination) -> Iterator[str]:
    for what, pattern in _DEAD_WEIGHT:
        found = _select(examination.members, lambda member, pattern=pattern: bool(pattern.fullmatch(member.path)))  # type: ignore[misc]
        if sum(member.size for member in found) >= _SMALLEST:
            yield f"{what} take {_cost(found)}"


def _select(members: Iterable[Member], wanted: Callable[[Member], bool]) -> tuple[Member, ...]:
    return tuple(member for member in members if wanted(member))


def _cost(members: tuple[Member, ...]) -> str:
    size, zipped = (sum(sizes) for sizes in zip(*((one.size, one.zipped) for one in members), strict=True))
    return f"{megabytes(size)} unzipped ({megabytes(zipped)} zipped, {counted(len(members), 'file')})"
