"""A plan asks what lies behind a store at once, and once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fakes import FakeProgress, FakeStore
from layerforge.core.store.disk import DiskStore
from layerforge.core.store.looked_up import looked_up

KEYS = ["ab" * 32, "cd" * 32, "ef" * 32]


@dataclass
class Counting(FakeStore):
    """A store that writes down what it is asked."""

    asked: list[tuple[str, str, str]] = field(default_factory=list)

    def get(self, kind: str, key: str) -> bytes | None:
        self.asked.append(("get", kind, key))
        return super().get(kind, key)

    def holds(self, kind: str, key: str) -> bool:
        self.asked.append(("holds", kind, key))
        return super().holds(kind, key)


@pytest.fixture
def behind() -> Counting:
    return Counting(values={("layer", KEYS[0]): b"one", ("built", KEYS[1]): b"two"})


def test_what_was_looked_up_is_not_asked_for_again(behind: Counting, tmp_path: Path) -> None:
    store = DiskStore(root=tmp_path, progress=FakeProgress(), behind=behind)
    plan = looked_up(store, [("layer", key) for key in [*KEYS, *KEYS]], [("built", key) for key in KEYS])
    assert len(behind.asked) == 6

    assert [plan.get("layer", key) for key in KEYS] == [b"one", None, None]
    assert [plan.holds("built", key) for key in KEYS] == [False, True, False]
    assert len(behind.asked) == 6


def test_what_lies_near_is_not_asked_for_at_all(behind: Counting, tmp_path: Path) -> None:
    store = DiskStore(root=tmp_path, progress=FakeProgress(), behind=behind)
    store.keep("layer", KEYS[0], b"near")

    plan = looked_up(store, [("layer", KEYS[0])], [("layer", KEYS[0])])
    assert plan.get("layer", KEYS[0]) == b"near"
    assert behind.asked == []


def test_what_was_not_looked_up_is_asked_for_as_ever_and_what_is_put_goes_behind(
    behind: Counting, tmp_path: Path
) -> None:
    store = DiskStore(root=tmp_path, progress=FakeProgress(), behind=behind)
    plan = looked_up(store, [("layer", KEYS[1])], [])

    plan.put("layer", KEYS[2], b"three")
    assert behind.values["layer", KEYS[2]] == b"three"
    assert plan.get("built", KEYS[1]) == b"two"
    # What is carried out has the store itself, which knows what others have put there since.
    behind.values["layer", KEYS[1]] = b"since"
    assert plan.get("layer", KEYS[1]) is None
    assert store.get("layer", KEYS[1]) == b"since"


def test_a_store_with_nothing_behind_it_is_the_plans_own(tmp_path: Path) -> None:
    store = DiskStore(root=tmp_path, progress=FakeProgress())
    assert looked_up(store, [("layer", KEYS[0])], []) is store
