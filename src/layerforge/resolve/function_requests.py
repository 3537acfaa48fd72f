"""From what a project file says of a function to a request."""

from __future__ import annotations

from dataclasses import replace

from layerforge.resolve import project_keys
from layerforge.resolve.catalogue import Catalogue
from layerforge.resolve.project_settings import FunctionWish
from layerforge.resolve.request import Request
from layerforge.resolve.targets import requests


def request(wish: FunctionWish, known: Catalogue) -> Request:
    """What a function asks for. Raises what ``targets.requests`` raises."""
    asks = wish.asks
    words = [*asks.requires, *map(project_keys.as_path, asks.file)]
    if asks.project is not None:
        words.append(project_keys.as_path(asks.project))
    [found] = requests(words, None, known)
    return replace(found, spec=replace(found.spec, name=wish.name), given=(wish.name,))
