"""What is looked for quickly in sources is in all that is looked for slowly."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerforge.layer.passes import naming, needs

AROUND = st.binary(max_size=8) | st.sampled_from([b"", b" ", b"x", b"\n    ", b"(", b"'", b"  ("])


def within(pattern: re.Pattern[bytes]) -> st.SearchStrategy[bytes]:
    """Sources in which an expression is found."""
    made = st.tuples(AROUND, st.from_regex(pattern), AROUND).map(b"".join)
    return made.filter(lambda data: pattern.search(data) is not None)


CALLS = [
    (naming._LISTS, naming._LISTING),
    (naming._PLACES, naming._PLACING),
    (naming._OF_PACKAGE, naming._OF_PACKAGES),
]
QUICKLY = [
    (naming._OPERANDS, naming._SLASHES),
    (naming._OPEN_ENDED, naming._DOTS),
    (naming._OWN_FOLDER, naming._SELF),
]


@pytest.mark.parametrize(("slow", "words"), CALLS)
@given(data=st.data())
def test_a_call_that_is_found_is_one_of_a_word(
    slow: re.Pattern[bytes], words: tuple[bytes, ...], data: st.DataObject
) -> None:
    assert naming._calls(data.draw(within(slow)), words)


@pytest.mark.parametrize("words", [words for _, words in CALLS])
@given(space=st.text(" \t", max_size=300).map(str.encode))
def test_a_call_is_seen_behind_any_space(words: tuple[bytes, ...], space: bytes) -> None:
    for word in words:
        assert naming._calls(b"x = " + word + space + b"('a', 'b')", words)


@pytest.mark.parametrize(("slow", "quick"), QUICKLY)
@given(data=st.data())
def test_what_is_found_slowly_is_found_quickly(
    slow: re.Pattern[bytes], quick: re.Pattern[bytes], data: st.DataObject
) -> None:
    assert quick.search(data.draw(within(slow)))


def test_what_calls_nothing_of_the_kind_is_passed_over() -> None:
    assert not naming._calls(b"profiles(1)\nglobal_(x)\nprint ('files')\n    (1)\n", (b"glob", b"walk"))


@given(
    words=st.lists(
        st.sampled_from([b"tests", b"conftest", b"a", b"-x", b"\xc3\xa4b", b"t.s"]), min_size=1, unique=True
    ),
    source=st.lists(st.sampled_from([b"tests", b"conftest", b"a", b"-x", b"\xc3\xa4b", b" ", b".", b"_", b"\n"])),
)
def test_a_word_is_found_where_it_stands_alone(words: list[bytes], source: list[bytes]) -> None:
    data = b"".join(source)
    plain = re.compile(rb"\b(?:" + b"|".join(map(re.escape, words)) + rb")\b")
    found = re.compile(b"|".join(map(needs._alone, words)))
    assert bool(found.search(data)) is bool(plain.search(data))
