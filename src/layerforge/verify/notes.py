"""What is worth knowing of a layer though nothing is wrong with it."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from layerforge.core.limits import DIRECT_UPLOAD_LIMIT
from layerforge.core.text import megabytes
from layerforge.examine.examination import Examination
from layerforge.resolve.recipe import BytecodeMode
from layerforge.verify.rules_table import Expect

_NEAR = datetime.timedelta(days=180)


def notes(examination: Examination, expect: Expect, *, today: datetime.date | None = None) -> tuple[str, ...]:
    """Lines for people. ``today`` is the date in UTC unless given. What could go, ``report/advice`` says."""
    today = today or datetime.datetime.now(datetime.UTC).date()
    return (*_upload(examination, expect), *_support(expect, today))


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
