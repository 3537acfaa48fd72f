"""What is said where somebody builds for, or publishes to, a runtime that AWS has not announced."""

from __future__ import annotations

from collections.abc import Iterable

from layerforge.core.progress import Progress
from layerforge.core.runtimes import runtimes


def say(pythons: Iterable[str], progress: Progress) -> None:
    """One line for each of the ``pythons`` that AWS has not announced."""
    for python in dict.fromkeys(pythons):
        known = runtimes().get(python)
        if known is not None and not known.announced:
            progress.say(
                f"Lambda's interface has a runtime python{python}, but AWS has not announced it: what is known of it"
                " here is not confirmed"
            )
