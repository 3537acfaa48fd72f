"""Releases with the time that they were published at, as far as their index says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from packaging.utils import canonicalize_name

from layerforge.core.runtimes import Target
from layerforge.resolve import uv
from layerforge.resolve.uv import Asked


@dataclass(frozen=True, kw_only=True)
class Dated:
    """A release, and when it was published."""

    version: str
    published: datetime | None = None
    """Of its first file; ``None`` where its index does not say."""


def dated(asked: Asked, where: Target | str, *, wheels: bool) -> dict[str, Dated]:
    """What ``uv.newest`` gives, with the time that each was published at."""
    only = uv.WHEELS if wheels else ()
    done = uv.run_compile(asked, where, ["--quiet", "--no-deps", "--format", "pylock.toml", "--no-header", *only])
    found = uv.rows(done.stdout) if not done.status else []
    return {
        canonicalize_name(row["name"]): Dated(version=row["version"], published=_published(row))
        for row in found
        if "version" in row
    }


def _published(row: Mapping[str, Any]) -> datetime | None:
    files = [*row.get("wheels", ()), *([row["sdist"]] if "sdist" in row else [])]
    times = [one["upload-time"] for one in files if isinstance(one.get("upload-time"), datetime)]
    return min(times, default=None)
