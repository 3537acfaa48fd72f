"""From names that stay out of a layer to the packages that do: those, and what only they need."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence

from packaging.utils import canonicalize_name

from layerforge.core.errors import LayerforgeError, UsageError
from layerforge.core.runtimes import Runtime, Target
from layerforge.resolve import uv
from layerforge.resolve.errors import LockError
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.left_out import LeftOut, Why
from layerforge.resolve.lock import Pin
from layerforge.resolve.requirement import known_modules
from layerforge.resolve.uv import Asked

RUNTIME = "runtime"
"""The word for all that Lambda's own Python has."""


def distributions(runtime: Runtime) -> frozenset[str]:
    """The packages of a runtime's own, by the names that an index has for them."""
    return frozenset(known_modules().get(name, name) for name in runtime.packages)


def excluded(words: Iterable[str], runtime: Runtime) -> frozenset[str]:
    """Normalised names of the packages that words such as ``runtime`` stand for."""
    words = tuple(words)
    named = frozenset(canonicalize_name(word) for word in words if word != RUNTIME)
    return named | distributions(runtime) if RUNTIME in words else named


def names(spec: LayerSpec, runtime: Runtime) -> frozenset[str]:
    """Every package that is not looked for where the packages of a layer require it."""
    return excluded(spec.leave_out, runtime).union(one.name for one in spec.left_out)


def options(words: Iterable[str]) -> str:
    """The options that leave packages out, as a shell takes them."""
    return shlex.join(part for word in words for part in ("--leave-out", word))


def refuse_compiled(words: Iterable[str], compiled: Collection[str]) -> None:
    """Raises ``UsageError`` where what stays out is to be compiled too."""
    both = sorted({canonicalize_name(word) for word in words}.intersection(compiled))
    if both:
        raise UsageError(
            f"{', '.join(both)} cannot be left out and compiled",
            hint="leave --leave-out or --from-source out",
        )


def refuse_unknown(words: Iterable[str], known: Collection[str]) -> None:
    """Raises ``LockError`` for names that none of the ``known`` packages has."""
    unknown = [word for word in words if word != RUNTIME and canonicalize_name(word) not in known]
    if unknown:
        near = difflib.get_close_matches(canonicalize_name(unknown[0]), sorted({*known, RUNTIME}), 1)
        hint = f"perhaps you meant {near[0]}" if near else f"the packages are {', '.join(sorted(known))}"
        what = "no package of the layer is" if len(unknown) == 1 else "no packages of the layer are"
        raise LockError(f"{what} called {', '.join(unknown)}, so nothing is left out", hint=hint)


def refuse_nothing(left_out: Iterable[LeftOut]) -> None:
    """Raises ``LockError`` where nothing has stayed because of what was left out."""
    if names := ", ".join(one.name for one in left_out):
        raise LockError(
            "everything is left out, and a layer with nothing in it is none",
            hint="name fewer packages with --leave-out; what Lambda's own Python has needs no layer",
            details=(names,),
        )


def left_out(
    words: Sequence[str], runtime: Runtime, pins: Iterable[Pin], kept: Collection[str], sizes: Mapping[str, int]
) -> tuple[LeftOut, ...]:
    """What of ``pins`` is not ``kept``, with the reason, by name."""
    named, own = excluded(words, runtime), distributions(runtime)
    versions = {pin.name: pin.version for pin in pins if pin.name not in kept}
    return tuple(
        LeftOut(
            name=name,
            version=versions[name],
            why=Why.RUNTIME if name in own else Why.ASKED if name in named else Why.UNNEEDED,
            bytes=sizes.get(name),
        )
        for name in sorted(versions)
    )


def unresolved(words: Sequence[str], runtime: Runtime) -> tuple[LeftOut, ...]:
    """What words name, where it cannot be told which versions of it there would be, nor what only it needs."""
    own = distributions(runtime)
    names = sorted(excluded(words, runtime))
    return tuple(LeftOut(name=name, why=Why.RUNTIME if name in own else Why.ASKED) for name in names)


def wheel_sizes(pins: Iterable[Pin], where: Target | str, indexes: tuple[str, ...]) -> dict[str, int]:
    """Bytes of the wheels of pins, by name, as far as the index says them."""
    named = "\n".join(f"{pin.name}=={pin.version}" for pin in pins if pin.version)
    if not named or not isinstance(where, Target):
        return {}
    try:
        return uv.wheel_sizes(Asked(source=named, indexes=indexes), where)
    except LayerforgeError:
        return {}  # it is only told to people
