"""From what a project file says of a layer or a function to a request."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from packaging.utils import canonicalize_name

from layerforge.resolve import project_keys
from layerforge.resolve.catalogue import Catalogue
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.other_locks.formats import format_of
from layerforge.resolve.project_settings import Asks, FunctionWish, LayerWish
from layerforge.resolve.recipe import TargetLayer
from layerforge.resolve.request import Request
from layerforge.resolve.targets import requests
from layerforge.resolve.variant import Asked, Variant, of_layer
from layerforge.resolve.wanted import NOTHING, Wanted, wanted

PLANNED = "layers.lock"
"""The layers that functions share."""


def request(
    wish: LayerWish | FunctionWish, known: Catalogue, lock: Path | None = None, options: Wanted = NOTHING
) -> Request:
    """What a layer or a function asks for, with the versions of ``lock``, else of its own lock where it names one.

    Requirements are requirements, whatever recipes are called; the layer is called as its table is. ``options`` are
    extras and groups that count instead of its own where it has a project. Raises
    ``RecipeError`` where it names files that are not there, and what ``targets.requests`` raises.
    """
    asks, words = wish.asks, tuple(_words(wish.asks, known))
    _refuse_absent(wish)
    if not words and asks.lock:
        words, own = (project_keys.as_path(asks.lock),), lock
    else:
        own = lock or asks.lock
    named = options if options and asks.project else wanted(asks.extra, asks.group)
    [found] = requests(words, own, known, options=named)
    left = (*found.spec.leave_out, *(name for one in _recipes(asks, known) for name in one.leave_out))
    kind = _variant(wish, found.spec.requires, known)
    spec = replace(found.spec, name=wish.name, leave_out=tuple(dict.fromkeys(left)), variant=kind)
    return replace(found, spec=spec, given=(wish.name,), options=())


def lock_file(wish: LayerWish) -> Path:
    """Where the lock of a layer belongs."""
    return wish.asks.lock or Path(f"{wish.name}.lock")


def unlockable(wish: LayerWish) -> str:
    """Why nobody here writes the lock of a layer; empty where that is done."""
    file = lock_file(wish)
    if format_of(file):
        return f"{file} of layer {wish.name} is another tool's, which renews it"
    if file.name == PLANNED:
        return f"{file} of layer {wish.name} is what `layerforge split` plans: name another lock in its table"
    return f"layer {wish.name} is made of {file} itself" if wish.asks == Asks(lock=file) else ""


def _words(asks: Asks, known: Catalogue) -> Iterator[str]:
    """What is asked for, as words of a command line."""
    for text in asks.requires:
        layer = _recipe(text, known)
        yield from layer.requires if layer else (text,)
    yield from map(project_keys.as_path, asks.file)
    if asks.project is not None:
        yield project_keys.as_path(asks.project)


def _recipes(asks: Asks, known: Catalogue) -> Iterator[TargetLayer]:
    """The recipes whose names stand for what they require."""
    yield from (found for text in asks.requires if (found := _recipe(text, known)))


def _recipe(text: str, known: Catalogue) -> TargetLayer | None:
    found = known.target(canonicalize_name(text.strip()))
    return found.layer if found else None


def _variant(wish: LayerWish | FunctionWish, requires: Iterable[str], known: Catalogue) -> Variant | None:
    """The variant that a layer asks for. Raises ``RecipeError`` where a function does: its layers are others' too."""
    recipes = [found for text in wish.asks.requires if (found := known.target(canonicalize_name(text.strip())))]
    kinds = [one for one in recipes if one.variant]
    if kinds and isinstance(wish, FunctionWish):
        raise RecipeError(
            f"function {wish.name} requires {kinds[0].name}, a variant, and the layers that functions share are whole",
            hint=f'make it a layer of its own, [layer.NAME] with requires = ["{kinds[0].name}"], and name that in '
            f"`layers` of the function",
        )
    own = {text for one in kinds if one.layer for text in one.layer.requires}
    rest = [text for text in requires if text not in own]
    asked = [Asked(variant=one.variant) for one in kinds]
    return of_layer([*asked, Asked(requires=rest)])


def _refuse_absent(wish: LayerWish | FunctionWish) -> None:
    """Raises ``RecipeError`` for all files that a layer or a function names and that are not there."""
    asks, kind = wish.asks, "layer" if isinstance(wish, LayerWish) else "function"
    named = [("file", one) for one in asks.file] + [("project", asks.project)]
    absent = [f"{kind}.{wish.name}.{key}: {path}" for key, path in named if path and not os.path.lexists(path)]
    if absent:
        raise RecipeError(
            f"{kind} {wish.name} names what is not there",
            hint="paths begin at the folder of the project file",
            details=tuple(absent),
        )
