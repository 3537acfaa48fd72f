"""Shows an error that ends a run, or one layer of it, and tells a CI of it."""

from __future__ import annotations

from typing import Any

from layerforge.cli import github, terminal
from layerforge.core.errors import LayerforgeError


def show(error: LayerforgeError) -> None:
    """Shows an error in full, as an annotation, and in the summary of a GitHub job."""
    terminal.errors(error)
    github.annotate([github.of_error(error)])
    terminal.step_summary(github.failure(error))


def as_data(error: LayerforgeError) -> dict[str, Any]:
    """An error as data for JSON."""
    return {
        "title": error.title,
        "message": error.message,
        "hint": error.hint,
        "details": list(error.details),
        "exit_code": error.exit_code,
    }
