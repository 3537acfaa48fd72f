"""Digests: of bytes, and of structured data by its canonical JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from layerforge.model import Blob


def sha256(data: bytes | memoryview) -> str:
    """Lower-case hexadecimal SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()


def of(value: object) -> str:
    """SHA-256 of ``value`` (built of dicts, lists, strings, numbers, booleans and ``None``) as canonical JSON."""
    return sha256(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode())


def blob(data: bytes) -> Blob:
    """A blob in memory."""
    return Blob(sha256=sha256(data), size=len(data), source=data)


def of_contents(rows: Iterable[tuple[int, str, str]]) -> str:
    """SHA-256 over sorted ``(mode, sha256, path)`` rows: equal for equal layers, whatever compressed them."""
    lines = sorted((path, f"{mode:06o} {sha} {path}\n") for mode, sha, path in rows)
    return sha256("".join(line for _, line in lines).encode("utf-8", "surrogateescape"))
