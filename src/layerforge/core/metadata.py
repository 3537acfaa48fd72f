"""METADATA and PKG-INFO: the fields by which a distribution says what it is."""

from __future__ import annotations

from email.message import Message
from email.parser import HeaderParser


def fields_of(data: bytes | str) -> Message:
    """The fields of a METADATA file; ``get`` gives the first of those that are there more than once.

    ``packaging.metadata`` reads the text below them too, where mails inside of mails exhaust the stack, and takes a
    field that is repeated for none.
    """
    return HeaderParser().parsestr(data if isinstance(data, str) else data.decode("utf-8", "replace"))
