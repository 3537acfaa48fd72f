from __future__ import annotations

import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import zips
from layerforge.examine.examine import examine
from layerforge.examine.guess import guess_target
from layerforge.examine.summary import summarize
from layerforge.report.page.page import page
from layerforge.report.page.page_data import InspectedLayer, page_data
from layerforge.verify import notes as verify_notes
from layerforge.verify.rules import judge
from layerforge.verify.rules_table import Expect
from zips import Put

PARTS = st.text("ab.-_ é<>&\"'\u202e\u2028", min_size=1, max_size=6).filter(lambda part: part.strip(".") == part)
PATHS = st.lists(PARTS, min_size=1, max_size=4).map("/".join) | st.sampled_from(
    ["python/pkg/__init__.py", "python/pkg-1.0.dist-info/METADATA", "lib/x.so", "</script>.py", "__proto__"]
)
METHODS = st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
FILES = st.builds(
    lambda name, data, method: Put(name=name, data=data, method=method), PATHS, st.binary(max_size=300), METHODS
)
LINKS = st.builds(zips.link, PATHS, PATHS)
FOLDERS = st.builds(lambda name: zips.folder(f"{name}/"), PATHS)
PUTS = st.lists(st.one_of(FILES, LINKS, FOLDERS), max_size=8)


def subject(path: Path) -> InspectedLayer:
    seen = examine(path)
    target = guess_target(seen)
    expect = Expect(target=target)
    findings, notes = judge(seen, expect), verify_notes.notes(seen, expect)
    return InspectedLayer(target=target, examination=seen, summary=summarize(seen), findings=findings, notes=notes)


def sums(rows: list[dict[str, Any]]) -> tuple[int, int, int]:
    return (sum(row["files"] for row in rows), sum(row["unzipped"] for row in rows), sum(row["zipped"] for row in rows))


@given(PUTS)
def test_every_byte_of_the_zip_is_counted_once(puts: list[Put]) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = zips.write(Path(name) / "a.zip", puts)
        size, data = path.stat().st_size, page_data(subject(path))
    files = data["files"]
    unzipped, zipped = sum(row[1] for row in files), sum(row[2] for row in files)
    assert unzipped == data["unzipped_bytes"]
    assert zipped + data["overhead_bytes"] == data["zip_bytes"] == size
    assert sums(data["packages"]) == sums(data["kind_sums"]) == (len(files), unzipped, zipped)
    assert unzipped == sum(len(put.data) for put in puts if not put.name.endswith("/"))


@given(PUTS)
def test_each_file_is_in_the_package_and_the_kind_that_count_it(puts: list[Put]) -> None:
    with tempfile.TemporaryDirectory() as name:
        data = page_data(subject(zips.write(Path(name) / "a.zip", puts)))
    for number, package in enumerate(data["packages"]):
        assert package["unzipped"] == sum(row[1] for row in data["files"] if row[4] == number)
    for share in data["kind_sums"]:
        assert share["zipped"] == sum(row[2] for row in data["files"] if data["kinds"][row[3]] == share["name"])


@settings(max_examples=25)
@given(PUTS)
def test_whatever_the_names_the_page_has_the_same_elements(puts: list[Put]) -> None:
    with tempfile.TemporaryDirectory() as name:
        text = page(subject(zips.write(Path(name) / "a.zip", puts)))
    assert (text.count("<script"), text.count("</script>")) == (3, 3)
    assert "\u202e" not in text
    assert len(json.loads(text.partition('id="data">')[2].partition("</script>")[0])["files"]) == sum(
        not put.name.endswith("/") for put in puts
    )
