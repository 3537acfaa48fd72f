from __future__ import annotations

from layerforge.core.metadata import fields_of


def test_of_a_field_that_is_repeated_the_first_counts() -> None:
    fields = fields_of(b"Name: a\nName: b\nRequires-Dist: x\nRequires-Dist: y\n\nName: c\n")
    assert fields.get("Name") == "a"
    assert fields.get_all("requires-dist") == ["x", "y"]


def test_bytes_that_are_no_text_spoil_their_own_field_alone() -> None:
    fields = fields_of(b"Name: a\nSummary: \xff\nVersion: 1\n")
    assert (fields.get("Name"), fields.get("Summary"), fields.get("Version")) == ("a", "\ufffd", "1")


def test_mails_inside_of_mails_are_not_walked_into() -> None:
    assert fields_of(b"Name: a\nContent-Type: message/rfc822\n\n" * 20_000).get("Name") == "a"


def test_text_and_bytes_say_the_same() -> None:
    text = "Name: é\nVersion: 1\n"
    assert fields_of(text).items() == fields_of(text.encode()).items()
