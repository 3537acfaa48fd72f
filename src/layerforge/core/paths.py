"""Paths inside a layer: POSIX strings relative to ``/opt``, such as ``python/numpy/__init__.py``."""

from __future__ import annotations

import re

SITE = "python"
"""Folder of a layer that Lambda puts on ``sys.path`` as ``/opt/python``."""

OPT = "/opt/"
"""Where Lambda unpacks layers."""

LIBRARIES = "lib"
"""Folder of a layer that Lambda puts on the loader's path as ``/opt/lib``."""

DEEPEST = 64
"""Folders that a file may lie in, one inside another. People go down to about 15."""

_ON_PATH = re.compile(rf"{SITE}/(?:lib/python3\.\d+/site-packages/)?")


def site_dir(path: str) -> str:
    """The folder on ``sys.path`` that ``path`` of a layer lies in, with its slash; empty where it lies in none."""
    match = _ON_PATH.match(path)
    return match[0] if match else ""


def below_site(path: str) -> str:
    """The rest of ``path`` below that folder; empty where it lies in none."""
    folder = site_dir(path)
    return path.removeprefix(folder) if folder else ""
