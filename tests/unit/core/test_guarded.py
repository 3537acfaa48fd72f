from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerforge.core import guarded
from layerforge.core.guarded import Unreadable
from layerforge.core.runtimes import Arch


@dataclass(frozen=True, kw_only=True)
class Leaf:
    name: str
    size: int = 0


@dataclass(frozen=True, kw_only=True)
class Root:
    leaves: tuple[Leaf, ...]
    by_name: dict[str, Leaf] = field(default_factory=dict)
    ready: bool = False
    ratio: float | None = None


def test_a_regular_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\xef\xbb\xbfsix\n")
    assert guarded.data(tmp_path / "file", 7) == b"\xef\xbb\xbfsix\n"
    assert guarded.text(tmp_path / "file") == "six\n"


@pytest.mark.parametrize("kind", ["folder", "pipe", "socket", "device", "missing", "nul"])
def test_what_is_no_regular_file_is_refused_without_waiting(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "it"
    match kind:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "socket":
            with socket.socket(socket.AF_UNIX) as one:
                one.bind(str(path))
        case "device":
            path = Path("/dev/zero")
        case "nul":
            path = tmp_path / "a\0b"
    with pytest.raises(Unreadable):
        guarded.data(path, 100)


def test_a_link_is_followed_only_where_people_named_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"six")
    (tmp_path / "link").symlink_to("file")
    assert guarded.data(tmp_path / "link", 3) == b"six"
    with pytest.raises(Unreadable):
        guarded.data(tmp_path / "link", 3, follow=False)


def test_a_file_without_end_or_past_the_limit_is_never_read_into_memory(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(40 * 2**30)
    for path, most in ((tmp_path / "sparse", 100), (Path("/proc/self/maps"), 10)):
        with pytest.raises(Unreadable, match="bytes"):
            guarded.data(path, most)


def test_text_that_is_not_utf_8_says_where(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes("pâté".encode("latin-1"))
    with pytest.raises(Unreadable, match="byte 1 is 0xe2"):
        guarded.text(tmp_path / "file")


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 100_000,
        "a = " + "[\n" * 100_000,
        "a = " + "[" * 70 + "]" * 70,
        ".".join("a" * 50_000) + " = 1",
        ".".join("a" * 70) + " = 1",
        "a = " + "9" * 5_000,
        "a = nope",
        "\0",
    ],
    ids=["open", "lines", "deep", "dots", "tables", "digits", "word", "nul"],
)
def test_hostile_toml_ends_in_one_exception(text: str) -> None:
    with pytest.raises(Unreadable) as caught:
        guarded.toml(text)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"a":' * 100_000, "[" * 70 + "]" * 70, "9" * 5_000, "NaN", "", "{", b"\xff", "\ud800"],
    ids=["open", "tables", "deep", "digits", "nan", "empty", "cut", "bytes", "surrogate"],
)
def test_hostile_json_ends_in_one_exception(text: str | bytes) -> None:
    with pytest.raises(Unreadable):
        guarded.json_value(text)


@given(st.recursive(st.text() | st.integers() | st.booleans(), lambda inner: st.dictionaries(st.text(), inner)))
def test_what_json_can_say_comes_back_as_it_was(value: object) -> None:
    assert guarded.json_value(json.dumps(value)) == value


def test_toml_is_what_it_says() -> None:
    text = '[tool]\nname = "six"\nsizes = [1, 2]\n'
    assert guarded.toml(text) == tomllib.loads(text)


def test_a_record_comes_back_as_it_was_written() -> None:
    made = Root(leaves=(Leaf(name="a", size=1),), by_name={"b": Leaf(name="b")}, ready=True, ratio=0.5)
    assert guarded.json_as(json.dumps({**asdict(made), "later": 1}), Root) == made


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "null",
        '{"leaves": null}',
        '{"leaves": [1]}',
        '{"leaves": [{}]}',
        '{"leaves": [{"name": 1}]}',
        '{"leaves": [{"name": "a", "size": "1"}]}',
        '{"leaves": [{"name": "a", "size": true}]}',
        '{"leaves": [], "ready": 1}',
        '{"leaves": [], "by_name": []}',
    ],
)
def test_a_record_of_wrong_types_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        guarded.json_as(text, Root)


def test_a_requirement_is_tried_before_it_is_taken() -> None:
    assert str(guarded.requirement(" six>=1 ; python_version > '3'")) == 'six>=1; python_version > "3"'
    assert guarded.requirement("six ; extra == 'a'").name == "six"
    for text in (
        "six; python_version ~= '3'",
        "six==" + "9" * 5_000,
        "six; " + "(" * 9_000,
        "s" * 30_000,
        "six; a == 'b'",
    ):
        with pytest.raises(guarded.Unreadable):
            guarded.requirement(text)


@pytest.mark.parametrize(
    "source", [b"-" * 100_000 + b"1", b"(" * 90_000, b"\0", b"x = ", b"#" * (guarded.MOST_PYTHON + 1)]
)
def test_a_source_that_no_parser_should_see_is_refused(source: bytes) -> None:
    with pytest.raises(guarded.Unreadable):
        guarded.python(source)


def test_a_number_that_no_float_holds_is_refused() -> None:
    with pytest.raises(guarded.Unreadable, match="too large"):
        guarded.json_value('{"a": 1e999}')


@dataclass(frozen=True)
class Noted:
    note: str


@pytest.mark.parametrize("text", ['{"note": "x"}', '{"schema": 1, "note": "x"}', '{"schema": 2, "note": "x"}'])
def test_a_file_of_a_known_schema_or_of_none_is_read(text: str) -> None:
    assert guarded.file_as(text, Noted, 2) == Noted("x")


@pytest.mark.parametrize(
    ("schema", "newest", "says"),
    [
        ("2", 1, "its schema is 2, and this layerforge reads schema 1"),
        ("4", 3, "its schema is 4, and this layerforge reads schemas 1 to 3"),
        ("0", 1, "its schema is 0"),
        ('"1"', 1, "its schema is '1'"),
        ("true", 1, "its schema is True"),
        ("null", 1, "its schema is None"),
    ],
)
def test_a_file_of_a_later_schema_or_of_an_odd_one_is_refused(schema: str, newest: int, says: str) -> None:
    with pytest.raises(Unreadable, match=re.escape(says)):
        guarded.file_as(f'{{"schema": {schema}, "note": "x"}}', Noted, newest)


@pytest.mark.parametrize("text", ['{"note": "x"}', '{"schema": 1, "note": "x"}', '{"schema": 2, "note": "x"}'])
def test_a_file_of_an_earlier_schema_than_is_read_is_refused_as_such(text: str) -> None:
    with pytest.raises(guarded.Outdated, match="and this layerforge reads schemas 3 to 4"):
        guarded.file_as(text, Noted, 4, oldest=3)


@pytest.mark.parametrize("schema", ["5", "0", "-1", "true", '"1"'])
def test_a_file_of_a_later_schema_or_of_an_odd_one_is_of_no_earlier_layerforge(schema: str) -> None:
    with pytest.raises(Unreadable, match="this layerforge reads schemas 3 to 4") as caught:
        guarded.file_as(f'{{"schema": {schema}, "note": "x"}}', Noted, 4, oldest=3)
    assert not isinstance(caught.value, guarded.Outdated)


@pytest.mark.parametrize("text", ['{"name": "\\ud800"}', '{"name": "a\\udfffb"}'])
def test_half_a_character_is_told_as_what_it_is(text: str) -> None:
    with pytest.raises(guarded.Unreadable, match="half a character"):
        guarded.json_as(text, dict[str, Arch])


CROWD = """
import sys, threading
from dataclasses import dataclass
from layerforge.core import guarded

sys.setswitchinterval(1e-6)
for number in range(60):
    space = {"dataclass": dataclass}
    for depth in range(12):
        inner = f"part: 'T{depth - 1} | None' = None" if depth else "part: int = 0"
        fields = "; ".join(f"f{one}: 'dict[str, tuple[int, ...]] | None' = None" for one in range(8))
        exec(f"@dataclass(frozen=True, kw_only=True)\\nclass T{depth}: {inner}; {fields}", globals())
    barrier = threading.Barrier(6)

    def read():
        barrier.wait()
        assert guarded.json_as('{"part": {"part": {}}}', T11).part.part.part is None

    threads = [threading.Thread(target=read) for _ in range(6)]
    for one in threads: one.start()
    for one in threads: one.join()
print("all read")
"""


def test_threads_that_meet_a_type_at_the_same_time_all_read_it() -> None:
    done = subprocess.run([sys.executable, "-c", CROWD], capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout) == (0, "all read\n"), done.stderr
