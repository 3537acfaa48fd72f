"""Digests: of bytes, and of structured data by its canonical JSON."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path


def sha256(data: bytes | memoryview) -> str:
    """Lower-case hexadecimal SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()


def of_file(path: Path) -> str:
    """SHA-256 of a file's bytes, which are not held in memory at once. Raises ``OSError``."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_pieces(pieces: Iterable[bytes]) -> str:
    """SHA-256 of bytes that come piece by piece."""
    found = hashlib.sha256()
    for piece in pieces:
        found.update(piece)
    return found.hexdigest()


def of_record(field: str) -> str:
    """Hexadecimal SHA-256 of a RECORD's digest field; empty where it has none, ``unreadable`` where it is broken."""
    algorithm, _, value = field.partition("=")
    if algorithm != "sha256":
        return ""
    try:
        return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).hex()
    except ValueError:
        return "unreadable"


def of_json(value: object) -> str:
    """SHA-256 of ``value`` (built of dicts, lists, strings, numbers, booleans and ``None``) as canonical JSON."""
    return sha256(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode())


def of_contents(rows: Iterable[tuple[int, str, str]]) -> str:
    """SHA-256 over sorted ``(mode, sha256, path)`` rows: equal for equal layers, whatever compressed them."""
    lines = sorted((path, f"{mode:06o} {sha} {path}\n") for mode, sha, path in rows)
    return sha256("".join(line for _, line in lines).encode("utf-8", "surrogateescape"))
