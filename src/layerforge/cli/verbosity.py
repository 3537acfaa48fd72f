"""How much a run says, as its options ask for it."""

from __future__ import annotations

QUIET, VERBOSE = "layerforge.quiet", "layerforge.verbose"
"""How much is wanted, as options say."""

WANTED: set[str] = set()
"""What was asked for on this run."""


def wanted(what: str) -> bool:
    """Whether the command was called with ``-q`` or ``-v``; after its end, the contexts of which are gone, too."""
    return what in WANTED
