"""Key pairs: what is written where, and what is refused."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from layerforge.core.errors import UsageError
from layerforge.core.store import keys


def test_a_pair_signs_and_its_public_half_tells(tmp_path: Path) -> None:
    pair = keys.new_key("team")
    (public,) = keys.trusted([f" {pair.public.text} "])

    assert public == pair.public
    assert public.verifies(pair.sign(b"data"), b"data")
    assert not public.verifies(pair.sign(b"data"), b"date")
    assert not keys.new_key("team").public.verifies(pair.sign(b"data"), b"data")


def test_a_secret_key_comes_from_a_file_or_from_its_own_text(tmp_path: Path) -> None:
    pair, path = keys.new_key("team"), tmp_path / "new" / "key"
    keys.write_new(pair, path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keys.signing_key(str(path)) == pair
    assert keys.signing_key(pair.text) == pair


def test_a_key_is_never_written_over(tmp_path: Path) -> None:
    keys.write_new(keys.new_key("one"), tmp_path / "key")
    before = (tmp_path / "key").read_text()

    with pytest.raises(UsageError, match="is there already"):
        keys.write_new(keys.new_key("two"), tmp_path / "key")
    assert (tmp_path / "key").read_text() == before


def test_a_secret_never_shows_in_what_is_printed_of_it() -> None:
    pair = keys.new_key("team")

    assert pair.text.rpartition(":")[2] not in repr(pair)
    assert str(pair.raw) not in repr(pair)


def test_a_secret_where_a_public_key_belongs_is_refused_without_repeating_it() -> None:
    pair = keys.new_key("team")

    with pytest.raises(UsageError) as caught:
        keys.trusted([pair.text])
    assert pair.text.rpartition(":")[2] not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    "text", ["", "team", "team:", "team:AAAA", ":" + "A" * 43 + "=", "te am:" + "A" * 43 + "=", "x" * 9999]
)
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no public key"):
        keys.trusted([text])


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    keys.write_new(keys.new_key("team"), path)
    path.chmod(0o640)

    with pytest.raises(UsageError, match="others can read"):
        keys.signing_key(str(path))


@pytest.mark.parametrize("text", ["", "hello\n", "layerforge-secret-key:team:AAAA\n", "layerforge-secret-key:"])
def test_a_file_that_holds_no_key_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    path.chmod(0o600)

    with pytest.raises(UsageError, match="no secret key"):
        keys.signing_key(str(path))


def test_a_key_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        keys.signing_key(str(tmp_path / "none"))


@pytest.mark.parametrize("name", ["", "-x", "a b", "a:b", "x" * 65])
def test_a_pair_has_a_plain_name(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name"):
        keys.new_key(name)
