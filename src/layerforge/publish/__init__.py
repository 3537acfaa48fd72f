"""From finished zips to layer versions in every Region, each exactly once. The only part that talks to AWS.

``survey`` looks, with calls that change nothing, and gives the publish plan as data; ``carry_out`` does what it says.
``aws`` is AWS itself. It is not imported here, because boto3 takes longer to load than most commands take to run.
"""

from layerforge.publish.carrying import carry_out
from layerforge.publish.describing import PUBLIC, artifact, grants, layer_name
from layerforge.publish.facts import (
    Allow,
    Artifact,
    Job,
    Refuse,
    Result,
    Shelf,
    Status,
    Storage,
    Wishes,
)
from layerforge.publish.reading import survey

__all__ = [
    "PUBLIC",
    "Allow",
    "Artifact",
    "Job",
    "Refuse",
    "Result",
    "Shelf",
    "Status",
    "Storage",
    "Wishes",
    "artifact",
    "carry_out",
    "grants",
    "layer_name",
    "survey",
]
