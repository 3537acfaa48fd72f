"""One layer, made as a call makes it."""

from __future__ import annotations

from layerforge import pipeline, planning
from layerforge.build.options import Options
from layerforge.build.session import Session
from layerforge.core.errors import LayerforgeError
from layerforge.report.delivery import Layer
from layerforge.resolve.request import Request


def forge(request: Request, options: Options, session: Session) -> Layer:
    """The layer of a request, delivered. Raises what it failed with."""
    prepared = planning.prepare(request, options, session)
    [(_, ended)] = pipeline.layers([prepared], lambda found: pipeline.here(found, options.jobs), fail_fast=True)
    if isinstance(ended, LayerforgeError):
        raise ended
    return ended.layer
