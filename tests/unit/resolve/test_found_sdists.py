"""Source distributions that were had before: no index is asked where they lie."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fakes import FakeStore, stock, target
from layerforge.core import digest
from layerforge.core.errors import LayerforgeError
from layerforge.resolve import sdists, sources
from layerforge.resolve.lock import Pin
from sdists import make_sdist, publish
from served_index import NOWHERE


@pytest.fixture
def pin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pin:
    """The pin of a package of an index that has a source distribution of it."""
    served = tmp_path / "served"
    served.mkdir()
    sdist = make_sdist(served)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    monkeypatch.setenv("UV_DEFAULT_INDEX", publish(served, tmp_path / "simple"))
    return Pin(name="demo", version="1.0", hashes=("sha256:" + "0" * 64, f"sha256:{digest.of_file(sdist)}"))


def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "another-cache"))
    monkeypatch.setenv("UV_DEFAULT_INDEX", NOWHERE)


def had(pin: Pin) -> FakeStore:
    """A store of somebody who had the source distribution."""
    store = FakeStore()
    sources.fetch(sdists.find(pin, target(), stock(store=store)), stock(store=store))
    return store


def test_what_the_store_has_is_found_without_an_index(
    pin: Pin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store = had(pin)
    nowhere(monkeypatch, tmp_path)
    found = sdists.find(pin, target(), stock(store=store))
    assert f"sha256:{found.sha256}" == pin.hashes[1]
    assert digest.sha256(sources.fetch(found, stock(store=store))) == found.sha256


def test_where_it_lies_is_nothing_that_others_get_to_know(pin: Pin) -> None:
    [value] = [value for (kind, _), value in had(pin).values.items() if kind == sdists.CHOSEN]
    assert value == f'"{pin.hashes[1].removeprefix("sha256:")}"'.encode()


def test_another_lock_and_an_archive_that_is_gone_are_asked_of_the_index(
    pin: Pin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store = had(pin)
    nowhere(monkeypatch, tmp_path)
    with pytest.raises(LayerforgeError, match="cannot be reached"):
        sdists.find(replace(pin, hashes=pin.hashes[1:]), target(), stock(store=store))
    store.values = {place: value for place, value in store.values.items() if place[0] != "source"}
    with pytest.raises(LayerforgeError, match="cannot be reached"):
        sdists.find(pin, target(), stock(store=store))


@pytest.mark.parametrize("value", [b"", b"[]", b'"x"', b"\xff", b'"' + b"1" * 64 + b'"'])
def test_what_the_store_says_that_the_pin_does_not_allow_is_not_used(value: bytes, pin: Pin) -> None:
    store = had(pin)
    for place in [place for place in store.values if place[0] == sdists.CHOSEN]:
        store.values[place] = value
    store.values["source", "1" * 64] = b"another archive"
    assert f"sha256:{sdists.find(pin, target(), stock(store=store)).sha256}" == pin.hashes[1]
