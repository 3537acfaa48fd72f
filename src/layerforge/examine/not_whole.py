"""Which packages of an archive are not whole, as those of a variant."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from layerforge.core.paths import below_site
from layerforge.examine.examination import Member
from layerforge.layer.variants import HELPER

_TELLS = (f"{HELPER}.py", f"{HELPER}.pyc")


def not_whole(members: Iterable[Member]) -> tuple[str, ...]:
    """Names of packages that parts are left out of, by what tells of these in their folders."""
    found = (member for member in members if posixpath.basename(member.path) in _TELLS)
    return tuple(sorted({member.package or below_site(member.path).partition("/")[0] for member in found}))


def told(packages: Iterable[str]) -> str:
    """What is to be known of them; empty where there are none."""
    names = ", ".join(packages)
    return f"a variant: {names} not whole, and what is left out says so when it is used" if names else ""
