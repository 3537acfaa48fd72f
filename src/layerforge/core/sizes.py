"""Sizes as people write them: ``60MB``, ``60 MB``, ``1.5 GiB``."""

from __future__ import annotations

import re
from collections.abc import Mapping

UNITS: Mapping[str, int] = {
    "bytes": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
}
"""Bytes of each unit, in the spelling that layerforge has for it."""

_FACTORS = {name.lower(): factor for name, factor in UNITS.items()}
_SIZE = re.compile(rf"([0-9]{{1,15}}(?:\.[0-9]{{1,15}})?)\s*({'|'.join(UNITS)})", re.IGNORECASE | re.ASCII)


def parsed(text: str) -> int | None:
    """Bytes of a number with a unit, in capitals or not; ``None`` for anything else, a bare number included."""
    match = _SIZE.fullmatch(text.strip())
    return int(float(match[1]) * _FACTORS[match[2].lower()]) if match else None
