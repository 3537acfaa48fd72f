"""What a function expects of Pillow: pictures are drawn, changed and go through every common format."""

import importlib.metadata
import io
import tempfile
from pathlib import Path

import PIL
from PIL import Image, ImageChops, ImageCms, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps, features

LOSSLESS = {"PNG": {}, "BMP": {}, "TIFF": {"compression": "tiff_lzw"}, "WEBP": {"lossless": True}, "JPEG2000": {}}
LOSSY = {"JPEG": {"quality": 95}, "WEBP": {"quality": 95}, "AVIF": {"quality": 95}}


def main() -> None:
    assert PIL.__version__ == importlib.metadata.version("pillow")
    libraries()
    picture = draw()
    changes(picture)
    colours(picture)
    for name, options in LOSSLESS.items():
        assert difference(picture, round_trip(picture, name, options)) == 0, name
    for name, options in LOSSY.items():
        assert difference(picture, round_trip(picture, name, options)) < 3, name
    animation(picture)
    files(picture)


def libraries() -> None:
    for name in ("jpg", "jpg_2000", "zlib", "libtiff", "webp", "avif", "freetype2", "littlecms2"):
        assert features.check(name), f"Pillow lacks {name}"


def draw() -> Image.Image:
    picture = Image.linear_gradient("L").resize((160, 120)).convert("RGB")
    pen = ImageDraw.Draw(picture)
    pen.ellipse((20, 20, 80, 80), fill=(200, 30, 30))
    pen.line((0, 119, 159, 0), fill="navy", width=3)
    before = picture.copy()
    font = ImageFont.load_default(size=24)
    assert isinstance(font, ImageFont.FreeTypeFont)
    pen.text((85, 50), "Añ1", font=font, fill="white")
    assert difference(picture, before) > 0
    assert font.getlength("WW") > font.getlength("ii")
    return picture


def changes(picture: Image.Image) -> None:
    assert picture.resize((40, 30), Image.Resampling.LANCZOS).size == (40, 30)
    small = picture.copy()
    small.thumbnail((64, 64))
    assert small.size == (64, 48)
    assert ImageOps.fit(picture, (50, 50)).size == (50, 50)
    assert difference(picture.rotate(180).rotate(180), picture) == 0
    assert difference(picture.filter(ImageFilter.GaussianBlur(2)), picture) > 0
    assert difference(ImageEnhance.Brightness(picture).enhance(1.0), picture) == 0
    assert picture.getpixel((50, 50)) == (200, 30, 30)
    assert sum(picture.convert("L").histogram()) == 160 * 120
    assert len(picture.quantize(16).getcolors()) <= 16


def colours(picture: Image.Image) -> None:
    srgb = ImageCms.createProfile("sRGB")
    lab = ImageCms.buildTransform(srgb, ImageCms.createProfile("LAB"), "RGB", "LAB")
    assert ImageCms.applyTransform(picture, lab).mode == "LAB"


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean absolute difference of two pictures, 0 to 255."""
    counts = ImageChops.difference(one.convert("RGB"), other.convert("RGB")).convert("L").histogram()
    return sum(value * count for value, count in enumerate(counts)) / sum(counts)


def round_trip(picture: Image.Image, name: str, options: dict[str, object]) -> Image.Image:
    data = io.BytesIO()
    picture.save(data, name, **options)
    data.seek(0)
    with Image.open(data) as read:
        assert read.format == name
        read.load()
        return read.copy()


def animation(picture: Image.Image) -> None:
    frames = [picture.convert("P"), ImageOps.mirror(picture).convert("P")]
    for name in ("GIF", "WEBP"):
        data = io.BytesIO()
        frames[0].convert("RGB").save(data, name, save_all=True, append_images=[frames[1].convert("RGB")], duration=100)
        data.seek(0)
        with Image.open(data) as read:
            assert read.n_frames == 2, name


def files(picture: Image.Image) -> None:
    with tempfile.TemporaryDirectory() as folder:
        photo, page = Path(folder) / "photo.jpg", Path(folder) / "page.pdf"
        exif = Image.Exif()
        exif[0x0112] = 6  # held a quarter turn to the left
        picture.save(photo, exif=exif)
        with Image.open(photo) as read:
            assert ImageOps.exif_transpose(read).size == (120, 160)
        picture.save(page)
        assert page.read_bytes().startswith(b"%PDF-")


main()
