"""The recipes that a build knows: a project's own, then layerforge's."""

from __future__ import annotations

import difflib
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from packaging.utils import canonicalize_name

from layerforge.core import guarded, resources
from layerforge.resolve import recipe_file, recipe_problems
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """Recipes by name, each in a folder that is called as it is; those of earlier folders come first."""

    folders: tuple[Path, ...]
    first: tuple[Path, ...] = ()
    """Folders of single recipes, which come before all others."""

    @cached_property
    def places(self) -> Mapping[str, Path]:
        """Folder of each recipe, by name."""
        found: dict[str, Path] = {}
        for folder in (*self.first, *self._others):
            found.setdefault(_name_of(folder), folder)
        return found

    @cached_property
    def _others(self) -> tuple[Path, ...]:
        return tuple(one for folder in self.folders for one in recipes_in(folder))

    def find(self, name: str) -> Recipe | None:
        """The recipe for a package or library. Raises ``RecipeError`` where it has mistakes, or another name."""
        folder = self.places.get(name)
        if folder is None:
            return None
        if name not in self._read:
            self._read[name] = recipe_in(folder)
        return self._read[name]

    @cached_property
    def _read(self) -> dict[str, Recipe]:
        return {}

    def with_those_beside(self, *named: Path) -> Catalogue:
        """The recipes that count where some are named by their folders: these first, and those beside them."""
        beside = dict.fromkeys(folder.absolute().parent for folder in named)
        others = (one for one in self.folders if one.absolute() not in beside)
        return replace(self, first=(*self.first, *named), folders=(*beside, *others))

    def all(self) -> Iterator[Recipe]:
        """Every recipe, by name."""
        found = (self.find(name) for name in sorted(self.places))
        return (recipe for recipe in found if recipe)

    def target(self, name: str) -> Recipe | None:
        """The recipe of that name, where it is a target of its own."""
        recipe = self.find(name)
        return recipe if recipe and recipe.layer else None

    def shadowed(self, name: str) -> bool:
        """Whether a later folder has a recipe of that name too, which does not count then."""
        return self._numbers[name] > 1

    @cached_property
    def _numbers(self) -> Counter[str]:
        """How many recipes there are of each name."""
        return Counter(map(_name_of, {_whole(folder) for folder in (*self.first, *self._others)}))

    def nearest(self, name: str) -> str:
        """The name of a target that is most like ``name``; empty where none is near."""
        near = difflib.get_close_matches(name.lower(), list(self.places), 3, cutoff=0.75)
        return next((one for one in near if self.target(one)), "")


def _name_of(folder: Path) -> str:
    """The name that the recipe in a folder has."""
    return canonicalize_name(_whole(folder).name)


def _whole(folder: Path) -> Path:
    """A folder without ``.`` and ``..``; a link keeps its name."""
    return Path(os.path.abspath(folder))  # noqa: PTH100 - resolving would follow links


def recipes_in(folder: Path) -> list[Path]:
    """The folders in ``folder`` that hold a recipe each, by name."""
    return [file.parent for file in sorted(folder.glob(f"*/{recipe_file.FILE}"))]


def recipe_in(folder: Path) -> Recipe:
    """The recipe in a folder. Raises ``RecipeError`` where it has mistakes, or another name."""
    recipe = recipe_file.load(folder)
    if _name_of(folder) != recipe.name:
        raise RecipeError(
            f"{folder} holds the recipe {recipe.name}",
            hint=f"name the folder {recipe.name}: recipes are found by the names of their folders",
        )
    return recipe


def refuse_misnamed(folder: Path) -> None:
    """Raises ``RecipeError`` where a recipe in ``folder`` lies in one that is not called as it is: none would find it.

    What else is wrong with a recipe is told where it is used.
    """
    for one in recipes_in(folder):
        with suppress(guarded.Unreadable):
            data = guarded.toml(guarded.text(one / recipe_file.FILE))
            tables = (data.get(kind) for kind in recipe_problems.KINDS)
            names = {row["name"] for row in tables if isinstance(row, dict) and isinstance(row.get("name"), str)}
            if names and _name_of(one) not in set(map(canonicalize_name, names)):
                recipe_in(one)


def bundled_folder() -> Path:
    """Where layerforge's own recipes lie: inside the installed package, or in the checkout it runs from."""
    return resources.carried("recipes", "recipes")


def catalogue(*own: Path) -> Catalogue:
    """The recipes of the folders ``own``, the first one's first, then those that come with layerforge."""
    return Catalogue(folders=(*own, bundled_folder()))
