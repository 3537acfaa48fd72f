"""What is worth knowing of a layer though nothing is wrong with it."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from layerforge.core.limits import DIRECT_UPLOAD_LIMIT
from layerforge.core.text import megabytes
from layerforge.examine import not_whole
from layerforge.examine.examination import Examination
from layerforge.verify.rules_table import Expect

_NEAR = datetime.timedelta(days=180)


def notes(examination: Examination, expect: Expect, *, today: datetime.date | None = None) -> tuple[str, ...]:
    """Lines for people. ``today`` is the date in UTC unless given. What could go, ``report/advice`` says."""
    today = today or datetime.datetime.now(datetime.UTC).date()
    parts = not_whole.told(not_whole.not_whole(examination.members))
    return (*([parts] if parts else []), *_upload(examination), *_support(expect, today))


def _upload(examination: Examination) -> Iterator[str]:
    if examination.zipped > DIRECT_UPLOAD_LIMIT:
        yield (
            f"{megabytes(examination.zipped)} zipped is more than a direct upload takes "
            f"({megabytes(DIRECT_UPLOAD_LIMIT)}), so publishing needs a bucket; "
            "`layerforge build --fit direct` looks for settings that fit"
        )


def _support(expect: Expect, today: datetime.date) -> Iterator[str]:
    runtime = expect.target.runtime
    if not runtime.deprecated:
        return
    end = datetime.date.fromisoformat(runtime.deprecated)
    if end - today <= _NEAR:
        when = "ended" if end < today else "ends"
        yield f"AWS's support for the Python {runtime.python} runtime {when} on {end}"
