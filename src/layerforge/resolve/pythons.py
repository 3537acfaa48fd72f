"""Which of Lambda's Pythons a layer is made for, by what its project says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from layerforge.core import runtimes
from layerforge.core.errors import UsageError
from layerforge.resolve.errors import RecipeError

DEFAULT = "3.13"
"""The Python of a layer for which nothing names one."""

_PATCHES = 40
"""More than any minor version of Python has releases."""


def serves(requires_python: str, python: str) -> bool:
    """Whether some release of a Python's minor version is one that ``requires_python`` takes; any where it is empty,
    none where it makes no sense.
    """
    try:
        wanted = SpecifierSet(requires_python)
        return any(wanted.contains(f"{python}.{patch}", prereleases=True) for patch in range(_PATCHES))
    except (InvalidSpecifier, ValueError):
        return False


def serving(requires_python: str) -> tuple[str, ...]:
    """Lambda's Pythons that ``requires_python`` takes, oldest first. Raises ``RecipeError`` where none does."""
    try:
        SpecifierSet(requires_python)
    except InvalidSpecifier as error:
        raise RecipeError(
            f"requires-python makes no sense: {requires_python}", hint='write it such as ">=3.12"'
        ) from error
    found = tuple(one for one in runtimes.runtimes() if serves(requires_python, one))
    if not found:
        known = ", ".join(runtimes.runtimes())
        raise RecipeError(
            f"Lambda has no Python that requires-python takes: {requires_python}",
            hint=f"change it there; Lambda has {known}",
        )
    return found


def chosen(given: Sequence[str], requires_python: str, who: str = "") -> tuple[str, ...]:
    """The Pythons that a layer is made for: those that are ``given``, each inside ``requires_python``, else the newest
    of Lambda's inside that which AWS has announced, else the default.

    ``who`` is what is named in errors. Raises ``UsageError`` for one that is given and outside, ``RecipeError`` where
    Lambda has none inside.
    """
    if not requires_python:
        return tuple(given) or (DEFAULT,)
    inside = serving(requires_python)
    outside = [one for one in given if one not in inside]
    if outside:
        raise UsageError(
            f"{who or 'the project'} requires Python {requires_python}, and --python names {', '.join(outside)}",
            hint=f"--python takes {_or(inside)} for it",
        )
    return tuple(given) or _ready(inside)[-1:]


def oldest(given: str, requires_python: str, floor: str) -> str:
    """The Python from which on a lock is made: the one that is ``given``, else the oldest of Lambda's from ``floor`` on
    inside ``requires_python``, else the newest inside it.

    Raises what ``chosen`` raises.
    """
    if given:
        return chosen((given,), requires_python)[0]
    if not requires_python:
        return floor
    inside = serving(requires_python)
    known = list(runtimes.runtimes())
    return next((one for one in inside if known.index(one) >= known.index(floor)), inside[-1])


def _ready(inside: tuple[str, ...]) -> tuple[str, ...]:
    """Those that AWS has announced; all where it has announced none of them."""
    return tuple(one for one in inside if one in runtimes.announced()) or inside


def together(parts: Iterable[str]) -> str:
    """What several of ``requires_python`` take together."""
    named = [part.strip() for one in parts for part in one.split(",")]
    return ",".join(dict.fromkeys(one for one in named if one))


def _or(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
