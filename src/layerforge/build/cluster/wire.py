"""How a job ended, as JSON: all that ever comes back from a worker."""

from __future__ import annotations

import importlib
import json
from typing import Any

from layerforge.build.graph import Done, Failed
from layerforge.core import guarded
from layerforge.core.errors import LayerforgeError

MOST_DETAILS = 60
"""Lines of evidence that are sent; the whole log lies in the store."""

LONGEST_DETAIL = 1000
"""Characters of such a line."""


def of_done(done: Done) -> str:
    """A result."""
    return json.dumps({"done": {"key": done.key, "where": done.where, "seconds": done.seconds, "note": done.note}})


def of_failure(failed: Failed, *, passing: bool) -> str:
    """A failure. ``passing`` ones came of the machine and may not come again elsewhere."""
    error = failed.error
    kind = type(error)
    details = [line[:LONGEST_DETAIL] for line in error.details[-MOST_DETAILS:]]
    said = {"message": error.message, "hint": error.hint, "details": details}
    facts = {"key": failed.key, "where": failed.where, "seconds": failed.seconds, "passing": passing}
    return json.dumps({"failed": {**facts, **said, "kind": f"{kind.__module__}:{kind.__qualname__}"}})


def ended(text: str) -> tuple[Done | Failed, bool]:
    """What a worker sent, and whether it is a failure that passes. Raises ``Unreadable``."""
    sent = guarded.json_as(text.encode(), dict[str, dict[str, Any]])
    try:
        if (done := sent.get("done")) is not None:
            return Done(**done), False
        told = sent["failed"]
        error = _error(told["kind"], told["message"], told["hint"], tuple(told["details"]))
        return Failed(key=told["key"], error=error, where=told["where"], seconds=told["seconds"]), told["passing"]
    except (KeyError, TypeError) as error:
        raise guarded.Unreadable(f"it is no result: {error}") from error


def _error(kind: str, message: str, hint: str, details: tuple[str, ...]) -> LayerforgeError:
    """The error of the class that is named, where that is one of layerforge's."""
    module, _, name = kind.partition(":")
    found = None
    if module.split(".")[0] == "layerforge":
        found = getattr(importlib.import_module(module), name, None)
    if not (isinstance(found, type) and issubclass(found, LayerforgeError)):
        found = LayerforgeError
    return found(message, hint=hint, details=details)
