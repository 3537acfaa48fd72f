"""An empty store takes downloads from a full one, and nothing that was made."""

from __future__ import annotations

from pathlib import Path

from fakes import FakeProgress, FakeStore
from layerforge.core import digest
from layerforge.core.store.disk import DiskStore
from layerforge.core.store.downloads import Downloads

SOURCE = digest.sha256(b"source")


def test_values_of_other_kinds_neither_come_nor_go() -> None:
    full = FakeStore(values={("source", SOURCE): b"source", ("built", "k"): b"made"})
    downloads = Downloads(store=full, kinds={"source"})
    assert (downloads.get("source", SOURCE), downloads.get("built", "k")) == (b"source", None)
    assert (downloads.holds("source", SOURCE), downloads.holds("built", "k")) == (True, False)
    downloads.put("built", "other", b"made")
    downloads.put("source", "other", b"more")
    assert full.values.keys() == {("source", SOURCE), ("built", "k"), ("source", "other")}


def test_a_store_that_only_takes_downloads_is_no_teams(tmp_path: Path) -> None:
    behind = Downloads(store=FakeStore(values={("source", SOURCE): b"source"}), kinds={"source"})
    store = DiskStore(root=tmp_path, progress=FakeProgress(), behind=behind, alone=True)
    assert not store.shared
    assert store.get("source", SOURCE) == b"source"
    assert store.lies_near("source", SOURCE)
