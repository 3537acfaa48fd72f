"""Globs over POSIX paths: ``*`` stays within a folder, ``**`` spans any number of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

LONGEST = 500
"""Characters of a glob that somebody may write: a regular expression is made of it."""


@cache
def pattern(glob: str) -> re.Pattern[str]:
    """The regular expression of one glob: ``tests/**`` is everything below ``tests``, ``**/x`` matches ``x`` too."""
    parts: list[str] = []
    for part in re.split(r"(\*\*/|/\*\*$|\*\*|\*|\?)", glob):
        match part:
            case "**/":
                parts.append("(?:.*/)?")
            case "/**":
                parts.append("/.*")
            case "**":
                parts.append(".*")
            case "*":
                parts.append("[^/]*")
            case "?":
                parts.append("[^/]")
            case _:
                parts.append(re.escape(part))
    return re.compile("".join(parts), re.DOTALL)


def matches(path: str, globs: Iterable[str]) -> bool:
    """Whether any of ``globs`` matches the whole of ``path``."""
    return any(pattern(glob).fullmatch(path) for glob in globs)
