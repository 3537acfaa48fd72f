"""Errors that users meet: each class owns an exit code, and each instance carries a hint and its evidence."""

from __future__ import annotations

from typing import ClassVar

from layerforge.core.findings import Finding


class LayerforgeError(Exception):
    """Something went wrong that the user can do something about.

    ``message`` says what happened, ``hint`` what to do next, ``details`` holds the evidence, a line each.
    """

    exit_code: ClassVar[int] = 1
    title: ClassVar[str] = "error"

    def __init__(self, message: str, *, hint: str = "", details: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details


class UsageError(LayerforgeError):
    """The command line, or a place it names, cannot be used."""

    exit_code = 2
    title = "usage"


class StoreError(LayerforgeError):
    """The store cannot be trusted."""

    exit_code = 5
    title = "store"


class StepError(LayerforgeError):
    """A step of the build failed."""

    exit_code = 6
    title = "build"


class VerificationError(LayerforgeError):
    """The layer is not fit for Lambda. ``findings`` are those for which it was refused, where rules did."""

    exit_code = 7
    title = "verify"

    def __init__(
        self, message: str, *, hint: str = "", details: tuple[str, ...] = (), findings: tuple[Finding, ...] = ()
    ) -> None:
        super().__init__(message, hint=hint, details=details)
        self.findings = findings
