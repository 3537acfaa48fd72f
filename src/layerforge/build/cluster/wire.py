"""How a job ended, as JSON: all that ever comes back from a worker."""

from __future__ import annotations

import json
from dataclasses import dataclass

from layerforge.build import wire
from layerforge.build.graph import Done, Failed
from layerforge.core import guarded


@dataclass(frozen=True, kw_only=True)
class _Failure:
    key: str
    where: str
    seconds: float
    passing: bool
    error: str


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """One of the two."""

    done: Done | None = None
    failed: _Failure | None = None


def of_done(done: Done) -> str:
    """A result."""
    return json.dumps({"done": {"key": done.key, "where": done.where, "seconds": done.seconds, "note": done.note}})


def of_failure(failed: Failed, *, passing: bool) -> str:
    """A failure. ``passing`` ones came of the machine and may not come again elsewhere."""
    facts = {"key": failed.key, "where": failed.where, "seconds": float(failed.seconds), "passing": passing}
    return json.dumps({"failed": {**facts, "error": wire.told(failed.error)}})


def ended(text: str) -> tuple[Done | Failed, bool]:
    """What a worker sent, and whether it is a failure that passes. Raises ``Unreadable``."""
    sent = guarded.json_as(text.encode(), _Answer)
    if sent.done is not None:
        return sent.done, False
    if sent.failed is None:
        raise guarded.Unreadable("it is no result")
    told = sent.failed
    return Failed(key=told.key, error=wire.error_of(told.error), where=told.where, seconds=told.seconds), told.passing
