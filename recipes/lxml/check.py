"""What a function expects of lxml: parse, query, transform, validate and write XML, and read real-world HTML."""

import gzip
import importlib.metadata
import io
import tempfile
from pathlib import Path

from lxml import etree, html, isoschematron, objectify

BOOKS = b"""<?xml version="1.0" encoding="ISO-8859-1"?>
<books xmlns:m="urn:more"><book year="1979"><title>G\xf6del</title><m:note/></book><book year="1999"/></books>"""

STYLE = b"""<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:set="http://exslt.org/sets" extension-element-prefixes="set">
<xsl:template match="/"><years><xsl:for-each select="set:distinct(//@year)"><y><xsl:value-of select="."/></y>
</xsl:for-each></years></xsl:template></xsl:stylesheet>"""

SCHEMA = b"""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="age" type="xs:positiveInteger"/>
</xs:schema>"""

RELAX = b'<element name="age" xmlns="http://relaxng.org/ns/structure/1.0"><text/></element>'

SCHEMATRON = b"""<schema xmlns="http://purl.oclc.org/dsdl/schematron"><pattern id="p"><rule context="age">
<assert test=". &lt; 150">too old</assert></rule></pattern></schema>"""


def check_trees() -> None:
    """Parsing in any encoding, XPath, namespaces, canonical form, streaming."""
    root = etree.fromstring(BOOKS)
    assert root.xpath("string(//book[@year < 1990]/title)") == "Gödel"
    assert root.find(".//m:note", {"m": "urn:more"}) is not None
    assert etree.tostring(etree.fromstring(b"<a  b='1'><c></c></a>"), method="c14n2") == b'<a b="1"><c></c></a>'
    events = [element.get("year") for _, element in etree.iterparse(io.BytesIO(BOOKS), tag="book")]
    assert events == ["1979", "1999"]
    problem = ""
    try:
        etree.fromstring(b"<a><b></a>")
    except etree.XMLSyntaxError as error:
        problem = str(error)
    assert "mismatch" in problem


def check_files() -> None:
    """Documents on disk, compressed ones too."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "books.xml.gz")
        path.write_bytes(gzip.compress(BOOKS))
        assert len(etree.parse(str(path)).getroot()) == 2


def check_transformations() -> None:
    """XSLT with EXSLT's functions."""
    result = etree.XSLT(etree.XML(STYLE))(etree.fromstring(BOOKS))
    assert [year.text for year in result.getroot()] == ["1979", "1999"]


def check_validation() -> None:
    """XML Schema, RELAX NG, Schematron and DTDs refuse what does not fit."""
    good, bad = etree.XML("<age>42</age>"), etree.XML("<age>-1</age>")
    schema = etree.XMLSchema(etree.XML(SCHEMA))
    assert schema.validate(good)
    assert not schema.validate(bad)
    relax = etree.RelaxNG(etree.XML(RELAX))
    assert relax.validate(good)
    assert not relax.validate(etree.XML("<size/>"))
    schematron = isoschematron.Schematron(etree.XML(SCHEMATRON))
    assert schematron.validate(good)
    assert not schematron.validate(etree.XML("<age>151</age>"))
    assert not etree.DTD(io.StringIO("<!ELEMENT age EMPTY>")).validate(good)


def check_html() -> None:
    """Documents as they are found, and what is made of them."""
    page = html.fromstring("<p>one<p>two <a href='x'>three</a>")
    assert [link[2] for link in page.iterlinks()] == ["x"]
    page.make_links_absolute("https://example.com/")
    assert page.xpath("//a/@href") == ["https://example.com/x"]
    thing = objectify.fromstring("<a><b>1</b><b>2</b></a>")
    assert sum(thing.b[:]) == 3


def main() -> None:
    """Checks everything."""
    assert importlib.metadata.version("lxml")
    check_trees()
    check_files()
    check_transformations()
    check_validation()
    check_html()


main()
