"""One requirement, as people write it at the command line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from layerforge.core import guarded, resources
from layerforge.core.errors import UsageError
from layerforge.resolve import lock
from layerforge.resolve.listed import unlockable

PACKAGE_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


def parsed(word: str) -> Requirement:
    """A word as a requirement. Raises ``UsageError`` for one that is none, or cannot be locked."""
    if not lock.holds_credentials(word) and (why := unlockable(word.strip())):
        raise UsageError(f"{lock.redacted(word)} cannot be locked", hint=why)
    try:
        return guarded.requirement(word)
    except guarded.Unreadable as error:
        raise UsageError(
            f"{lock.redacted(word[:200])!r} is neither a recipe, a path nor a requirement",
            hint='requirements look like lxml or "pandas>=3" (quoted, since the shell reads < and >)',
            details=(lock.redacted(str(error)),),
        ) from error


@cache
def known_modules() -> Mapping[str, str]:
    """The package that brings a module which people know better, by the module's name."""
    return {str(module): str(package) for module, package in resources.table("modules.toml").items()}


def refuse_module(requirement: Requirement) -> None:
    """Raises ``UsageError`` for a bare name that is a module's: the package of that name is another's, or nobody's."""
    package = known_modules().get(canonicalize_name(requirement.name))
    if package and not requirement.specifier and not requirement.url:
        name = requirement.name
        raise UsageError(
            f"{name} is a module of the package {package}, and no package that one would want",
            hint=f'name {package} instead, or "{name}>=0" for the package that is called so',
        )
