"""Draws a label for a parcel and gives it back as PNG."""

import base64

from labels import drawing, parcels


def handler(event, context):
    """``{"to": "…", "weight": 1200}`` becomes ``{"image": "<base64>", "size": [384, 192], "class": "parcel"}``."""
    parcel = parcels.read(event)
    image = drawing.label(parcel)
    return {
        "image": base64.b64encode(drawing.png(image)).decode(),
        "size": list(image.size),
        "class": parcel.kind,
    }
