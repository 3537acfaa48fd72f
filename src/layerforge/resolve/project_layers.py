"""From what a project file says of a layer or a function to a request."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from packaging.utils import canonicalize_name

from layerforge.core.errors import UsageError
from layerforge.resolve import file_kinds, project_keys
from layerforge.resolve.catalogue import Catalogue
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.project_settings import Asks, FunctionWish, LayerWish
from layerforge.resolve.recipe import TargetLayer
from layerforge.resolve.request import Request
from layerforge.resolve.targets import requests


def request(wish: LayerWish | FunctionWish, known: Catalogue, lock: Path | None = None) -> Request:
    """What a layer or a function asks for, with the versions of ``lock``, else of its own lock where it names one.

    Requirements are requirements, whatever recipes are called; the layer is called as its table is. Raises
    ``RecipeError`` where it names files that are not there, and what ``targets.requests`` raises.
    """
    asks, words = wish.asks, tuple(_words(wish.asks, known))
    _refuse_absent(wish)
    if not words and asks.lock:
        words, own = (project_keys.as_path(asks.lock),), lock
    else:
        own = lock or asks.lock
    [found] = requests(words, own, known)
    left = (*found.spec.leave_out, *(name for one in _recipes(asks, known) for name in one.leave_out))
    spec = replace(found.spec, name=wish.name, leave_out=tuple(dict.fromkeys(left)))
    return replace(found, spec=spec, given=(wish.name,))


def lock_file(wish: LayerWish) -> Path:
    """Where the lock of a layer belongs. Raises ``UsageError`` where that is what the layer itself is made of, or
    another tool's.
    """
    file = wish.asks.lock or Path(f"{wish.name}.lock")
    if found := file_kinds.kind(file.name):
        raise UsageError(f"{file} {found[0]}, and renewed by its own tool", hint=f"take the layer {wish.name} out")
    if wish.asks == Asks(lock=wish.asks.lock):
        raise UsageError(
            f"the layer {wish.name} is made of {file} itself", hint=f"say what it requires in [layer.{wish.name}]"
        )
    return file


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
