"""Takes an image as base64 and gives back a smaller one, as JPEG."""

import base64
import io

from PIL import Image

LONGEST = 256


def handler(event, context):
    """``{"image": "<base64>", "longest": 128}`` becomes ``{"image": "<base64>", "size": [128, 96]}``."""
    image = Image.open(io.BytesIO(base64.b64decode(event["image"])))
    longest = int(event.get("longest", LONGEST))
    image.thumbnail((longest, longest))
    made = io.BytesIO()
    image.convert("RGB").save(made, "JPEG", quality=85)
    return {"image": base64.b64encode(made.getvalue()).decode(), "size": list(image.size)}
