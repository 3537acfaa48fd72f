"""What a key of the store is made of: each part changes it, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

One = TypeVar("One", bound="DataclassInstance")


def assert_decided_by(
    key: Callable[[One], object], base: One, parts: Mapping[str, Any], never: Mapping[str, Any] | None = None
) -> None:
    """Holds the key of ``base`` against those with one field changed, by the field's name.

    Each of ``parts`` gives a key of its own, and each of ``never`` the same; together they are all fields there are,
    so that a new one has to be thought of here.
    """
    never = never or {}
    assert sorted([*parts, *never]) == sorted(field.name for field in fields(base))
    first = key(base)
    assert key(replace(base)) == first
    assert [name for name, value in never.items() if key(replace(base, **{name: value})) != first] == []
    found = {name: key(replace(base, **{name: value})) for name, value in parts.items()}
    assert [name for name, other in found.items() if other == first] == []
    assert len(set(found.values())) == len(found)
