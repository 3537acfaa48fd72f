"""What an order costs, in cents."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, PositiveInt


class Line(BaseModel):
    """One line of an order."""

    article: str
    amount: PositiveInt
    cents: PositiveInt


class Order(BaseModel):
    """An order of at least nothing."""

    lines: list[Line]


def total(lines: Iterable[Line]) -> int:
    """The price of all lines together."""
    return sum(line.amount * line.cents for line in lines)
