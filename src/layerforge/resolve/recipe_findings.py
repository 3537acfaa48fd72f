"""What is said of recipes, and recipes as they are looked at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from layerforge.core.findings import Severity
from layerforge.resolve import recipe_file
from layerforge.resolve.lock import Lock, Pin
from layerforge.resolve.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class RecipeFinding:
    """Something wrong with a recipe."""

    severity: Severity
    recipe: str
    """Name of its folder."""
    file: str
    """In the folder."""
    message: str
    hint: str = ""


@dataclass(frozen=True, kw_only=True)
class ReadRecipe:
    """A recipe without mistakes of its own, and what is locked beside it."""

    recipe: Recipe
    lock: Lock | None = None
    """``None`` where there is none, or none that can be read."""
    build_lock: Lock | None = None

    def error(self, message: str, file: str = recipe_file.FILE, hint: str = "") -> RecipeFinding:
        """What keeps the recipe from being used."""
        return found(Severity.ERROR, self.recipe.folder, message, file, hint)

    def warning(self, message: str, file: str = recipe_file.FILE, hint: str = "") -> RecipeFinding:
        """What should be known of it."""
        return found(Severity.WARNING, self.recipe.folder, message, file, hint)

    def pins(self, name: str) -> list[Pin]:
        """What its lock has of a package: several where that depends on the platform."""
        return [pin for pin in self.lock.pins if pin.name == name] if self.lock else []


def found(severity: Severity, folder: Path, message: str, file: str, hint: str) -> RecipeFinding:
    """A finding on the recipe in a folder."""
    return RecipeFinding(severity=severity, recipe=folder.absolute().name, file=file, message=message, hint=hint)
