"""Whether Dask is installed: it comes with an extra, since most people never need it."""

from __future__ import annotations

from importlib.util import find_spec

from layerforge.build.errors import ClusterError

INSTALL = "pip install 'layerforge[cluster]'"


def refuse_without_dask(package: str = "distributed") -> None:
    """Raises ``ClusterError`` where Dask is not installed. Loads nothing."""
    if find_spec(package) is None:
        raise ClusterError("clusters need Dask, which is not installed", hint=INSTALL)
