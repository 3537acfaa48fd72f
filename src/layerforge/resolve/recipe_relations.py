"""What is wrong between recipes: needs that lead nowhere or in a circle, globs of others' files, what stands twice."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from packaging.utils import canonicalize_name

from layerforge.core import guarded
from layerforge.resolve import recipe_file
from layerforge.resolve.catalogue import Catalogue
from layerforge.resolve.compose import proved
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.recipe import Library, Need, Recipe
from layerforge.resolve.recipe_findings import ReadRecipe, RecipeFinding

TWICE = 3
"""Lines in a row that may not stand in two recipes."""

_FORM = re.compile(
    r"""\[.*|\w+\s*=\s*\[|[\]}"']*|(?:schema|name|versions|build|script|docstrings|unpack|requires|minutes)\s*=\s*[^[]*"""
)
"""Lines that say nothing of a package: tables, brackets, and keys that many have with the same value."""


def relations(read: Sequence[ReadRecipe], known: Catalogue) -> Iterator[RecipeFinding]:
    """What is wrong between recipes that have no mistakes of their own."""
    for one in read:
        yield from _of_needs(one, known)
        yield from _of_variant(one, known)
        if known.shadowed(one.recipe.name):
            yield one.warning("it counts instead of layerforge's own recipe of that name")
    yield from _cycles(read, known)
    yield from _foreign(read, known)
    yield from _unmet(read)
    yield from _twice(read)


# --- needs


def _of_needs(one: ReadRecipe, known: Catalogue) -> Iterator[RecipeFinding]:
    for need in one.recipe.needs:
        try:
            other = known.find(need.name)
        except RecipeError as error:
            yield one.error(f"it needs {need.name}, whose recipe has mistakes: {error.message}", hint=error.hint)
            continue
        if other is None:
            near = known.nearest(need.name)
            hint = f"perhaps {near} is meant" if near else "`needs` names recipes: write one for it"
            yield one.error(f"it needs {need.name}, and there is no such recipe", hint=hint)
        elif isinstance(other.part, Library):
            yield from _of_library(one, need, other, other.part.version)
        else:
            yield from _of_package(one, need, other)


def _of_library(one: ReadRecipe, need: Need, other: Recipe, version: str) -> Iterator[RecipeFinding]:
    if not need.allows(version):
        yield one.error(
            f"it needs {other.name} {need.versions}, and its recipe is for {version}",
            hint="bring the two recipes to the same version: a layer has one",
        )


def _of_package(one: ReadRecipe, need: Need, other: Recipe) -> Iterator[RecipeFinding]:
    """A need of a package is met by the one that is compiled for the same layer."""
    if not other.compiles:
        yield one.error(
            f"it needs {other.name}, which its recipe does not compile", hint='needs are libraries, or build = "source"'
        )
    if one.lock is None:
        return
    pins = one.pins(other.name)
    if not pins:
        hint = f"`layerforge lock {one.recipe.folder}` renews it; does the package require {other.name}?"
        yield one.error(f"it does not hold {other.name}, which the recipe needs", recipe_file.LOCK, hint)
    for pin in pins:
        if not need.allows(pin.version or "0"):
            message = f"it has {other.name} {pin.version}, and the recipe needs {need.versions}"
            yield one.error(message, recipe_file.LOCK, "bring the two together")
        elif not proved(other, pin):
            message = f"it has {other.name} {pin.version}, which is not among the versions of that recipe"
            yield one.error(message, recipe_file.LOCK, f"{other.name} is for {other.versions}")


def _cycles(read: Iterable[ReadRecipe], known: Catalogue) -> Iterator[RecipeFinding]:
    """Recipes that need each other, told of the first of them that was read."""
    by_name = {one.recipe.name: one for one in read}
    graph = _graph(by_name, known)
    while True:
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            circle: list[str] = error.args[1]
            teller = next((by_name[name] for name in circle if name in by_name), None)
            if teller is not None:
                words = " → ".join(reversed(circle))
                yield teller.error(f"recipes need each other: {words}", hint="take one of these needs away")
            for need, name in pairwise(circle):
                graph[name] = graph[name] - {need}
        else:
            return


def _graph(by_name: Mapping[str, ReadRecipe], known: Catalogue) -> dict[str, set[str]]:
    """What each recipe needs, of those that can be read and are reached."""
    graph: dict[str, set[str]] = {}
    ahead = list(by_name)
    for name in ahead:
        try:
            recipe = by_name[name].recipe if name in by_name else known.find(name)
        except RecipeError:
            recipe = None
        if name not in graph:
            graph[name] = {need.name for need in recipe.needs} if recipe else set()
            ahead += sorted(graph[name])
    return graph


# --- variants


def _of_variant(one: ReadRecipe, known: Catalogue) -> Iterator[RecipeFinding]:
    """Whether a variant is one of something, and leaves out parts of what its lock holds."""
    variant = one.recipe.variant
    if variant is None:
        return
    try:
        whole = known.target(variant.of)
    except RecipeError as error:
        yield one.error(f"it is a variant of {variant.of}, whose recipe has mistakes: {error.message}", hint=error.hint)
        return
    if whole is None or whole.variant:
        hint = f"perhaps {near} is meant" if (near := known.nearest(variant.of)) else "`of` names a recipe with [layer]"
        yield one.error(f"it is a variant of {variant.of}, and there is no such layer", hint=hint)
    for name in sorted(variant.packages):
        if one.lock is not None and not one.pins(name):
            yield one.error(f"it does not hold {name}, which parts are left out of", recipe_file.LOCK)


# --- files of others


def _foreign(read: Iterable[ReadRecipe], known: Catalogue) -> Iterator[RecipeFinding]:
    """Globs that begin with what is another known recipe's package."""
    owners = _owners([one.recipe for one in read], known)
    for one in read:
        yield from _foreign_parts(one, owners)
        own = _tops(one.recipe)
        rules = one.recipe.prune
        code, into = one.recipe.bytecode, [row.into for row in one.recipe.linked]
        for glob in dict.fromkeys((*rules.remove, *rules.keep, *code.keep_docstrings, *code.lazy, *code.defer, *into)):
            top = _top(glob)
            if top not in own and (owner := owners.get(top, one.recipe.name)) != one.recipe.name:
                hint = f"a recipe speaks of its own files: it belongs to the recipe {owner}"
                yield one.error(f"{glob} is about the files of {owner}", hint=hint)


def _foreign_parts(one: ReadRecipe, owners: Mapping[str, str]) -> Iterator[RecipeFinding]:
    """What a variant leaves out of one package though it is another known one's."""
    for row in one.recipe.variant.without if one.recipe.variant else ():
        for name in (*(module.replace(".", "/") for module in row.modules), *row.files):
            if (owner := owners.get(_top(name), row.package)) != row.package:
                hint = f'it belongs into a [[variant.without]] with package = "{owner}"'
                yield one.error(f"{name} is to be left out of {row.package}, and is of {owner}", hint=hint)


def _owners(recipes: Iterable[Recipe], known: Catalogue) -> dict[str, str]:
    """Recipe by what its package's files lie under, as far as recipes tell."""
    owners: dict[str, str] = {}
    for name in known.places:
        try:
            found = known.find(name)
        except RecipeError:
            continue
        if found and found.of_package:
            owners |= dict.fromkeys(_tops(found), name)
    return owners | {top: one.name for one in recipes if one.of_package for top in _tops(one)}


def _tops(recipe: Recipe) -> set[str]:
    """Folders and modules of a package, normalised: what it is called like, and what its check imports."""
    return {recipe.name, *(_top(name.replace(".", "/")) for name in recipe.check.imports)}


def _top(glob: str) -> str:
    """``scikit-learn`` for ``scikit_learn.libs/**``."""
    return canonicalize_name(glob.partition("/")[0].partition(".")[0])


def _unmet(read: Sequence[ReadRecipe]) -> Iterator[RecipeFinding]:
    """Recipes without a lock of their own whose versions are those of no lock that holds their package."""
    for one in read:
        if one.recipe.layer or isinstance(one.recipe.part, Library):
            continue
        found = {(other.recipe.name, pin.version): pin for other in read for pin in other.pins(one.recipe.name)}
        outside = {where: pin for where, pin in found.items() if not proved(one.recipe, pin)}
        if not outside:
            continue
        told = ", ".join(f"{version or 'an address'} in that of {name}" for name, version in outside)
        if len(outside) == len(found):
            yield one.error(f"its versions, {one.recipe.versions}, are met by no lock: {told}")
        else:
            yield one.warning(f"its versions, {one.recipe.versions}, are not met by every lock: {told}")


# --- what stands twice


def _twice(read: Iterable[ReadRecipe]) -> Iterator[RecipeFinding]:
    """Lines in a row that another recipe has too, told of the later one."""
    seen: dict[tuple[str, ...], str] = {}
    for one in read:
        lines = list(_telling(guarded.text(one.recipe.folder / recipe_file.FILE)))
        runs = [tuple(text for _, text in lines[at : at + TWICE]) for at in range(len(lines) - TWICE + 1)]
        told = ""
        for at, run in enumerate(runs):
            other = seen.get(run, "")
            if other and other != told:
                yield one.warning(
                    f"from line {lines[at][0]} on, {TWICE} lines or more stand in {other} too: {run[0]}",
                    hint="what is known stands once: in the recipe of the package or library that it is about",
                )
            told = other
        seen |= {run: one.recipe.name for run in runs if run not in seen}


def _telling(text: str) -> Iterator[tuple[int, str]]:
    """Numbers and texts of the lines that say something of a package, without comments."""
    for number, line in enumerate(text.splitlines(), 1):
        plain = re.sub(r"(^|\s)#.*", "", line).strip()
        if plain and not _FORM.fullmatch(plain):
            yield number, plain
