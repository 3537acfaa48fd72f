"""Build environments: what each package that is compiled finds in its container besides the compilers.

A recipe locks that of its own package in the ``build.lock`` in its folder. What is compiled besides, or in another
version, may be locked beside a request's own lock, all in one file. A pin there whose marker names extras is for
compiling the packages of these names alone, so one may be compiled with another Cython than the next.
"""

from __future__ import annotations

import json
import shlex
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
from layerforge.resolve import lock, locking, markers, resolution, sdists, sources, unpack_source, uv
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


def build_pins(environments: EnvironmentResolver, pins: Sequence[Pin], target: Target) -> dict[str, tuple[Pin, ...]]:
    """The build environment of each package that is compiled, for ``target`` and the layer's ``pins``.

    From the ``build.lock`` of its recipe, or beside the request's lock, where that is for its version; else resolved
    from what the source distribution declares. What it needs has the layer's version, and nothing else of the layer
    reaches into it: the same package in two layers is compiled once. What is needed of the same plan is left out.
    Raises ``LockError`` where a ``build.lock`` does not hold.
    """
    found: dict[str, tuple[Pin, ...]] = {}
    for part in environments.request.spec.packages:
        own = _pins_of(part, pins)[0]
        held = _held(environments.request, part, own, target)
        declared = _requires(environments, own, target) if environments.fetches or held is None else ()
        requires = (*declared, *part.build_requires)
        if held is None:
            chosen = _resolved(environments, part, requires, pins, target)
        else:
            chosen = _locked(held, part, requires, pins, target)
        found[part.name] = tuple(pin for pin in chosen if pin.name not in part.needs)
    return found


def for_source(
    name: str, declared: Sequence[str], target: Target, search: Search, indexes: tuple[str, ...] = ()
) -> tuple[Pin, ...]:
    """What the wheel of a source that is no release is built with: what it declares, and what its backend asks for."""
    names = {canonicalize_name(Requirement(text).name) for text in declared}
    requires = [*declared, *(more for one in sorted(names) for more in DYNAMIC.get(one, ()))]
    return _built_with(name, requires, "", target, search, indexes) if requires else ()


def universal(environments: EnvironmentResolver, found: Lock, oldest_python: str, path: Path) -> str:
    """The text of the ``build.lock`` at ``path`` for the packages of a request, whose lock is ``found``, that no other
    locks: for every platform, from a Python on. Empty where there is none.
    """
    by_package: dict[str, tuple[Pin, ...]] = {}
    compiled: list[Pin] = []
    for part in environments.request.spec.packages:
        own = _pins_of(part, found.pins)
        if part.build_lock != path and _serves(part, own):
            continue
        requires = [one for pin in own for one in _for_all(environments, pin, oldest_python)]
        chosen = _resolved(environments, part, [*requires, *part.build_requires], found.pins, oldest_python)
        by_package[part.name] = tuple(pin for pin in chosen if pin.name not in part.needs)
        compiled += own
    if not by_package:
        return ""
    first = locking.header(environments.request, oldest_python) + lock.purpose(compiled)
    extras = _EXTRAS if len(by_package) > 1 else ""
    return first + extras + lock.render_portable(lock.merge_environments(by_package))


def _serves(part: SourcePackage, own: Iterable[Pin]) -> bool:
    """Whether the package's recipe locks what every one of its pins is compiled with."""
    if part.build_lock is None:
        return False
    held = lock.parse(locking.read(part.build_lock, "write it anew"), part.build_lock.name)
    return all(held.serves(pin) for pin in own)


@dataclass(frozen=True, kw_only=True)
class _Held:
    """A ``build.lock`` that serves, and what to do where it does not hold."""

    lock: Lock
    renew: str


def _held(request: Request, part: SourcePackage, own: Pin, target: Target) -> _Held | None:
    """What locks a package's build environment: its recipe, else the request; ``None`` where neither does."""
    if part.build_lock is not None:
        renew = f"renew it with `{shlex.join(['layerforge', 'lock', str(part.build_lock.parent)])}`"
        found = lock.parse(locking.read(part.build_lock, renew), part.build_lock.name)
        if found.serves(own) and not (found.oldest_python and lock.older(target.python, found.oldest_python)):
            return _Held(lock=found, renew=renew)
    path = request.build_lock
    if path is None or path == part.build_lock or not path.is_file():
        return None
    found = lock.parse(locking.read(path, request.way_out("write")), path.name)
    lock.check_python(found, target, request.way_out(python=target.python))
    return _Held(lock=found, renew=request.way_out()) if found.serves(own) else None


def _locked(
    held: _Held, part: SourcePackage, requires: Iterable[str], pins: Iterable[Pin], target: Target
) -> tuple[Pin, ...]:
    """What a ``build.lock`` says for a package, held against what it declares and against what it shares with the
    layer.
    """
    chosen = [pin for pin in lock.applicable(held.lock, target, part.name) if pin.name not in part.needs]
    names = {pin.name for pin in chosen}
    shared = _shared(part, requires)
    same = [f"{pin.name}=={pin.version}" for pin in pins if pin.name in names & shared and pin.version]
    own = [text for text in requires if canonicalize_name(Requirement(text).name) not in part.needs]
    stale = f"build.lock is stale: it does not hold what {part.name} is compiled with"
    lock.check_fresh([*own, *same], chosen, target, held.renew, stale)
    # Which package a pin is for is settled, and uv would take the extra for one that nobody asked for.
    return tuple(replace(pin, marker="") for pin in chosen)


def _shared(part: SourcePackage, requires: Iterable[str]) -> set[str]:
    """Packages that have the layer's version when another is compiled: what its recipe needs; without a recipe, what it
    asks for itself. All else comes as the index has it, so that a layer's other packages change nothing.
    """
    return {canonicalize_name(Requirement(text).name) for text in requires} if part.shares_declared else set(part.needs)


def _resolved(
    environments: EnvironmentResolver,
    part: SourcePackage,
    requires: Iterable[str],
    pins: Iterable[Pin],
    where: Target | str,
) -> tuple[Pin, ...]:
    """What a package is compiled with, for a target or, from the Python ``where`` on, for every platform."""
    requires = list(requires)
    shared = _shared(part, requires)
    layer = lock.render(replace(pin, hashes=(), extras=()) for pin in pins if pin.name in shared)
    search, indexes = environments.search, environments.request.listed.indexes
    return _built_with(part.name, requires, layer, where, search, indexes)


def _built_with(
    name: str, requires: Iterable[str], limits: str, where: Target | str, search: Search, indexes: tuple[str, ...]
) -> tuple[Pin, ...]:
    with search.progress.step("resolve") as step:
        try:
            asked = Asked(source="\n".join(requires), constraints=limits, indexes=indexes)
            chosen = resolution.understood(uv.compile_lock(asked, where)).pins
        except LayerforgeError as error:
            what = f"what {name} is compiled with cannot be resolved: {error.message}"
            raise LockError(what, hint=error.hint, details=error.details) from error
        step.note(f"{counted(len(chosen), 'package')} to compile {name} with")
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
        source = sdists.find(pin, target, environments.search, environments.request.listed.indexes)
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
