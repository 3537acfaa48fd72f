"""Licences: what metadata declares, which files are texts of one, and the bundle of a layer."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import a_file, a_tree
from layerforge.layer import licences
from layerforge.layer.licences import Licensed, Text
from sdists import archive


@pytest.mark.parametrize(
    ("rows", "licence"),
    [
        (["License-Expression: MIT OR Apache-2.0", "License: other"], "MIT OR Apache-2.0"),
        (["License-Expression: MIT\n  OR 0BSD"], "MIT OR 0BSD"),
        (["License: BSD 3-Clause"], "BSD-3-Clause"),
        (["License: Apache License, Version 2.0"], "Apache-2.0"),
        (["License: BSD"], "BSD"),
        (["License: UNKNOWN", "Classifier: License :: OSI Approved :: MIT License"], "MIT"),
        (["License: A very long\n        text of a licence", "Classifier: License :: Public Domain"], "Public Domain"),
        (["Classifier: License :: OSI Approved"], ""),
        (["Classifier: License :: OSI Approved :: BSD License"], "BSD License"),
        (
            ["Classifier: License :: OSI Approved :: MIT License", "Classifier: License :: Other/Proprietary License"],
            "MIT License, Other/Proprietary License",
        ),
        (["Classifier: Programming Language :: Python"], ""),
        ([], ""),
    ],
)
def test_the_declared_licence_is_the_most_exact_one(rows: list[str], licence: str) -> None:
    metadata = "\n".join(["Metadata-Version: 2.4", "Name: demo", *rows, "", "License: not a field"])
    assert licences.declared(metadata.encode()) == licence


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        ("python/demo-1.dist-info/licenses/any/name.txt", True),
        ("python/demo-1.dist-info/LICENSE", True),
        ("python/demo-1.dist-info/AUTHORS.md", True),
        ("python/demo/_vendor/thing/COPYING.LIB", True),
        ("python/demo/LICENSE-MIT.txt", True),
        ("python/demo/3rd-party-licenses.txt", True),
        ("NOTICE", True),
        ("gcc-14/COPYING3.LIB", True),
        ("x-1/COPYING3", True),
        ("x-1/LICENSES/LGPL-2.1-or-later.txt", True),
        ("python/torch/ThirdPartyNotices.txt", True),
        ("python/demo/THIRD-PARTY-NOTICES", True),
        ("python/demo-1.dist-info/LICENSEv2", True),
        ("python/demo-1.dist-info/licenses/deep/er/GPL", True),
        ("python/demo-1.dist-info/licenses/LICENSE.toml", True),
        ("python/demo/licenses/__init__.py", False),
        ("python/demo/license.json", False),
        ("x-1/include/copyright.h", False),
        ("python/demo/license.py", False),
        ("python/demo/__pycache__/licenses.cpython-313.pyc", False),
        ("python/demo/licensed.txt", False),
        ("python/demo/noticeboard.json", False),
        ("python/demo-1.dist-info/METADATA", False),
    ],
)
def test_texts_are_known_by_their_names(path: str, is_one: bool) -> None:
    assert licences.is_licence(path) is is_one


def test_the_texts_of_a_layer_come_with_the_package_that_brought_them() -> None:
    tree = a_tree(
        a_file("python/a-1.dist-info/licenses/LICENSE", "Ünder".encode(), package="a"),
        a_file("python/b/COPYING", b"\xe4", package="b"),
        a_file("python/b/x.py", b"", package="b"),
        a_file("python/b/LICENSE", b"x" * (licences.LONGEST + 1), package="b"),
    )
    assert [(one.owner, one.text, one.left_out) for one in licences.of_tree(tree)] == [
        ("a", "Ünder", ""),
        ("b", "ä", ""),
        ("b", "", "1,048,577 bytes, more than are shown"),
    ]


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ("\ufeffÜber".encode(), "Über"),
        ("Über".encode("utf-16"), "Über"),
        ("“Über”".encode("cp1252"), "“Über”"),
        (b"\x81\xfc", "�ü"),
        (b"one\r\ntwo\rthree\n\n", "one\ntwo\nthree"),
        (b"page\x0cpage\ttab", "page\x0cpage\ttab"),
        (b"\x1b[2Jgone\x07", "�[2Jgone�"),
    ],
)
def test_a_text_is_read_in_the_usual_encodings_and_obeyed_by_no_terminal(data: bytes, shown: str) -> None:
    assert licences.text("a", "LICENSE", len(data), lambda: data) == Text(owner="a", place="LICENSE", text=shown)


@pytest.mark.parametrize("data", [b"PK\0\0", b"%PDF-1.7"])
def test_what_is_no_plain_text_is_named_and_not_shown(data: bytes) -> None:
    one = licences.text("a", "LICENSE.pdf", len(data), lambda: data)
    assert (one.text, one.left_out) == ("", f"{len(data)} bytes that are no plain text")


SOURCES = {
    "x-1.0/src/vendored/LICENSE": "inner",
    "x-1.0/LICENSE": "outer",
    "x-1.0/COPYING.RUNTIME": "more",
    "x-1.0/main.c": "int x;",
}


def test_the_texts_of_an_archive_are_told_from_its_top_down() -> None:
    found = licences.of_archive(archive(SOURCES), "x")
    places = ["x-1.0/COPYING.RUNTIME", "x-1.0/LICENSE", "x-1.0/src/vendored/LICENSE"]
    assert [one.place for one in found] == places
    assert found[1] == Text(owner="x", place="x-1.0/LICENSE", text="outer")
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as made:
        for name, text in SOURCES.items():
            made.writestr(name, text)
    assert licences.of_archive(data.getvalue(), "x") == found


def test_every_text_of_an_archive_is_told_and_one_too_long_is_named() -> None:
    many = {f"x-1/{n}/LICENSE": f"text {n}" for n in range(300)}
    found = licences.of_archive(archive({**many, "x-1/COPYING": "x" * (licences.LONGEST + 1)}), "x")
    assert len(found) == 301
    assert [one.place for one in found if one.left_out] == ["x-1/COPYING"]


def test_an_archive_that_asks_for_a_password_has_no_texts() -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as made:
        made.writestr("LICENSE", "secret")
    encrypted = bytearray(data.getvalue())
    for head, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        encrypted[encrypted.index(head) + flags] |= 1
    assert licences.of_archive(bytes(encrypted), "x") == ()


@given(data=st.binary(max_size=200), cut=st.integers(0, 100))
def test_what_is_no_archive_has_no_texts(data: bytes, cut: int) -> None:
    whole = archive(SOURCES)
    assert licences.of_archive(data, "x") == ()
    assert licences.of_archive(whole[:cut], "x") == ()


def test_the_bundle_lists_every_part_and_each_text_once() -> None:
    parts = [Licensed(name="a", version="1", licence="MIT"), Licensed(name="b", version="2", licence="")]
    texts = [
        Text(owner="b", place="b/LICENSE", text="Do as you like.\n"),
        Text(owner="a", place="a/LICENSE", text="Do as you like."),
        Text(owner="", place="bin/NOTICE", text="of no package"),
    ]
    text = licences.bundle("demo", parts, texts)
    assert text.startswith("Licences of what is in the layer demo\n\n  a 1: MIT\n  b 2: no licence is named\n")
    assert text.count("Do as you like.") == 1
    assert "--- b/LICENSE: the same text as a/LICENSE" in text
    assert "other files" in text
    assert text.count("of no package") == 1
    assert licences.bundle("demo", parts, reversed(texts)) == text


def test_a_part_without_a_text_says_so() -> None:
    text = licences.bundle("demo", [Licensed(name="a", version="1", licence="MIT")], [])
    assert "No text of a licence came with it." in text


def test_a_text_that_is_not_shown_is_named_with_the_reason() -> None:
    text = Text(owner="a", place="a/LICENSE.pdf", text="", left_out="7 bytes that are no plain text")
    bundle = licences.bundle("demo", [Licensed(name="a", version="1", licence="")], [text])
    assert "--- a/LICENSE.pdf: not shown here (7 bytes that are no plain text)" in bundle
    assert "No text" not in bundle


def test_a_name_cannot_pass_for_a_heading() -> None:
    text = Text(owner="a", place="x\n===\nb 2: MIT\n\u202e", text="mine")
    bundle = licences.bundle("demo", [Licensed(name="a", version="1", licence="x\ny")], [text])
    assert "--- x\\x0a===\\x0ab 2: MIT\\x0a\\u202e\n" in bundle
    assert "a 1: x\\x0ay" in bundle


@given(st.lists(st.builds(Text, owner=st.sampled_from("ab"), place=st.text(max_size=5), text=st.text(max_size=20))))
def test_no_text_is_lost_and_the_order_of_files_changes_nothing(texts: list[Text]) -> None:
    parts = [Licensed(name="a", version="1", licence="")]
    bundle = licences.bundle("demo", parts, texts)
    assert bundle == licences.bundle("demo", parts, reversed(texts))
    for text in texts:
        assert text.text.strip() in bundle
