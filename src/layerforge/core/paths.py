"""Paths inside a layer: POSIX strings relative to ``/opt``, such as ``python/numpy/__init__.py``."""

from __future__ import annotations

import posixpath
import re

SITE = "python"
"""Folder of a layer that Lambda puts on ``sys.path`` as ``/opt/python``."""

OPT = "/opt/"
"""Where Lambda unpacks layers."""

PRIME = "layerforge_prime"
"""Module of a layer that loads, before a snapshot of a function is taken, what the layer has wait."""

PRIMING = f"{SITE}/{PRIME}/__init__.py"
"""Where it lies. Beside it is a table for each package."""

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


def folders(path: str) -> list[str]:
    """Those that ``path`` lies in, the outermost first: ``a`` and ``a/b`` for ``a/b/c.py``."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def in_layer(value: str) -> tuple[str, ...]:
    """Paths of a layer that a variable of the function names, whose value is one or a list with ``:`` between them.

    ``/opt/share/a:/usr/share/b:/opt/c`` names ``share/a`` and ``c``, and ``https://opt/share`` none.
    """
    return tuple(path.removeprefix(OPT) for part in value.split(":") if (path := _below_opt(part)))


def moved(value: str, opt: str) -> str:
    """The value of a variable where the layer lies at ``opt``."""
    parts = ((part, _below_opt(part)) for part in value.split(":"))
    return ":".join(f"{opt}/{path.removeprefix(OPT)}" if path else part for part, path in parts)


def _below_opt(text: str) -> str:
    """A path below ``/opt`` without its detours; empty where it is none."""
    path = posixpath.normpath(text)
    return path if path.startswith(OPT) else ""
