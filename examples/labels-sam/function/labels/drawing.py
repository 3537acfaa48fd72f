"""What it looks like."""

import io

from PIL import Image, ImageDraw

SIZE = (384, 192)


def label(parcel):
    """The picture of a parcel's label."""
    image = Image.new("L", SIZE, "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((4, 4, SIZE[0] - 5, SIZE[1] - 5), outline="black", width=2)
    draw.text((16, 16), f"{parcel.kind}, {parcel.weight:,} g", fill="black")
    draw.multiline_text((16, 64), parcel.to, fill="black", spacing=6)
    return image


def png(image):
    """A picture as PNG."""
    made = io.BytesIO()
    image.save(made, "PNG", optimize=True)
    return made.getvalue()
