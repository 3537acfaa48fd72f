"""From what the user names to requests: recipes, files, folders, requirements."""

from __future__ import annotations

import difflib
import os
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from layerforge.core import guarded
from layerforge.core.errors import LayerforgeError, UsageError
from layerforge.core.text import fitting_name
from layerforge.resolve import file_kinds, folders, lock, project_file, projects, recipe_file, variant, wheel_source
from layerforge.resolve import requirements as listing
from layerforge.resolve.catalogue import Catalogue, bundled_folder, catalogue, recipe_in
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.listed import Listed, together, understood
from layerforge.resolve.projects import Named
from layerforge.resolve.recipe import LONGEST_NAME, Library, Recipe
from layerforge.resolve.request import Request, merged, refuse_lines
from layerforge.resolve.requirement import PACKAGE_NAME, parsed, refuse_module
from layerforge.resolve.requirements import HASH_OPTION, hashed
from layerforge.resolve.variant import Asked
from layerforge.resolve.wanted import NOTHING, Wanted, refuse_unknown
from layerforge.resolve.wheel_source import NoSource, WheelSource

_WHEEL, _SOURCE, _LISTS = ".whl", wheel_source.SDIST, (".txt", ".in", ".lock", ".toml")
_NAMED = frozenset({"Pipfile", "template.yaml", "template.yml"})
"""Files that have names of packages, which nobody means by them."""
_FILES = (_WHEEL, *_SOURCE)
"""What a word is about by itself, as a requirement is."""

PROJECT = project_file.PROJECT


def requests(
    targets: Sequence[str],
    given_lock: Path | None,
    known: Catalogue | None = None,
    *,
    each: bool = False,
    options: Wanted = NOTHING,
) -> tuple[Request, ...]:
    """The layers that ``targets`` ask for: one for all of them together, or with ``each`` one a word.

    A recipe that stands alone, or that is a folder of the user's, is built from its own lock, and a project from the
    one that another tool wrote beside it. ``options`` are extras and groups of whichever project has them.
    """
    known = known or catalogue()
    once = list(dict.fromkeys(targets))
    for target in once:
        _refuse_ambiguous(target, known)
    groups = [[target] for target in once] if each else [once]
    found = [_together(group, known, options) for group in groups]
    found = [replace(one, options=options.within(one.offered).options) for one in found]
    projects.refuse_unknown_wishes(found, options)
    refuse_same_names(found)
    if given_lock is None:
        for request in found:
            refuse_lines(request)
        return tuple(found)
    if len(found) != 1:
        raise UsageError("--lock goes with a single layer", hint="build the layers one at a time")
    return (projects.with_lock(found[0], given_lock),)


def _together(targets: Sequence[str], known: Catalogue, options: Wanted) -> Request:
    """The one layer that targets ask for."""
    words = [target for target in targets if not _is_path(target) or target.endswith(_FILES)]
    paths = [_from_path(target, known, options) for target in targets if target not in words]
    if len(paths) == len(targets) == 1:
        return paths[0]
    if not paths:
        recipe = known.target(canonicalize_name(words[0].strip())) if len(words) == 1 else None
        return _from_recipe(recipe, _called(recipe), known) if recipe else _from_requirements(words, known)
    return merged([*paths, *([_from_requirements(words, known)] if words else [])])


def stand_alone(targets: Iterable[str], known: Catalogue) -> bool:
    """Whether every target has a lock of its own: a recipe, a file or a folder."""
    return all(
        (_is_path(one) and not one.endswith(_FILES)) or known.target(canonicalize_name(one)) is not None
        for one in targets
    )


def refuse_same_names(found: Sequence[Request]) -> None:
    """Raises ``UsageError`` for two layers of one name: their files would be called alike."""
    by_name: dict[str, Request] = {}
    for request in found:
        name = request.spec.name.casefold()
        if name in by_name:
            raise UsageError(
                f"{' '.join(by_name[name].given)} and {' '.join(request.given)} would both be the layer {name}",
                hint="rename one of them, or build them one at a time into folders of their own with --output",
            )
        by_name[name] = request


def _is_path(target: str) -> bool:
    if "://" in target or " @" in target:
        return False
    if _here(target) or file_kinds.kind(target):
        return True
    target, extras = projects.split(target)
    if extras and projects.is_one(Path(target)):
        return True
    named = target in _NAMED or (target.endswith((*_LISTS, _WHEEL, *_SOURCE)) and " " not in target)
    return named or target.startswith((".", "/", "~")) or ("/" in target and "@" not in target)


def _here(word: str) -> bool:
    """Whether something of that name lies in the current folder."""
    return bool(word) and os.path.lexists(word)


def _refuse_ambiguous(target: str, known: Catalogue) -> None:
    """Raises ``UsageError`` for a bare name that something on the disk has too, where not that alone can be meant.

    A path says that the disk is meant and a requirement with a version that the index is.
    """
    word = target.strip()
    if word.startswith((".", "/", "~")) or "/" in word or projects.is_one(Path(projects.split(word)[0])):
        return
    if known.target(canonicalize_name(word)):
        folder = known.places[canonicalize_name(word)]
        meant, other = f"the recipe {folder.name}", shlex.quote(str(folder))
        name = word
    else:
        name, meant = word.partition("[")[0].strip(), "a package"
        other = f'"{word}>=0"'
        if name == word:
            return
    if _here(name):
        raise UsageError(
            f"{name} lies in this folder, and {word} could be {meant} too",
            hint=f"name ./{name} for what lies here, or {other} for {meant}",
        )


def _existing(target: str, known: Catalogue) -> Path:
    path = Path(target).expanduser()
    if path.name == recipe_file.FILE:
        path = path.parent
    if not os.path.exists(path):  # noqa: PTH110 - a name that is too long does not exist
        raise RecipeError(f"{path} does not exist", hint=_instead_of(path, known))
    return path


def _instead_of(path: Path, known: Catalogue) -> str:
    """What may be meant by a path where nothing is."""
    if near := known.nearest(path.name[:100]):
        return f"perhaps you meant the recipe {near}"
    try:
        names = os.listdir(path.parent)  # noqa: PTH208 - names are wanted, and some are no text
    except OSError:
        return f"there is no folder {path.parent}"
    close = difflib.get_close_matches(path.name, sorted(names), 1)
    return f"perhaps you meant {path.parent / close[0]}" if close else "paths begin at the current folder"


def _from_path(target: str, known: Catalogue, options: Wanted = NOTHING) -> Request:
    word, extras = projects.split(target)
    path = _existing(word, known)
    if path.is_dir():
        if (path / recipe_file.FILE).exists():
            return _from_recipe(recipe_in(path), target, known.with_those_beside(path))
        if (file := projects.file_in(path)) is None:
            if found := folders.of_folder(path, target, known):
                return replace(found, spec=replace(found.spec, requires=_sound(found.spec.requires, target)))
            raise _empty_folder(path)
        path = file
    folders.refuse_template(path)
    file_kinds.refuse_kind(path)
    if projects.is_one(path):
        found = projects.request(Named(path=path, word=target, asked=options | extras, known=known))
        refuse_unknown(extras, found.offered, str(path))
        return replace(found, spec=replace(found.spec, requires=_sound(found.spec.requires, target)))
    if extras:
        raise UsageError(f"{path} is a list of requirements, and has no extras", hint=f"name {word} alone")
    listed = listing.listed(path)
    spec = LayerSpec(name=fitting_name(path.stem, LONGEST_NAME), requires=_sound(listed.requires, target))
    return Request(spec=spec, text=listed.text, files=(path,), catalogue=known, given=(target,), listed=listed)


def _empty_folder(path: Path) -> LayerforgeError:
    """What to say of a folder that is no recipe and no project: the command for what it does hold."""
    message = f"{path} is a folder without {recipe_file.FILE} and {PROJECT}"
    known = [one for one in sorted(path.iterdir()) if one.suffix != ".py" or one.name == "setup.py"]
    for file in known:
        if found := file_kinds.kind(file.name):
            return RecipeError(f"{message}; its {file.name} {found[0]}", hint=found[1])
    name = canonicalize_name(path.name)
    package = f', or "{name}>=0" for the package of that name' if PACKAGE_NAME.fullmatch(name) else ""
    return RecipeError(message, hint=f"name a recipe's or a project's folder{package}")


def _called(recipe: Recipe) -> str:
    """The word that asks for a recipe wherever commands are given: its name alone where it is layerforge's own."""
    own = recipe.folder.is_relative_to(bundled_folder())
    path = str(recipe.folder)
    return recipe.name if own else path if path.startswith(("/", ".")) else f"./{path}"


def _from_recipe(recipe: Recipe, given: str, known: Catalogue) -> Request:
    """The layer of a recipe that is a target, from its own lock; of another, the package that it is about."""
    if recipe.layer is None:
        if isinstance(recipe.part, Library):
            raise UsageError(
                f"{recipe.name} is a library, which no layer is built of alone",
                hint="build a package whose recipe needs it",
            )
        return replace(_from_requirements([f"{recipe.name}{recipe.versions}"], known), given=(given,))
    requires = recipe.layer.requires
    _sound(requires, given)
    wanted = recipe.layer
    spec = LayerSpec(
        name=recipe.name,
        requires=requires,
        folder=recipe.folder,
        leave_out=wanted.leave_out,
        budget=wanted.budget,
        variant=recipe.variant,
    )
    lock_file = recipe.folder / recipe_file.LOCK
    return Request(spec=spec, text="\n".join(requires), catalogue=known, lock=lock_file, given=(given,))


def _from_requirements(words: Sequence[str], known: Catalogue) -> Request:
    """The layer of bare requirements. A recipe's name stands for what it requires."""
    sources = [found for word in words if (found := _wheel_source(word))]
    plain = [word for word in words if not _wheel_source(word)]
    requirements = [requirement for word in plain for requirement in _requirements(word, known)]
    for requirement in requirements:
        refuse_module(requirement)
    texts = tuple(dict.fromkeys(str(requirement) for requirement in requirements))
    recipes = [recipe for word in words if (recipe := known.target(canonicalize_name(word.strip())))]
    variants = [one.variant for one in recipes if one.variant]
    own = {text for one in recipes if one.variant and one.layer for text in one.layer.requires}
    rest = [one for one in requirements if str(one) not in own]
    names = [*(one.name for one in variants), *(canonicalize_name(one.name) for one in rest)]
    name = "-".join(dict.fromkeys((*names, *(one.title for one in sources))))
    left = tuple(dict.fromkeys(name for one in recipes if one.layer for name in one.layer.leave_out))
    spec = LayerSpec(
        name=fitting_name(name, LONGEST_NAME),
        requires=_sound(texts, name),
        leave_out=left,
        variant=variant.of_layer((*map(Asked.of, variants), Asked(requires=tuple(map(str, rest))))),
    )
    local = Listed(local=tuple(one.text for one in sources))
    listed = together([local, *(Listed(hashes=(hashed(word),)) for word in plain if "--hash" in word)])
    return Request(spec=spec, text="\n".join(texts), catalogue=known, given=tuple(words), listed=listed)


def _wheel_source(word: str) -> WheelSource | None:
    """What a word names that a wheel is made of; ``None`` for what is a requirement. Raises ``UsageError``."""
    if not ("://" in word or "@" in word or word.endswith(_SOURCE)):
        return None
    try:
        found = understood(_plain(word), hashes=tuple(HASH_OPTION.findall(word)))
    except NoSource as error:
        raise UsageError(f"{lock.redacted(word[:200])} cannot be taken", hint=str(error)) from error
    return found if isinstance(found, WheelSource) else None


def _requirements(word: str, known: Catalogue) -> list[Requirement]:
    if _is_path(word):
        return [_from_wheel(word, known)]
    recipe = known.target(canonicalize_name(word.strip()))
    return [parsed(text) for text in recipe.layer.requires] if recipe and recipe.layer else [parsed(_with_name(word))]


def _with_name(word: str) -> str:
    """A word that is a requirement; the address of a wheel alone gets the name that the wheel has."""
    try:
        found = understood(_plain(word)) if "://" in word else _plain(word)
    except NoSource as error:
        raise UsageError(f"{lock.redacted(word[:200])} cannot be taken", hint=str(error)) from error
    return found if isinstance(found, str) else word


def _plain(word: str) -> str:
    """A word without the hashes in it."""
    return re.split(r"\s--hash", word)[0]


def _sound(requires: Iterable[str], where: str) -> tuple[str, ...]:
    """The requirements as they are written down. Raises ``UsageError`` where one holds credentials."""
    found = [guarded.requirement(text) for text in requires]
    for requirement in found:
        if lock.holds_credentials(requirement.url or ""):
            raise UsageError(
                f"{where}: the address of {requirement.name} holds credentials, which a layer's lock would tell",
                hint=lock.CREDENTIALS_HINT,
            )
    return tuple(lock.portable(requirement) for requirement in found)


def _from_wheel(target: str, known: Catalogue) -> Requirement:
    path = _existing(target, known)
    try:
        name = parse_wheel_filename(path.name)[0]
    except InvalidWheelFilename as error:
        raise UsageError(
            f"{target} is not called as a wheel is", hint="name-version-tags.whl", details=(str(error),)
        ) from error
    if not path.is_file():
        raise UsageError(f"{target} is no regular file", hint="name a wheel")
    return Requirement(f"{name} @ {path.resolve().as_uri()}")
