"""What is sent."""

from dataclasses import dataclass

HEAVIEST = {"letter": 500, "parcel": 31_500}
"""Grams by kind, the lightest first."""


@dataclass(frozen=True)
class Parcel:
    """Something to be sent."""

    to: str
    weight: int
    kind: str


def read(event):
    """The parcel that an event is about. Raises ``ValueError`` for one that is too heavy."""
    weight = int(event["weight"])
    kind = next((name for name, most in HEAVIEST.items() if weight <= most), None)
    if kind is None:
        raise ValueError(f"{weight:,} g are more than a parcel may weigh")
    return Parcel(to=str(event["to"]), weight=weight, kind=kind)
