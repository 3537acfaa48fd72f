"""The page of ``inspect --html``: one file that shows where a layer's bytes are, and how they came to be there.

``report/beside`` reads what lies beside a zip, ``page_data`` turns all that is known of it into data, and ``page`` puts
the data into the template. The page is opened from disk, needs no network, and takes every name in the zip for hostile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from layerforge.report.page.page_data import InspectedLayer, page_data
from layerforge.report.page.render import joined


def page(
    subject: InspectedLayer, *, advice: Sequence[Mapping[str, Any]] = (), changes: Mapping[str, Any] | None = None
) -> str:
    """The whole page as text: HTML with everything that it needs inside. ``advice`` and ``changes`` are as in JSON."""
    data = page_data(subject, advice=advice, changes=changes)
    return joined(f"{subject.examination.path.name} · layerforge", data)
