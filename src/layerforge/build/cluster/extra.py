"""Whether Dask is installed: it comes with an extra, since most people never need it."""

from __future__ import annotations

from importlib.util import find_spec

from layerforge.build.errors import ClusterError

INSTALL = "pip install 'distributed>=2026.8,<2027'"
"""What the extra ``cluster`` brings. No index has layerforge itself, and anybody could put that name there."""


def refuse_without_dask(package: str = "distributed") -> None:
    """Raises ``ClusterError`` where Dask is not installed. Loads nothing."""
    if find_spec(package) is None:
        raise ClusterError(
            "clusters need Dask, which is not installed", hint=f"`{INSTALL}` in the environment of layerforge"
        )
