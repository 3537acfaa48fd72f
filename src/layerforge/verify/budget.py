"""What a layer may weigh, and who weighs most."""

from __future__ import annotations

from collections.abc import Iterator

from layerforge.core.findings import Finding
from layerforge.core.text import megabytes
from layerforge.examine.examination import Examination
from layerforge.verify.rules_table import Expect, finding

MOST_NAMED = 5


def largest(examination: Examination) -> str:
    """The packages that take most: ``scipy 75.2 MB, numpy 40.1 MB``."""
    sizes: dict[str, int] = {}
    for member in examination.members:
        name = member.package or "(no package)"
        sizes[name] = sizes.get(name, 0) + member.size
    rows = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))[:MOST_NAMED]
    return ", ".join(f"{name} {megabytes(size)}" for name, size in rows)


def above_budget(examination: Examination, expect: Expect) -> Iterator[Finding]:
    """LF303: more than the recipe allows."""
    if expect.spec is None:
        return
    for what, size, most in expect.spec.budget.exceeded(examination.unzipped, examination.zipped):
        message = f"{size:,} bytes {what}, {size - most:,} above the budget of {most:,}"
        yield finding("LF303", "", f"{message}; the largest packages are {largest(examination)}")
