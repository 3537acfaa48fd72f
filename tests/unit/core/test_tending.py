"""Stores as a whole: two are made alike, one is looked through, or cleared of what is old."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from fakes import FakeProgress
from layerforge.core import digest
from layerforge.core.store import far, keys, tending
from layerforge.core.store.disk import DiskStore
from layerforge.core.store.far import ConflictError, FarStore, blob_name
from layerforge.core.store.objects import MARK, FolderObjects
from layerforge.core.store.protocol import Made

TEAM, OTHERS = keys.new_key("team"), keys.new_key("others")
OLD, NEW = "ab" * 32, "cd" * 32


@dataclass
class World:
    folder: Path
    progress: FakeProgress

    def near(self, name: str) -> DiskStore:
        return DiskStore(root=self.folder / name, progress=self.progress)

    def far(self, signer: keys.SigningKey | None = TEAM) -> FarStore:
        objects = FolderObjects(root=self.folder / "far")
        return FarStore(objects=objects, progress=self.progress, signer=signer, trusted=(TEAM.public,))

    def push(self, name: str) -> tending.Moved:
        return tending.push(self.near(name), self.far(), far.goes, self.progress)

    def pull(self, name: str) -> tending.Moved:
        return tending.pull(self.near(name), self.far(None), far.goes, self.progress)

    def blob(self, value: bytes) -> Path:
        return self.folder / "far" / blob_name(digest.sha256(value))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, FakeProgress())


def test_what_one_machine_pushes_another_pulls_and_a_second_time_there_is_nothing_to_do(world: World) -> None:
    one = world.near("one")
    one.put("built", OLD, b"wheel", Made(image="sha256:1", seconds=4.0))
    one.put("source", digest.sha256(b"src"), b"src")
    one.put("no-image", NEW, b"of this machine")

    assert (world.push("one").count, world.push("one")) == (2, tending.Moved(there=2))
    assert (world.pull("two").count, world.pull("two")) == (2, tending.Moved(there=2))
    assert world.near("two").get("built", OLD) == b"wheel"
    assert world.near("two").get("no-image", NEW) is None
    record = world.far().record("built", OLD)
    assert record
    assert record.made == Made(image="sha256:1", seconds=4.0)


def test_only_the_kinds_that_are_named_are_moved(world: World) -> None:
    one = world.near("one")
    one.put("built", OLD, b"wheel")
    one.put("verdict", OLD, b"good")

    assert tending.push(one, world.far(), {"verdict"}.__contains__, world.progress).count == 1
    assert world.far().get("built", OLD) is None


def test_a_push_of_something_else_under_the_same_key_is_an_alarm(world: World) -> None:
    world.near("one").put("built", OLD, b"wheel")
    world.near("two").put("built", OLD, b"whale")
    world.push("one")

    with pytest.raises(ConflictError):
        world.push("two")


def test_what_nobody_trusted_signed_is_not_pulled(world: World) -> None:
    FarStore(objects=FolderObjects(root=world.folder / "far"), progress=world.progress, signer=OTHERS).put(
        "built", OLD, b"evil"
    )

    assert world.pull("two") == tending.Moved()


def test_everything_that_is_damaged_is_named(world: World) -> None:
    store = world.far()
    for key, value in ((OLD, b"one"), (NEW, b"two"), ("ef" * 32, b"three"), ("01" * 32, b"four")):
        store.put("built", key, value)
    assert tending.damaged_far(store, world.progress) == []

    world.blob(b"one").write_bytes(b"other")
    world.blob(b"two").unlink()
    place = next((world.folder / "far/records").rglob(f"{'ef' * 32}.*"))
    place.write_bytes(place.read_bytes()[:-20])

    found = {one.name: one.why for one in tending.damaged_far(store, world.progress)}
    assert len(found) == 4
    assert "digest" in found[blob_name(digest.sha256(b"one"))]
    assert any("not there" in why for why in found.values())
    assert any("cut short" in why for why in found.values())


def test_what_stands_in_place_of_an_object_is_damage_and_can_be_removed(world: World) -> None:
    store = world.far()
    for key, value in ((OLD, b"one"), (NEW, b"two")):
        store.put("built", key, value)
    record = next((world.folder / "far/records").rglob(f"{NEW}.*"))
    for path in (world.blob(b"one"), record):
        path.unlink()
        path.symlink_to("/dev/zero")

    found = tending.damaged_far(store, world.progress)
    assert sum("a link, which is not followed" in one.why for one in found) == 2

    tending.remove_damaged(store, found)
    assert tending.damaged_far(store, world.progress) == []


def test_what_a_newer_layerforge_wrote_is_no_damage(world: World) -> None:
    store = world.far()
    store.put("built", OLD, b"wheel")
    record = next((world.folder / "far/records").rglob(f"{OLD}.*"))
    record.write_text(record.read_text().replace('"schema": 1', '"schema": 2'))

    assert tending.damaged_far(store, world.progress) == []


def test_what_is_damaged_can_be_removed_and_put_again(world: World) -> None:
    store = world.far()
    store.put("built", OLD, b"wheel")
    world.blob(b"wheel").write_bytes(b"whale")
    store.put("built", OLD, b"wheel")
    assert store.get("built", OLD) is None

    tending.remove_damaged(store, tending.damaged_far(store, world.progress))
    store.put("built", OLD, b"wheel")
    assert world.far().get("built", OLD) == b"wheel"


def test_the_records_of_others_are_no_damage(world: World) -> None:
    FarStore(objects=FolderObjects(root=world.folder / "far"), progress=world.progress, signer=OTHERS).put(
        "built", OLD, b"theirs"
    )

    assert tending.damaged_far(world.far(), world.progress) == []


def test_damaged_values_of_this_machine_are_named_and_gone(world: World) -> None:
    near = world.near("one")
    near.put("built", OLD, b"wheel")
    near.put("built", NEW, b"sound")
    file = next(path for path in near.folder.rglob(OLD) if path.is_file())
    file.write_bytes(file.read_bytes()[:-1])

    assert [one.name for one in tending.damaged_near(near)] == [f"built {OLD}"]
    assert tending.damaged_near(near) == []


def _aged(folder: Path, value: bytes) -> None:
    week = time.time() - 7 * 86_400
    for path in folder.rglob("*"):
        if path.is_file() and (digest.sha256(value) in path.name or digest.sha256(value).encode() in path.read_bytes()):
            os.utime(path, (week, week))


def test_clearing_by_age_leaves_what_is_younger_and_every_blob_that_it_names(world: World) -> None:
    store = world.far()
    store.put("built", OLD, b"old")
    store.put("verdict", OLD, b"both")
    _aged(world.folder / "far", b"old")
    _aged(world.folder / "far", b"both")
    store.put("verdict", NEW, b"both")
    store.put("built", NEW, b"new")

    freed = tending.clear_far(store, time.time() - 86_400)

    assert freed > 0
    assert store.get("built", OLD) is None
    assert store.get("verdict", OLD) is None
    assert store.get("verdict", NEW) == b"both"
    assert store.get("built", NEW) == b"new"
    assert not world.blob(b"old").exists()


def test_clearing_all_leaves_nothing_but_a_store_in_which_others_go_on(world: World) -> None:
    going_on = world.far()
    going_on.put("built", OLD, b"old")
    tending.clear_far(world.far(), None)
    assert [path.name for path in (world.folder / "far").rglob("*") if path.is_file()] == [MARK]

    going_on.put("built", NEW, b"new")
    assert world.far(None).check()
    assert world.far(None).get("built", NEW) == b"new"


def test_usage_tells_each_kind(world: World) -> None:
    world.far().put("built", OLD, b"old")
    world.far().put("verdict", OLD, b"good")

    found = tending.usage(world.far())
    assert {name: kept.count for name, kept in found.items()} == {"built records": 1, "verdict records": 1, "blobs": 2}
    assert found["blobs"].size == 7
