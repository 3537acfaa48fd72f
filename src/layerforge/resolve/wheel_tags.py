"""Which of a release's wheels serves a target best, by the tags of their file names."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from layerforge.core.runtimes import Target, version
from layerforge.resolve.lock import Pin

_ALIASES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
"""Names of policies from before they were called after a version of glibc, by its minor one."""

_OLDEST_MINOR = {"x86_64": 5, "aarch64": 17}
"""Of glibc 2, by processor: no policy asks for an older one."""


def rank(file: str, target: Target) -> tuple[int, int, str]:
    """What uv prefers one wheel to another by: of those that serve a target, it takes the greatest.

    The place of the best tag, counted from the last, then the build number. 0 for what does not serve the target.
    """
    try:
        _, _, build, tags = parse_wheel_filename(file)
    except (InvalidWheelFilename, InvalidVersion):
        return 0, 0, ""
    places = _places(target)
    number, rest = build or (0, "")
    return max(places.get(tag, 0) for tag in tags), number, rest


def fits(file: str, target: Target) -> bool:
    """Whether a wheel serves a target."""
    return rank(file, target)[0] > 0


def is_of(file: str, pin: Pin) -> bool:
    """Whether a name is that of a wheel of a pin's release, and of a file in no other folder."""
    try:
        name, found, _, _ = parse_wheel_filename(file)
        return (
            "/" not in file
            and "\0" not in file
            and name == canonicalize_name(pin.name)
            and found == Version(pin.version)
        )
    except (InvalidWheelFilename, InvalidVersion):
        return False


def _places(target: Target) -> dict[Tag, int]:
    """The place of each tag that serves a target, counted from the last of those that uv prefers, which has 1."""
    return _places_of(target.python, target.runtime.manylinux, target.arch.machine)


@cache
def _places_of(python: str, manylinux: str, machine: str) -> dict[Tag, int]:
    platforms, interpreter = list(_platforms(manylinux, machine)), f"cp{python.replace('.', '')}"
    tags = cpython_tags(version(python), [interpreter], platforms)
    ordered = list(dict.fromkeys([*tags, *compatible_tags(version(python), interpreter, platforms)]))
    return {tag: len(ordered) - place for place, tag in enumerate(ordered)}


def _platforms(manylinux: str, machine: str) -> Iterator[str]:
    """Platforms that a target's system takes wheels of, the newest first."""
    newest = int(manylinux.rpartition("_")[2])
    for minor in range(newest, _OLDEST_MINOR[machine] - 1, -1):
        yield f"manylinux_2_{minor}_{machine}"
        if alias := _ALIASES.get(minor):
            yield f"{alias}_{machine}"
    yield f"linux_{machine}"
