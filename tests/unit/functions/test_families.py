"""Which functions are resolved together, with an index that says which cannot be."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import cast

import pytest

from layerforge.core.errors import UsageError
from layerforge.functions.families import Member, families
from layerforge.planning import Prepared
from layerforge.resolve.errors import LockError
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.request import Request


def member(name: str, *, leave_out: tuple[str, ...] = ()) -> Member:
    spec = LayerSpec(name=name, requires=(name,), leave_out=leave_out)
    return Member(name=name, request=Request(spec=spec, text=name))


@dataclass
class FakeIndex:
    """Resolves what has none of its conflicts, and remembers what it was asked."""

    conflicts: Collection[frozenset[str]] = ()
    asked: list[Request] = field(default_factory=list)

    def prepare(self, request: Request) -> Prepared:
        self.asked.append(request)
        for one in self.conflicts:
            if one <= set(request.spec.requires):
                raise LockError("no", details=(f"{' and '.join(sorted(one))} conflict",))
        return cast("Prepared", request)


def test_all_functions_are_one_family_where_they_resolve_together() -> None:
    index = FakeIndex()
    found = families([member("b"), member("a")], index.prepare)
    assert [[one.name for one in family.members] for family in found.families] == [["a", "b"]]
    assert found.conflicts == ()
    assert len(index.asked) == 1


def test_a_conflict_makes_the_fewest_families_that_are_found_and_the_pair_is_told() -> None:
    index = FakeIndex(conflicts=[frozenset("bd")])
    found = families([member(name) for name in "dcba"], index.prepare)
    assert [[one.name for one in family.members] for family in found.families] == [["a", "b", "c"], ["d"]]
    assert [(one.functions, one.said) for one in found.conflicts] == [(("b", "d"), ("b and d conflict",))]


def test_a_function_joins_the_first_family_that_it_resolves_with() -> None:
    index = FakeIndex(conflicts=[frozenset("ab"), frozenset("ac")])
    found = families([member(name) for name in "abc"], index.prepare)
    assert [[one.name for one in family.members] for family in found.families] == [["a"], ["b", "c"]]


def test_a_conflict_of_three_names_them_all() -> None:
    index = FakeIndex(conflicts=[frozenset("abc")])
    found = families([member(name) for name in "abc"], index.prepare)
    assert [one.functions for one in found.conflicts] == [("a", "b", "c")]


def test_a_function_that_does_not_resolve_alone_is_the_error() -> None:
    index = FakeIndex(conflicts=[frozenset("b")])
    with pytest.raises(LockError) as caught:
        families([member("a"), member("b")], index.prepare)
    assert caught.value.details == ("b conflict",)


def test_what_no_resolution_can_mend_is_not_tried_again() -> None:
    asked: list[Request] = []

    def prepare(request: Request) -> Prepared:
        asked.append(request)
        raise UsageError("there is no interpreter")

    with pytest.raises(UsageError):
        families([member("a"), member("b")], prepare)
    assert len(asked) == 1


def test_only_what_every_function_leaves_out_is_left_out_of_the_resolution() -> None:
    index = FakeIndex()
    families([member("a", leave_out=("x", "y")), member("b", leave_out=("y", "z"))], index.prepare)
    assert index.asked[0].spec.leave_out == ("y",)
