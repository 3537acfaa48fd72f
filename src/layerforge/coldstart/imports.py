"""Which modules the init phase spends its time on, as ``-X importtime`` tells."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from layerforge.model import Member
from layerforge.page.coldstart import Import, grown, weighed

VARIABLE = {"PYTHONPROFILEIMPORTTIME": "1"}
"""Makes an interpreter tell how long each import took."""

_ROW = re.compile(r"import time:\s*(\d+)\s*\|\s*(\d+)\s*\| ( *)(\S+)\s*$")


def import_rows(output: str) -> Iterator[dict[str, int | str]]:
    """Rows ``{module, self_us, cumulative_us, depth}`` of the lines that an interpreter wrote, in their order.

    A module stands after those that it imported, two columns further to the left. Whatever else was printed is skipped.
    """
    for line in output.splitlines():
        if match := _ROW.search(line):
            own, total, indent, module = match.groups()
            yield {"module": module, "self_us": int(own), "cumulative_us": int(total), "depth": len(indent) // 2}


def import_tree(output: str, members: Iterable[Member]) -> tuple[Import, ...]:
    """The modules that the init phase imported itself, with all that they imported, and their bytes in the layer."""
    return weighed(grown(import_rows(output)), members)
