"""Errors of what is asked for: recipes, project files, locks."""

from __future__ import annotations

from layerforge.core.errors import LayerforgeError


class RecipeError(LayerforgeError):
    """A recipe is wrong or does not exist."""

    exit_code = 3
    title = "recipe"


class LockError(LayerforgeError):
    """Requirements cannot be resolved, or a lock does not hold."""

    exit_code = 4
    title = "lock"
