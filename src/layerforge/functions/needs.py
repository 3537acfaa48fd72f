"""What a function needs of packages that were resolved for several: its requirements, and what these require."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from layerforge.core import guarded
from layerforge.core.runtimes import Target
from layerforge.layer.package_sizes import PackageSize
from layerforge.resolve import markers


def needed(
    requires: Iterable[str], packages: Mapping[str, PackageSize], target: Target, absent: frozenset[str] = frozenset()
) -> frozenset[str]:
    """Names of the packages that requirements come to on a target, by what each package's METADATA asks for.

    Extras are followed. What is ``absent``, or not among the packages, is left out with what only it needs.
    """
    environment = markers.environment(target)
    seen: set[tuple[str, str]] = set()
    ahead = list(_nodes(markers.required(requires, target)))
    while ahead:
        name, extra = ahead.pop()
        if (name, extra) in seen or name in absent or name not in packages:
            continue
        seen.add((name, extra))
        asked = map(guarded.requirement, packages[name].requires)
        ahead += _nodes(one for one in asked if markers.marker_applies(one.marker, environment, extra))
    return frozenset(name for name, _ in seen)


def _nodes(requirements: Iterable[Requirement]) -> Iterable[tuple[str, str]]:
    """Each requirement's package without an extra, and with each of its extras."""
    for one in requirements:
        name = canonicalize_name(one.name)
        yield from ((name, extra) for extra in ("", *sorted(one.extras)))
