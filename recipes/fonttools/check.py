"""What a function expects of fontTools: fonts are built, read, cut down to some letters and written again."""

import importlib.metadata
import io

import fontTools
from fontTools.cu2qu import curve_to_quadratic
from fontTools.fontBuilder import FontBuilder
from fontTools.misc.bezierTools import calcCubicArcLength
from fontTools.pens.momentsPen import MomentsPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.subset import Subsetter
from fontTools.ttLib import TTFont

GLYPHS = [".notdef", "A", "B"]


def main() -> None:
    assert fontTools.version == importlib.metadata.version("fonttools")
    curves()
    font = read_again(build())
    assert font.getBestCmap() == {65: "A", 66: "B"}
    assert font["name"].getDebugName(1) == "Test"
    moments = MomentsPen(font.getGlyphSet())
    font.getGlyphSet()["A"].draw(moments)
    assert abs(moments.area) == 100 * 200
    cut = Subsetter()
    cut.populate(text="A")
    cut.subset(font)
    assert read_again(font).getBestCmap() == {65: "A"}


def curves() -> None:
    spline = curve_to_quadratic([(0, 0), (0, 50), (50, 100), (100, 100)], 1.0)
    assert spline[0] == (0, 0)
    assert spline[-1] == (100, 100)
    assert abs(calcCubicArcLength((0, 0), (0, 0), (3, 4), (3, 4)) - 5.0) < 0.01


def build() -> TTFont:
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(GLYPHS)
    builder.setupCharacterMap({65: "A", 66: "B"})
    builder.setupGlyf({name: rectangle() for name in GLYPHS})
    builder.setupHorizontalMetrics(dict.fromkeys(GLYPHS, (120, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Test", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    return builder.font


def rectangle() -> object:
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 200), (100, 200), (100, 0)):
        pen.lineTo(corner)
    pen.closePath()
    return pen.glyph()


def read_again(font: TTFont) -> TTFont:
    data = io.BytesIO()
    font.save(data)
    data.seek(0)
    return TTFont(data)


main()
