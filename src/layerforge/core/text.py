"""Numbers, tables and foreign names as text for people."""

from __future__ import annotations

import html
import re

_ASCII = re.compile(r"[ -~]*")


def megabytes(size: int) -> str:
    """``12.3 MB``; smaller sizes in kB or bytes. Decimal units, as AWS's console shows them."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if abs(size) >= factor:
            return f"{size / factor:,.1f} {unit}"
    return f"{size} bytes"


def duration(seconds: float) -> str:
    """``40 s``, ``25 min``, ``1 h 40 min``: a span of time as exactly as people want it."""
    if round(seconds) < 100:
        return f"{max(round(seconds), 1)} s"
    minutes = round(seconds / 60)
    return (
        f"{minutes} min" if minutes < 100 else f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")
    )


def counted(number: int, noun: str) -> str:
    """``1 file``, ``2,300 files``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def cell(text: str) -> str:
    """Text as it stands in a cell of a Markdown table: on one line, all of it to be seen, and taken literally."""
    literal = re.sub(r"([\\`*_~$\[\]|])", r"\\\1", visible(" ".join(text.split())))
    # With a space of no width behind it, an @ in a pull request's comment calls nobody.
    return html.escape(literal, quote=False).replace("@", "@&#8203;")


def visible(text: str) -> str:
    """``text`` with every character that cannot be seen, or that changes how others are, written as its number.

    That takes control characters, those that turn the direction of writing, those of no width and lone surrogates.
    """
    if _ASCII.fullmatch(text) or text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    number = ord(char)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def fitting_name(text: str, most: int) -> str:
    """A name of at most ``most`` characters that Lambda takes for a layer, as like ``text`` as can be."""
    return re.sub(r"[^a-zA-Z0-9_-]+", "-", text).strip("-")[:most].rstrip("-") or "layer"
