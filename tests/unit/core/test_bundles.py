"""Many small values as one, and what comes of a bundle that is not what it should be."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import FakeProgress, FakeStore
from layerforge.core.store import bundles

PACKED = bundles.packed({"k1": b"one", "k2": b"two"})
KEY = bundles.key_of(["k1", "k2"])
MADE = {("kind", "k1"): b"one", ("kind", "k2"): b"two"}


def wanted(store: FakeStore, **made: bytes) -> list[str]:
    """Asks for two values of a package and makes those that are absent, or ``made``; what was warned of."""
    progress = FakeProgress()
    with bundles.bundled(store, "kind", {"demo": ["k2", "k1"]}, progress.warn):
        for kind, key in MADE:
            if not store.holds(kind, key):
                store.put(kind, key, made.get(key, MADE[kind, key]))
    return progress.warnings


@given(st.dictionaries(st.text(max_size=5), st.binary(max_size=20)))
def test_a_bundle_gives_back_what_went_in_and_has_the_same_bytes_in_any_order(values: dict[str, bytes]) -> None:
    data = bundles.packed(values)
    assert bundles.unpacked(data) == values
    assert bundles.packed(dict(reversed(values.items()))) == data


@given(st.binary(max_size=60))
def test_whatever_is_no_bundle_reads_as_none(data: bytes) -> None:
    found = bundles.unpacked(data)
    assert found is None or all(isinstance(value, bytes) for value in found.values())


@pytest.mark.parametrize("cut", range(len(PACKED)))
def test_a_bundle_that_was_cut_short_reads_as_none(cut: int) -> None:
    assert bundles.unpacked(PACKED[:cut]) is None
    assert bundles.unpacked(PACKED + b"x") is None


def test_what_had_to_be_made_is_put_together_for_others_where_there_are_some() -> None:
    store, alone = FakeStore(shared=True), FakeStore()
    assert wanted(store) == wanted(alone) == []
    assert store.values == {**MADE, ("kind-bundle", KEY): PACKED}
    assert alone.values == MADE


def test_what_is_here_already_is_neither_asked_for_nor_put_together() -> None:
    store = FakeStore(shared=True, values=dict(MADE))
    wanted(store)
    assert (store.values, store.hits) == (MADE, 0)


def test_a_value_that_is_here_is_not_written_again_when_the_rest_comes() -> None:
    own = {("kind", "k1"): b"own"}
    store = FakeStore(shared=True, values={**own, ("kind-bundle", KEY): PACKED})
    wanted(store, k2=b"made here")
    assert store.values == {**MADE, **own, ("kind-bundle", KEY): PACKED}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (PACKED[:-1], "it cannot be read"),
        (b"", "it cannot be read"),
        (msgspec.msgpack.encode({"k1": "a text", "k2": b""}), "it cannot be read"),
        (msgspec.msgpack.encode([b"one", b"two"]), "it cannot be read"),
        (bundles.packed({"k1": b"one"}), "it holds other values"),
        (bundles.packed({"k1": b"one", "k3": b"two"}), "it holds other values"),
        (bundles.packed({"k1": b"one", "k2": b"two", "k3": b"three"}), "it holds other values"),
    ],
)
def test_a_bundle_that_is_not_its_keys_is_said_and_neither_used_nor_replaced(data: bytes, why: str) -> None:
    store = FakeStore(shared=True, values={("kind-bundle", KEY): data})
    [said] = wanted(store, k1=b"made", k2=b"here")
    assert said == f"the stored kind of demo is not used, since {why}; it is made again"
    assert store.values == {("kind", "k1"): b"made", ("kind", "k2"): b"here", ("kind-bundle", KEY): data}


def failing(store: FakeStore) -> None:
    with bundles.bundled(store, "kind", {"demo": ["k1"]}, lambda _: None):
        store.put("kind", "k1", b"one")
        raise ValueError("no")


def test_nothing_is_put_together_of_work_that_failed() -> None:
    store = FakeStore(shared=True)
    with pytest.raises(ValueError, match="no"):
        failing(store)
    assert store.values == {("kind", "k1"): b"one"}


def test_a_group_that_was_not_made_whole_is_not_put_together() -> None:
    store = FakeStore(shared=True)
    with bundles.bundled(store, "kind", {"demo": ["k1", "k2"]}, lambda _: None):
        store.put("kind", "k1", b"one")
    assert store.values == {("kind", "k1"): b"one"}


def test_bundles_are_known_by_their_kind() -> None:
    assert bundles.is_bundle("streams" + bundles.SUFFIX)
    assert not bundles.is_bundle("streams")
    assert bundles.is_taken_apart("streams" + bundles.SUFFIX)
    assert bundles.is_bundle(bundles.BYTECODE)
    assert not bundles.is_taken_apart(bundles.BYTECODE)
