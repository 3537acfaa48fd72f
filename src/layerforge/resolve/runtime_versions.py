"""Whether the versions will do that Lambda's own Python has of its packages."""

from __future__ import annotations

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from layerforge.core.runtimes import Runtime

_CAPS = {"<", "<=", "==", "===", "~="}


def lets_all_in(requirement: Requirement, runtime: Runtime) -> bool:
    """Whether a requirement takes every version that the runtime may have, as far as those are known."""
    versions = runtime.versions.get(canonicalize_name(requirement.name), ())
    return bool(versions) and not requirement.url and all(map(requirement.specifier.contains, versions))


def is_capped(requirement: Requirement, runtime: Runtime) -> bool:
    """Whether a requirement takes no newer version than it names, unless the runtime's own will do in any case."""
    capped = bool(requirement.url) or any(one.operator in _CAPS for one in requirement.specifier)
    return capped and not lets_all_in(requirement, runtime)


def will_do(requirement: Requirement, runtime: Runtime) -> bool:
    """Whether a requirement is met by what the runtime has, no matter how old that is, and how new."""
    # Of what an extra asks for, the runtime has nothing.
    if requirement.url or requirement.extras or is_capped(requirement, runtime):
        return False
    oldest = runtime.oldest.get(canonicalize_name(requirement.name), "")
    met = bool(oldest) and requirement.specifier.contains(oldest)
    return not requirement.specifier or met or lets_all_in(requirement, runtime)
