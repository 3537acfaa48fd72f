"""The files that come along: where they lie, in an installed package and in a checkout.

No other module counts folders from its own file, so that a module may move without a word.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import layerforge

PACKAGE = Path(layerforge.__file__).parent
CHECKOUT = PACKAGE.parents[1]


def path(name: str) -> Path:
    """Where a file of ``data/`` lies, ``page/style.css``."""
    return PACKAGE / "data" / name


def text(name: str) -> str:
    """Contents of a file of ``data/``."""
    return path(name).read_text("utf-8")


def table(name: str) -> dict[str, Any]:
    """Contents of a TOML file of ``data/``."""
    return tomllib.loads(text(name))


def carried(name: str, source: str) -> Path:
    """What the wheel carries as ``data/NAME``, and a checkout has at ``source``: ``recipes``, ``docs/rules.md``."""
    installed = path(name)
    return installed if installed.exists() else CHECKOUT / source
