"""Build environments: what each package that is compiled finds in its container besides the compilers.

A recipe locks them in ``build.lock`` beside its ``requirements.lock``, all in one file. A pin there whose marker names
extras is for compiling the packages of these names alone, so one may be compiled with another Cython than the next.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from layerforge.core import digest, guarded, runtimes
from layerforge.core.errors import LayerforgeError
from layerforge.core.runtimes import Arch, Target
from layerforge.core.text import counted
from layerforge.resolve import lock, locking, markers, sources, unpack_source, uv
from layerforge.resolve.errors import LockError
from layerforge.resolve.lock import Lock, Pin
from layerforge.resolve.recipe import SourcePackage
from layerforge.resolve.request import Request
from layerforge.resolve.sources import Search
from layerforge.resolve.uv import Asked

DYNAMIC = {"meson-python": ("ninja",), "scikit-build-core": ("cmake", "ninja"), "setuptools": ("wheel",)}
"""What build backends ask for only once they run, by the backend's package."""

_EXTRAS = "# A pin whose marker names an extra is for compiling the package of that name.\n"


@dataclass(frozen=True, kw_only=True)
class EnvironmentResolver:
    """What every build environment of one request is worked out with."""

    request: Request
    search: Search
    fetches: bool = True
    """Whether a ``build.lock`` is held against what source distributions declare, which have to be had for that."""


def build_pins(
    environments: EnvironmentResolver, pins: Sequence[Pin], target: Target, unlocked: frozenset[str] = frozenset()
) -> dict[str, tuple[Pin, ...]]:
    """The build environment of each package that is compiled, for ``target`` and the layer's ``pins``.

    From ``build.lock`` where the request's lock has one, but for the packages in ``unlocked``; else resolved from what
    the source distribution declares. What the layer holds too has the layer's version, and what the package needs of
    the same plan is left out. Raises ``LockError`` where a ``build.lock`` does not hold.
    """
    held = _read(environments.request, target)
    found: dict[str, tuple[Pin, ...]] = {}
    for part in environments.request.recipe.packages:
        own, locked = _pins_of(part, pins)[0], held is not None and part.name not in unlocked
        declared = _requires(environments, own, target) if environments.fetches or not locked else ()
        requires = (*declared, *environments.request.recipe.build_requires)
        if held is None or not locked:
            chosen = _resolved(environments, part, requires, pins, target)
        else:
            chosen = _locked(environments.request, held, part, requires, pins, target)
        found[part.name] = tuple(pin for pin in chosen if pin.name not in part.needs)
    return found


def universal(environments: EnvironmentResolver, found: Lock, oldest_python: str) -> str:
    """The text of a ``build.lock`` for a request whose lock is ``found``: for every platform, from a Python on."""
    by_package: dict[str, tuple[Pin, ...]] = {}
    for part in environments.request.recipe.packages:
        own = _pins_of(part, found.pins)
        requires = [one for pin in own for one in _for_all(environments, pin, oldest_python)]
        requires += environments.request.recipe.build_requires
        by_package[part.name] = _resolved(environments, part, requires, found.pins, oldest_python)
    first = locking.header(environments.request, oldest_python)
    return first + _EXTRAS + lock.render_portable(lock.merge_environments(by_package))


def _read(request: Request, target: Target) -> Lock | None:
    path = request.build_lock
    if path is None or not path.is_file():
        return None
    found = lock.parse(locking.read(path, request.way_out("write")), path.name)
    lock.check_python(found, target, request.way_out(python=target.python))
    return found


def _locked(
    request: Request, held: Lock, part: SourcePackage, requires: Iterable[str], pins: Iterable[Pin], target: Target
) -> tuple[Pin, ...]:
    """What ``build.lock`` says for a package, held against what it declares and against what the layer holds."""
    chosen = lock.applicable(held, target, part.name)
    names = {pin.name for pin in chosen}
    same = [f"{pin.name}=={pin.version}" for pin in pins if pin.name in names and pin.version]
    stale = f"build.lock is stale: it does not hold what {part.name} is compiled with"
    lock.check_fresh([*requires, *same], chosen, target, request.way_out(), stale)
    # Which package a pin is for is settled, and uv would take the extra for one that nobody asked for.
    return tuple(replace(pin, marker="") for pin in chosen)


def _resolved(
    environments: EnvironmentResolver,
    part: SourcePackage,
    requires: Iterable[str],
    pins: Iterable[Pin],
    where: Target | str,
) -> tuple[Pin, ...]:
    """What a package is compiled with, for a target or, from the Python ``where`` on, for every platform."""
    text = "\n".join(requires)
    layer = lock.render(replace(pin, hashes=(), extras=()) for pin in pins)
    with environments.search.progress.step("resolve") as step:
        try:
            asked = Asked(source=text, constraints=layer, indexes=environments.request.listed.indexes)
            locked = uv.compile_lock(asked, where)
            chosen = locking.understood(locked).pins
        except LayerforgeError as error:
            what = f"what {part.name} is compiled with cannot be resolved: {error.message}"
            raise LockError(what, hint=error.hint, details=error.details) from error
        step.note(f"{counted(len(chosen), 'package')} to compile {part.name} with")
    return chosen


def _pins_of(part: SourcePackage, pins: Iterable[Pin]) -> list[Pin]:
    own = [pin for pin in pins if pin.name == part.name]
    if not own:
        raise LockError(f"{part.name} is to be compiled but nothing requires it", hint="name it as a requirement too")
    return own


def _for_all(environments: EnvironmentResolver, pin: Pin, oldest_python: str) -> list[str]:
    """What a pin is compiled with wherever the pin applies."""
    runs = [runtimes.target(python, Arch.X86_64) for python in runtimes.runtimes()]
    fits = [one for one in runs if lock.applies(pin, one) and not lock.older(one.python, oldest_python)]
    requires = _requires(environments, pin, fits[0]) if fits else ()
    return [markers.with_marker(text, pin.marker) for text in requires]


def _requires(environments: EnvironmentResolver, pin: Pin, target: Target) -> tuple[str, ...]:
    """What a pin is compiled with: what its source distribution declares, and what its build backend asks for later.

    The source distribution is unpacked once; what it declares is kept.
    """
    key = digest.of_json([pin.name, pin.version, list(pin.hashes)])
    declared = _declared(environments.search.store.get("build-requires", key))
    if declared is None:
        source = uv.find_sdist(pin, target, environments.request.listed.indexes)
        data = sources.fetch(source, environments.search)
        with tempfile.TemporaryDirectory() as name:
            declared = list(sources.build_requires(unpack_source.unpack(data, pin.name, Path(name))))
        environments.search.store.put("build-requires", key, json.dumps(declared).encode())
    names = {canonicalize_name(Requirement(text).name) for text in declared}
    return (*declared, *(more for one in sorted(names) for more in DYNAMIC.get(one, ())))


def _declared(kept: bytes | None) -> list[str] | None:
    """Requirements that are kept; ``None`` where there are none, or something else."""
    try:
        found = guarded.json_as(kept, list[str]) if kept is not None else None
        return [str(Requirement(text)) for text in found] if found is not None else None
    except ValueError:  # no list of texts, or no requirements
        return None
