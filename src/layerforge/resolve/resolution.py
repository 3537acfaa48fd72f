"""What uv makes of a request: which versions its requirements come to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from layerforge.core.progress import Progress
from layerforge.core.runtimes import Target
from layerforge.resolve import excluding, lock, standins, uv
from layerforge.resolve.errors import LockError
from layerforge.resolve.lock import Lock, Pin
from layerforge.resolve.request import Request
from layerforge.resolve.sources import Search
from layerforge.resolve.uv import Asked


def asked_of(request: Request, progress: Progress | None = None) -> Asked:
    """What uv is to resolve."""
    listed = request.listed
    return Asked(
        source=request.lines,
        projects=request.projects,
        wanted=request.by_uv,
        constraints=listed.constraints,
        overrides="\n".join(one.line for one in request.made if one.instead),
        indexes=listed.indexes,
        preferred=request.preferred,
        prerelease=request.prerelease or listed.prerelease,
        on_warning=progress.warn if progress else None,
    )


def resolved(request: Request, where: Target | str, search: Search) -> str:
    """The text of the lock that a request comes to today. Raises ``LayerforgeError``."""
    out = excluded(request, where)
    asked = replace(asked_of(request, search.progress), excludes=tuple(sorted(out)))
    return standins.compile_lock(asked, where, _compiled(request, out), search, request.spec.requires)


def excluded(request: Request, where: Target | str) -> frozenset[str]:
    """What is to stay out of a layer, whoever requires it."""
    return excluding.excluded(request.spec.leave_out, uv.one_of(where).runtime)


def _compiled(request: Request, excludes: frozenset[str]) -> list[str]:
    """Packages of which source distributions count too."""
    names = dict.fromkeys([*request.from_sdist, *(part.name for part in request.spec.packages)])
    return [name for name in names if name not in excludes]


def within(
    request: Request, pins: Iterable[Pin], excludes: frozenset[str], where: Target | str, search: Search
) -> Lock:
    """What the requirements come to when every one of ``pins`` has its version. Raises ``LayerforgeError``."""
    pins = tuple(pins)
    fixed = lock.render(replace(pin, hashes=(), extras=()) for pin in pins)
    asked = asked_of(request)
    asked = replace(asked, constraints=f"{asked.constraints}\n{fixed}", excludes=tuple(sorted(excludes)))
    versions = [f"{pin.name}=={pin.version}" for pin in pins if pin.version]
    names = _compiled(request, excludes)
    return understood(standins.compile_lock(asked, where, names, search, [*versions, *request.spec.requires]))


def understood(text: str) -> Lock:
    """What uv made of requirements. It passes on what has no version and hash, such as a project on disk."""
    try:
        return lock.parse(text, "the resolved lock")
    except LockError as error:
        raise LockError(
            "the requirements cannot be locked",
            hint="change the requirements that are named: a layer is made of exact versions with hashes",
            details=error.details,
        ) from error
