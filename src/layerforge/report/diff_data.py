"""The differences of two layers as data."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from layerforge.report.diff import ChangedPart, Changes, Delta
from layerforge.verify import verdict


def as_data(changes: Changes) -> dict[str, Any]:
    """Changes as plain data for JSON and for the page; all bytes, ``init_ms`` in milliseconds."""
    return {
        "same_bytes": changes.same_bytes,
        "same_content": changes.same_content,
        "zip_bytes": _delta(changes.zipped),
        "unzipped_bytes": _delta(changes.unzipped),
        "files": _delta(changes.count),
        "init_ms": _delta(changes.init.ms) if changes.init else None,
        "init_memory_mb": changes.init and changes.init.memory_mb,
        "init_in_turns": changes.init and changes.init.in_turns,
        "init_overlap": changes.init and changes.init.overlap,
        "packages": [_part(one) for one in changes.packages],
        "kinds": [_part(one) for one in changes.kinds],
        "changed_files": [
            {
                "path": one.after or one.before,
                "was": one.before,
                "package": one.name,
                "status": status(one),
                "unzipped": _delta(one.unzipped),
                "zipped": _delta(one.zipped),
            }
            for one in changes.files
        ],
        "findings": {"new": verdict.findings_json(changes.new), "gone": verdict.findings_json(changes.gone)},
        "made": [asdict(one) for one in changes.made],
    }


def status(part: ChangedPart) -> str:
    """``added``, ``removed`` or ``changed``."""
    return "changed" if part.before and part.after else "added" if part.after else "removed"


def _delta(delta: Delta) -> dict[str, Any]:
    return {"before": delta.before, "after": delta.after, "change": delta.change}


def _part(part: ChangedPart) -> dict[str, Any]:
    return {
        "name": part.name,
        "before": part.before,
        "after": part.after,
        "status": status(part),
        "files": _delta(part.files),
        "unzipped": _delta(part.unzipped),
        "zipped": _delta(part.zipped),
    }
