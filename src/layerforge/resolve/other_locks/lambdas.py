"""Which of Lambda's targets something in a lock is for, as a marker that says nothing else.

A lock may tell by extras, groups and tables of its own when a package counts. Once it is known what is wanted, only the
target is left to decide, and there are a dozen of these.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName

from layerforge.core import runtimes
from layerforge.core.runtimes import Arch, Target
from layerforge.resolve.markers import environment

_EXTRA = re.compile(r"""\bextra\s*(==|!=)\s*("[^"]*"|'[^']*')""")
_TURNED = re.compile(r"""("[^"]*"|'[^']*')\s*(==|!=)\s*extra\b""")


def targets() -> list[Target]:
    """Every target of Lambda's."""
    return [runtimes.target(python, arch) for python in runtimes.runtimes() for arch in Arch]


def where(holds: Callable[[Target], bool]) -> str | None:
    """The marker of what holds for some targets: empty where it does for all, ``None`` where for none."""
    every = targets()
    fits = [one for one in every if holds(one)]
    if len(fits) == len(every):
        return ""
    return " or ".join(_of_python(python, fits) for python in dict.fromkeys(one.python for one in fits)) or None


def _of_python(python: str, fits: Iterable[Target]) -> str:
    machines = [one.arch.machine for one in fits if one.python == python]
    own = f'python_version == "{python}"'
    return own if len(machines) == len(Arch) else f'({own} and platform_machine == "{machines[0]}")'


def applies(marker: str, target: Target, extras: Iterable[str] = (), groups: Iterable[str] = ()) -> bool:
    """Whether a marker of a lock holds for a target where extras and groups are wanted.

    Raises ``ValueError`` for one that makes no sense.
    """
    if not marker:
        return True
    values: Mapping[str, Any] = {
        **environment(target),
        "extras": frozenset(extras),
        "dependency_groups": frozenset(groups),
    }
    try:
        return Marker(_of_sets(marker)).evaluate(dict(values), context="lock_file")
    except (InvalidMarker, UndefinedComparison, UndefinedEnvironmentName, KeyError, RecursionError) as error:
        raise ValueError(f"the marker {marker[:200]!r} makes no sense") from error


def _of_sets(marker: str) -> str:
    """A marker that asks for one extra, as one that asks whether it is among those that are wanted."""
    turned = _TURNED.sub(lambda match: f"extra {match[2]} {match[1]}", marker)
    return _EXTRA.sub(lambda match: f"{match[2]} {'in' if match[1] == '==' else 'not in'} extras", turned)
