"""What is wrong with a layer, as rules say it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """An error fails the build; a warning is shown."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something wrong with a layer."""

    rule: str
    """``LF101``; explained in docs/rules.md."""
    severity: Severity
    path: str
    """File it is about; empty where it is about the whole layer."""
    message: str
    hint: str
