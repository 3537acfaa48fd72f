"""From what the user names to recipes, and from recipes to locks."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from layerforge import lock, recipe, sources, uvtool
from layerforge.errors import LayerforgeError, LockError, RecipeError, UsageError
from layerforge.model import Lock, Pin, Progress, Recipe, SourcePackage, Store, Target
from layerforge.progress import counted

OLDEST_LOCKED = "3.12"
"""The Python from which on `layerforge lock` resolves unless told otherwise: the oldest runtime on AL2023."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One layer that is asked for."""

    recipe: Recipe
    source: str | Path
    """Requirements as text, or a file of them that uv reads itself."""
    lock: Path | None = None
    """The lock to build from; ``None`` where the requirements are resolved."""

    @property
    def renew(self) -> str:
        """The command that writes the lock anew."""
        what = self.recipe.folder or (self.source if isinstance(self.source, Path) else " ".join(self.recipe.requires))
        known = recipe.bundled().get(self.recipe.name)
        return f"layerforge lock {self.recipe.name if what == known else what}"


def requests(targets: Sequence[str], given_lock: Path | None) -> tuple[Request, ...]:
    """The layers that ``targets`` ask for: one a recipe, folder or file, and one for all bare requirements together.

    A recipe's name that stands beside a bare requirement is a requirement too.
    """
    paths = [target for target in targets if _is_path(target)]
    words = [target for target in targets if not _is_path(target)]
    found = [_from_path(Path(target)) for target in paths]
    if all(word in recipe.bundled() for word in words):
        found += [_from_recipe(recipe.bundled()[word]) for word in words]
    else:
        found.append(_from_requirements(words))
    if given_lock is None:
        return tuple(found)
    if len(found) != 1:
        raise UsageError("--lock goes with a single layer", hint="build the layers one at a time")
    return (Request(recipe=found[0].recipe, source=found[0].source, lock=given_lock),)


def _is_path(target: str) -> bool:
    named = target.endswith((".txt", ".in", ".lock", ".toml")) and " " not in target
    return named or target.startswith((".", "/", "~")) or ("/" in target and "@" not in target)


def _from_path(path: Path) -> Request:
    path = path.expanduser()
    if path.name == recipe.FILE:
        path = path.parent
    if path.is_dir():
        return _from_recipe(path)
    if not path.exists():
        near = recipe.nearest(path.name)
        raise RecipeError(
            f"{path} does not exist",
            hint=f"perhaps you meant the recipe {near}" if near else "`layerforge recipes` lists the recipes",
        )
    if path.suffix == ".whl":
        return _from_requirements([f"{path.name.split('-')[0]} @ {path.resolve().as_uri()}"])
    return Request(recipe=Recipe(name=_layer_name(path.stem), requires=()), source=path)


def _from_recipe(folder: Path) -> Request:
    made = recipe.load(folder)
    locked = folder / recipe.LOCK
    return Request(recipe=made, source="\n".join(made.requires), lock=locked)


def _from_requirements(words: Sequence[str]) -> Request:
    requirements = tuple(str(_requirement(word)) for word in words)
    name = "-".join(canonicalize_name(Requirement(text).name) for text in requirements)
    return Request(recipe=Recipe(name=_layer_name(name), requires=requirements), source="\n".join(requirements))


def _requirement(word: str) -> Requirement:
    try:
        return Requirement(word)
    except InvalidRequirement as error:
        raise UsageError(
            f"{word!r} is neither a recipe, a path nor a requirement",
            hint='requirements look like lxml or "pandas>=3" (quoted, since the shell reads < and >)',
            details=(str(error).splitlines()[0],),
        ) from error


def _layer_name(text: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_-]+", "-", text).strip("-")[:100] or "layer"


def locked(request: Request, target: Target, progress: Progress) -> Lock:
    """The lock of a request: read where there is one, else resolved for ``target``."""
    if request.lock is not None:
        found = lock.parse(_read(request.lock, request.renew), request.lock.name)
        lock.check_python(found, target, request.renew)
        return found
    _warn_of_typo(request, progress)
    with progress.step("resolve") as step:
        try:
            names = [part.name for part in request.recipe.packages]
            text = uvtool.compile_lock(request.source, target, from_source=names)
        except LayerforgeError as error:
            raise _perhaps_a_recipe(request, error) from error
        found = lock.parse(text, "the resolved lock")
        step.note(counted(len(found.pins), "package"))
    return found


def _read(path: Path, renew: str) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LockError(f"{path} cannot be read", hint=f"write it with `{renew}`", details=(str(error),)) from error


def _warn_of_typo(request: Request, progress: Progress) -> None:
    """A name that is nearly a recipe's may be another's package: say so before anything of it is downloaded."""
    name = request.recipe.name
    near = recipe.nearest(name) if len(request.recipe.requires) == 1 else ""
    if near and near != name:
        progress.warn(f"{name} is no recipe, so it is taken as a package; perhaps you meant {near}")


def _perhaps_a_recipe(request: Request, error: LayerforgeError) -> LayerforgeError:
    near = recipe.nearest(request.recipe.name)
    if not near or not error.message.startswith("there is no package") or near == request.recipe.name:
        return error
    return RecipeError(
        f"there is no recipe and no package {request.recipe.name}",
        hint=f"perhaps you meant {near}",
        details=error.details,
    )


def pins(request: Request, found: Lock, target: Target) -> tuple[Pin, ...]:
    """The pins of the lock that apply on ``target``, checked against what the request requires."""
    chosen = lock.applicable(found, target)
    lock.check_fresh(request.recipe.requires, chosen, target, request.renew)
    return chosen


def universal(request: Request, oldest_python: str) -> str:
    """The text of a universal lock for a request, from ``oldest_python`` on."""
    text = uvtool.compile_universal(request.source, oldest_python)
    return lock.header(oldest_python, request.renew) + lock.render(lock.parse(text, "the resolved lock").pins)


DYNAMIC = {"meson-python": ("ninja",), "scikit-build-core": ("cmake", "ninja"), "setuptools": ("wheel",)}
"""What build backends ask for only once they run, by the backend's package."""


def build_pins(
    recipe_: Recipe, pins: Sequence[Pin], target: Target, store: Store, folder: Path | None, progress: Progress
) -> dict[str, tuple[Pin, ...]]:
    """The build environment of each package that is compiled.

    From the recipe's ``build.lock`` where it has one, else resolved from what the source distribution declares. What
    the layer holds too has the layer's version, and what the package needs of the same plan is left out.
    """
    locked = recipe_.folder / recipe.BUILD_LOCK if recipe_.folder else None
    found: dict[str, tuple[Pin, ...]] = {}
    for part in recipe_.packages:
        if locked is not None and locked.is_file():
            chosen = lock.applicable(lock.parse(_read(locked, "layerforge lock"), locked.name), target)
        else:
            chosen = _resolve_build(part, recipe_, pins, target, store, folder, progress)
        found[part.name] = tuple(pin for pin in chosen if pin.name not in part.needs)
    return found


def _resolve_build(
    part: SourcePackage,
    recipe_: Recipe,
    pins: Sequence[Pin],
    target: Target,
    store: Store,
    folder: Path | None,
    progress: Progress,
) -> tuple[Pin, ...]:
    by_name = {pin.name: pin for pin in pins}
    if part.name not in by_name:
        raise LockError(f"{part.name} is to be compiled but nothing requires it", hint="name it as a requirement too")
    data = sources.fetch(uvtool.find_sdist(by_name[part.name], target), store, folder, progress)
    with tempfile.TemporaryDirectory() as name:
        requires = sources.build_requires(sources.unpack(data, part.name, Path(name)))
    names = {canonicalize_name(Requirement(text).name) for text in requires}
    requires += tuple(more for one in sorted(names) for more in DYNAMIC.get(one, ()))
    same = [f"{one}=={by_name[one].version}" for one in sorted(names) if one in by_name]
    with progress.step("resolve") as step:
        text = uvtool.compile_lock("\n".join([*requires, *recipe_.build_requires, *same]), target)
        chosen = lock.parse(text, "the build environment").pins
        step.note(f"{counted(len(chosen), 'package')} to compile {part.name} with")
    return chosen
