"""Which layers a CI has to build: recipes × Pythons × processors, as far as locks allow."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from layerforge.core.errors import UsageError
from layerforge.core.runtimes import Arch, Target
from layerforge.resolve import lock, locking, recipe_file
from layerforge.resolve.catalogue import recipes_in
from layerforge.resolve.errors import LockError
from layerforge.resolve.request import Request
from layerforge.resolve.targets import PROJECT

RUNNERS: Mapping[Arch, str] = {Arch.X86_64: "ubuntu-24.04", Arch.ARM64: "ubuntu-24.04-arm"}
"""GitHub's machines by processor."""


@dataclass(frozen=True, kw_only=True)
class MatrixRow:
    """One job."""

    recipe: str
    """Name of the layer."""
    target: str
    """What ``layerforge build`` is told, a word on each line."""
    python: str
    arch: str
    runner: str


@dataclass(frozen=True, kw_only=True)
class Unserved:
    """A combination that cannot be built, and why."""

    recipe: str
    label: str
    """``py310-x86_64``"""
    reason: str


def expanded(targets: Sequence[str]) -> tuple[str, ...]:
    """The targets, with the recipes in a folder that are targets standing for the folder.

    Raises ``UsageError`` for a folder that is a path and holds no recipe, or none of a layer; ``RecipeError`` for a
    recipe with mistakes.
    """
    return tuple(word for target in targets for word in _expanded(target))


def _expanded(target: str) -> Iterator[str]:
    if not os.path.lexists(target):  # a name that is too long, too
        yield target
        return
    folder = Path(target)
    own = any((folder / name).is_file() for name in (recipe_file.FILE, PROJECT))
    found = recipes_in(folder)
    if found and not own:
        layers = [one for one in found if recipe_file.load(one).layer]
        if not layers:
            raise UsageError(f"no recipe in {target} is a layer's", hint="one with [layer] in it is; name that")
        yield from (str(one) if "/" in str(one) else f"./{one}" for one in layers)
    elif folder.is_dir() and not own and ("/" in target or target.startswith(".")):
        raise UsageError(f"{target} holds no recipes", hint=f"each is a folder in it with a {recipe_file.FILE}")
    else:
        yield target


def combine(
    requests: Iterable[Request], targets_of: Callable[[Request], Sequence[Target]]
) -> tuple[tuple[MatrixRow, ...], tuple[Unserved, ...]]:
    """The jobs that can do something, and what is left out. Raises what ``served`` raises."""
    pairs, left = served(requests, targets_of)
    return tuple(_row(request, target) for request, target in pairs), left


def served(
    requests: Iterable[Request], targets_of: Callable[[Request], Sequence[Target]]
) -> tuple[tuple[tuple[Request, Target], ...], tuple[Unserved, ...]]:
    """The layers that locks can serve, and what is left out. Reads locks and resolves nothing.

    Raises ``UsageError`` where none is left: CI takes an empty matrix as an error without saying why.
    """
    pairs: list[tuple[Request, Target]] = []
    left: list[Unserved] = []
    for request in requests:
        for target in targets_of(request):
            if reason := refusal(request, target):
                left.append(Unserved(recipe=request.spec.name, label=target.label, reason=reason))
            else:
                pairs.append((request, target))
    if not pairs:
        raise UsageError(
            "nothing is left to build",
            hint="name other Pythons, or write locks that serve these with `layerforge lock`",
            details=tuple(f"{one.recipe}-{one.label}: {one.reason}" for one in left),
        )
    return tuple(pairs), tuple(left)


def every_layer(folder: Path) -> tuple[str, ...]:
    """The recipes in a folder that are targets, as words. Raises ``UsageError`` where there are none."""
    if not recipes_in(folder):
        raise UsageError(f"{folder} holds no recipes", hint=f"each is a folder in it with a {recipe_file.FILE}")
    return expanded([str(folder) if folder.is_absolute() else f"./{folder}"])


def refusal(request: Request, target: Target) -> str:
    """Why a lock cannot serve a target; empty where it can, or where it is resolved only when it is built."""
    if request.lock is None:
        return ""
    try:
        found = locking.given(request)
        lock.check_python(found, target, "")
        pins = locking.pins(request, found, target)
    except LockError as error:
        return "; ".join([str(error), *error.details])
    return "" if pins else "nothing is required there"


def _row(request: Request, target: Target) -> MatrixRow:
    return MatrixRow(
        recipe=request.spec.name,
        target="\n".join(request.given),
        python=target.python,
        arch=str(target.arch),
        runner=RUNNERS[target.arch],
    )
