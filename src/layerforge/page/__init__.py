"""The page of ``inspect --html``: one file that shows where a layer's bytes are, and how they came to be there.

``beside`` reads what lies beside a zip, ``page_data`` turns all that is known of it into data, and ``page`` puts the
data into the template. The page is opened from disk, needs no network, and takes every name in the zip for hostile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from layerforge.page.beside import Beside, beside
from layerforge.page.coldstart import ColdStart, Runs, read_coldstart
from layerforge.page.facts import Subject, newest_symbols, page_data
from layerforge.page.sbom import Component, Sbom, read_sbom
from layerforge.page.text import joined
from layerforge.progress import visible

__all__ = [
    "Beside",
    "ColdStart",
    "Component",
    "Runs",
    "Sbom",
    "Subject",
    "beside",
    "newest_symbols",
    "page",
    "page_data",
    "read_coldstart",
    "read_sbom",
    "visible",
]


def page(
    subject: Subject, *, advice: Sequence[Mapping[str, Any]] = (), changes: Mapping[str, Any] | None = None
) -> str:
    """The whole page as text: HTML with everything that it needs inside. ``advice`` and ``changes`` are as in JSON."""
    data = page_data(subject, advice=advice, changes=changes)
    return joined(f"{subject.examination.path.name} · layerforge", data)
