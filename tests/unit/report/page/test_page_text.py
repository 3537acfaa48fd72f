from __future__ import annotations

import hashlib
import json
import re
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerforge.core.text import visible
from layerforge.report.page import render

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"


@pytest.mark.parametrize(
    ("given_text", "shown"),
    [
        ("python/numpy/é 中.py", "python/numpy/é 中.py"),
        ("a\u202egnp.py", "a\\u202egnp.py"),
        ("line\nbreak\0\x7f\x9b", "line\\x0abreak\\x00\\x7f\\x9b"),
        ("\u2028\u200b\ufeff\udcff\U000e0041", "\\u2028\\u200b\\ufeff\\udcff\\U000e0041"),
        ("", ""),
    ],
)
def test_what_cannot_be_seen_is_shown_as_its_number(given_text: str, shown: str) -> None:
    assert visible(given_text) == shown


@given(st.text())
def test_shown_text_holds_no_control_of_any_kind(given_text: str) -> None:
    shown = visible(given_text + BIDI)
    assert shown.isprintable()
    assert not set(shown) & set(BIDI)


@given(JSON)
def test_embedded_data_read_as_they_were_and_cannot_end_the_element(data: object) -> None:
    embedded = render.embedded(data)
    assert json.loads(embedded) == render.inert(data)
    assert embedded.isascii()
    assert not set(embedded) & set("<>&\n\r")


def test_a_name_cannot_leave_the_data() -> None:
    hostile = "</script><script>alert(1)</script><!--\u2028]]>"
    page = render.joined(hostile, {"name": hostile})
    assert "alert(1)</script>" not in page
    assert json.loads(between(page, '<script type="application/json" id="data">', "</script>"))["name"] == visible(
        hostile
    )


def test_the_title_is_text() -> None:
    assert "<title>&lt;b&gt; &amp; \\u202e</title>" in render.joined("<b> & \u202e", {})


def test_nothing_but_the_pages_own_scripts_and_style_may_run() -> None:
    page = render.joined("t", {"a": 1})
    policy = between(page, 'http-equiv="Content-Security-Policy" content="', '">')
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    styles = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert len(scripts) == 2
    assert policy.startswith("default-src 'none'; ")
    assert policy == render.policy(tuple(scripts), styles[0])
    assert "unsafe" not in policy
    assert not re.search(r"\b(src|href|srcset|action)=\"(?!#)", page.replace(scripts[0], ""))


def test_slots_in_what_is_put_in_stay_as_they_are() -> None:
    assert render.filled("{{one}} {{two}}", one="{{two}}", two="2") == "{{two}} 2"


def test_the_vendored_library_is_what_its_record_says() -> None:
    folder = resources.files("layerforge").joinpath("data", "vendor")
    record = json.loads(folder.joinpath("vendor.json").read_text("utf-8"))
    found = {name: hashlib.sha256(folder.joinpath(name).read_bytes()).hexdigest() for name in record["sha256"]}
    assert found == record["sha256"]
    assert set(record["bundled"]) == {"echarts", "tslib", "zrender"}
    library = folder.joinpath("echarts.min.js").read_text("utf-8")
    assert all(folder.joinpath(name).read_text("utf-8") in library for name in found if name.startswith("LICENSE"))


def test_no_script_can_end_its_element_early() -> None:
    for name in (render.LIBRARY, *(f"page/{name}" for name in render.SCRIPTS)):
        code = resources.files("layerforge").joinpath("data", *name.split("/")).read_text("utf-8").lower()
        assert "</script" not in code, name
        assert "<!--" not in code, name


def between(page: str, start: str, end: str) -> str:
    return page.partition(start)[2].partition(end)[0]
