"""Environment markers: for which targets a requirement counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement

from layerforge.core.metadata import fields_of
from layerforge.core.runtimes import Target

MOST_REQUIRED = 10_000
"""Requirements of one package that are read; those that ask for most have about 1,500, under all their extras."""


def environment(target: Target) -> dict[str, str]:
    """The values of PEP 508's markers on ``target``."""
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{target.python}.0",
        "os_name": "posix",
        "platform_machine": target.arch.machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{target.python}.0",
        "python_version": target.python,
        "sys_platform": "linux",
    }


def declared(text: bytes | str) -> Iterator[Requirement]:
    """What a METADATA file requires, under whichever markers. Rows that make no sense are passed over, and
    so is what comes after the first ``MOST_REQUIRED``.
    """
    for row in fields_of(text).get_all("Requires-Dist", ())[:MOST_REQUIRED]:
        with suppress(InvalidRequirement):
            yield Requirement(str(row))


def asked(text: bytes, environment: Mapping[str, str]) -> tuple[Requirement, ...]:
    """What a METADATA file requires without any extra, where markers have these values."""
    return tuple(one for one in declared(text) if marker_applies(one.marker, environment))


def marker_applies(marker: Marker | None, environment: Mapping[str, str], extra: str = "") -> bool:
    """Whether what bears ``marker`` counts where markers have these values. A marker that makes no sense never does."""
    try:
        return marker is None or marker.evaluate({**environment, "extra": extra})
    except (ValueError, KeyError):
        return False


def both_markers(one: str, other: str) -> str:
    """A marker that holds where both do."""
    return f"({one}) and ({other})" if one and other else one or other


def with_marker(requirement: str, marker: str) -> str:
    """A requirement that counts only where ``marker`` does."""
    parsed = Requirement(requirement)
    both = both_markers(str(parsed.marker or ""), marker)
    parsed.marker = Marker(both) if both else None
    return str(parsed)


def required(requires: Iterable[str], target: Target) -> Iterator[Requirement]:
    """The requirements that count on ``target``."""
    for requirement in map(Requirement, requires):
        if not requirement.marker or requirement.marker.evaluate(environment(target)):
            yield requirement
