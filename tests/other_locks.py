"""Locks that other tools wrote, kept small: each was written by the tool itself, from what stands beside it."""

from __future__ import annotations

from pathlib import Path

from layerforge.resolve.other_locks import formats
from layerforge.resolve.other_locks.other_lock import OtherLock
from layerforge.resolve.wanted import wanted
from wheels import digest

KEPT = Path(__file__).parent / "data/other_locks"


def read(path: Path, extras: tuple[str, ...] = (), groups: tuple[str, ...] = (), project: str = "") -> OtherLock:
    """A lock, by the reader that its name has."""
    form = formats.format_of(path)
    assert form is not None
    return form.read(path, wanted(extras, groups), project)


def told(found: OtherLock) -> list[str]:
    """Its pins as people write them."""
    rows = ((f"{pin.name} {pin.version or pin.address}", pin.marker) for pin in found.lock.pins)
    return sorted(f"{what} where {marker}" if marker else what for what, marker in rows)


MAIN = [
    "certifi 2026.10.19.post1",
    "h11 0.16.0",
    "h2 4.4.1",
    "hpack 4.2.0",
    "httpcore 1.0.9",
    "hyperframe 6.1.0",
    "idna 3.9",
]
"""What all of these projects depend on, through the extra http2 of httpcore."""


def pylock_of(*wheels: Path, head: str = "") -> str:
    """The text of a lock in the format of the standards that holds these wheels, with their hashes."""
    rows = [f'lock-version = "1.0"\ncreated-by = "uv"\n{head}']
    for wheel in wheels:
        name, version = wheel.name.split("-")[:2]
        file = f'url = "https://files.example/{wheel.name}", hashes = {{ sha256 = "{digest(wheel)[7:]}" }}'
        rows.append(f'[[packages]]\nname = "{name.replace("_", "-")}"\nversion = "{version}"\nwheels = [{{ {file} }}]')
    return "\n".join(rows) + "\n"
