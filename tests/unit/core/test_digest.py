from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerforge.core import digest


@given(st.binary(max_size=200))
def test_a_digest_of_a_record_is_the_one_of_the_bytes(data: bytes) -> None:
    field = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    assert digest.of_record(f"sha256={field}") == digest.sha256(data)


@pytest.mark.parametrize(
    ("field", "expected"),
    [("", ""), ("md5=abcd", ""), ("sha256", ""), ("sha512=abcd", ""), ("sha256=a", "unreadable")],
)
def test_a_field_without_a_sound_digest_is_told_apart_from_one_with_none(field: str, expected: str) -> None:
    assert digest.of_record(field) == expected


def test_a_file_has_the_digest_of_its_bytes(tmp_path: Path) -> None:
    data = b"x" * 3_000_000
    (tmp_path / "file").write_bytes(data)
    assert digest.of_file(tmp_path / "file") == hashlib.sha256(data).hexdigest()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=3), VALUES, max_size=4))
def test_the_order_of_keys_changes_no_digest(value: dict[str, object]) -> None:
    assert digest.of_json(dict(reversed(value.items()))) == digest.of_json(value)


@pytest.mark.parametrize(("one", "other"), [(1, "1"), (None, "null"), (["a", "b"], ["ab"]), ({"a": 1}, [["a", 1]])])
def test_what_differs_has_another_digest(one: object, other: object) -> None:
    assert digest.of_json(one) != digest.of_json(other)


@given(st.permutations([(0o644, "a" * 64, "python/a"), (0o755, "b" * 64, "python/b"), (0o644, "a" * 64, "c\udcff")]))
def test_contents_have_one_digest_in_whatever_order(rows: list[tuple[int, str, str]]) -> None:
    assert digest.of_contents(rows) == digest.of_contents(sorted(rows, key=lambda row: row[2]))


@pytest.mark.parametrize("other", [(0o755, "a", "p"), (0o644, "b", "p"), (0o644, "a", "q")])
def test_mode_bytes_and_path_each_change_the_digest_of_contents(other: tuple[int, str, str]) -> None:
    assert digest.of_contents([(0o644, "a", "p")]) != digest.of_contents([other])
