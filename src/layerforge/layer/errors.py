"""The error of layers that are not fit for Lambda."""

from __future__ import annotations

from layerforge.core.errors import LayerforgeError
from layerforge.core.findings import Finding


class VerificationError(LayerforgeError):
    """The layer is not fit for Lambda. ``findings`` are those for which it was refused, where rules did."""

    exit_code = 7
    title = "verify"

    def __init__(
        self, message: str, *, hint: str = "", details: tuple[str, ...] = (), findings: tuple[Finding, ...] = ()
    ) -> None:
        super().__init__(message, hint=hint, details=details)
        self.findings = findings
