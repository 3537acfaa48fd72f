"""From what the user names to recipes, and from recipes to locks."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from layerforge import lock, recipe, uvtool
from layerforge.errors import LayerforgeError, LockError, RecipeError, UsageError
from layerforge.model import Lock, Pin, Progress, Recipe, Target
from layerforge.progress import counted

OLDEST_LOCKED = "3.12"
"""The Python from which on `layerforge lock` resolves unless told otherwise: the oldest runtime on AL2023."""


_INSTALLED = frozenset({"site-packages", "dist-packages"})
_WHEEL, _SOURCE, _LISTS = ".whl", (".tar.gz", ".tgz", ".tar.bz2", ".zip"), (".txt", ".in", ".lock", ".toml")
PROJECT = "pyproject.toml"


@dataclass(frozen=True, kw_only=True)
class Request:
    """One layer that is asked for."""

    recipe: Recipe
    source: str | Path
    """Requirements as text, or a file of them that uv reads itself."""
    lock: Path | None = None
    """The lock to build from; ``None`` where the requirements are resolved."""
    given: tuple[str, ...] = ()
    """The words that asked for it."""
    unread: tuple[str, ...] = ()
    """What of a file only uv can read, so that no lock can be held against it."""

    @property
    def installed(self) -> bool:
        """Whether its recipe is one that came with an installed layerforge, whose files are not the user's."""
        return self.recipe.folder is not None and not _INSTALLED.isdisjoint(self.recipe.folder.parts)

    @property
    def renew(self) -> str:
        """The command that writes the lock anew."""
        return shlex.join(["layerforge", "lock", *self.given, *self._output(str)])

    @property
    def shareable_renew(self) -> str:
        """The same command without any path that only this machine has."""
        words = [_shareable(word) for word in self.given]
        return shlex.join(["layerforge", "lock", *words, *self._output(_shareable)])

    @property
    def own_lock(self) -> bool:
        """Whether its lock is the one that lies in the recipe's folder."""
        return self.recipe.folder is not None and self.lock == self.recipe.folder / recipe.LOCK

    @property
    def build_lock(self) -> Path | None:
        """Where the build environments are locked that belong to its lock, which may be without."""
        if self.lock is None:
            return None
        own = self.lock.name == recipe.LOCK
        return self.lock.with_name(recipe.BUILD_LOCK if own else f"{self.lock.stem}.{recipe.BUILD_LOCK}")

    def _output(self, told: Callable[[str], str]) -> tuple[str, ...]:
        return () if self.lock is None or self.own_lock else ("-o", told(str(self.lock)))

    def way_out(self, verb: str = "renew", python: str = "") -> str:
        """What to do about a lock that does not serve, for the Python ``python`` where that is named."""
        if self.installed and self.own_lock:
            return f'name requirements instead of the recipe, such as "{self.recipe.requires[0]}"'
        older = f" --python {python}" if python else ""
        instead = ", or name requirements instead of the recipe" if python and self.recipe.folder else ""
        return f"{verb} it with `{self.renew}{older}`{instead}"


def _shareable(word: str) -> str:
    path = Path(word)
    if not path.is_absolute():
        return word
    return "FOLDER" if path.is_dir() or path.name == recipe.FILE else path.name


def requests(targets: Sequence[str], given_lock: Path | None) -> tuple[Request, ...]:
    """The layers that ``targets`` ask for: one a recipe, folder or file, and one for all bare requirements together.

    A recipe's name or a wheel's path that stands beside a bare requirement is a requirement too.
    """
    once = list(dict.fromkeys(targets))
    words = [target for target in once if not _is_path(target) or target.endswith(_WHEEL)]
    found = [_from_path(target) for target in once if target not in words]
    names = [canonicalize_name(word.strip()) for word in words]
    if all(name in recipe.bundled() for name in names):
        found += [_from_recipe(recipe.bundled()[name], name) for name in dict.fromkeys(names)]
    else:
        found.append(_from_requirements(words))
    _refuse_same_names(found)
    if given_lock is None:
        return tuple(found)
    if len(found) != 1:
        raise UsageError("--lock goes with a single layer", hint="build the layers one at a time")
    return (replace(found[0], lock=given_lock),)


def _refuse_same_names(found: Sequence[Request]) -> None:
    """Layers are files that are called by their names, so a second one would overwrite the first."""
    by_name: dict[str, Request] = {}
    for request in found:
        name = request.recipe.name.casefold()
        if name in by_name:
            raise UsageError(
                f"{' '.join(by_name[name].given)} and {' '.join(request.given)} would both be the layer {name}",
                hint="rename one of them, or build them one at a time into folders of their own with --output",
            )
        by_name[name] = request


def _is_path(target: str) -> bool:
    if "://" in target or " @" in target:
        return False
    named = target.endswith((*_LISTS, _WHEEL, *_SOURCE)) and " " not in target
    return named or target.startswith((".", "/", "~")) or ("/" in target and "@" not in target)


def _existing(target: str) -> Path:
    path = Path(target).expanduser()
    if path.name == recipe.FILE:
        path = path.parent
    if not path.exists():
        near = recipe.nearest(path.name)
        raise RecipeError(
            f"{path} does not exist",
            hint=f"perhaps you meant the recipe {near}" if near else "`layerforge recipes` lists the recipes",
        )
    return path


def _from_path(target: str) -> Request:
    path = _existing(target)
    if path.is_dir():
        if (path / recipe.FILE).exists() or not (path / PROJECT).is_file():
            return _from_recipe(path, target)
        path = path / PROJECT
    if path.name.endswith(_SOURCE):
        raise UsageError(
            f"{target} is no wheel: of packages on disk, a target can be a wheel only",
            hint=f"build a wheel of it first: `{shlex.join(['uv', 'build', '--wheel', target])}`",
        )
    listed = lock.listed(path)
    requires = _sound(listed.requires, target)
    made = Recipe(name=_layer_name(path.stem), requires=requires)
    return Request(recipe=made, source=path, given=(target,), unread=listed.unread)


def _from_recipe(folder: Path, given: str) -> Request:
    made = recipe.load(folder)
    _sound(made.requires, given)
    return Request(recipe=made, source="\n".join(made.requires), lock=folder / recipe.LOCK, given=(given,))


def _from_requirements(words: Sequence[str]) -> Request:
    requirements = [_from_wheel(word) if _is_path(word) else _requirement(word) for word in words]
    texts = tuple(dict.fromkeys(str(requirement) for requirement in requirements))
    name = "-".join(dict.fromkeys(canonicalize_name(requirement.name) for requirement in requirements))
    made = Recipe(name=_layer_name(name), requires=_sound(texts, name))
    return Request(recipe=made, source="\n".join(texts), given=tuple(words))


def _sound(requires: Iterable[str], where: str) -> tuple[str, ...]:
    """The requirements as they are written down. Raises ``UsageError`` where one holds credentials."""
    found = [Requirement(text) for text in requires]
    for requirement in found:
        if lock.holds_credentials(requirement.url or ""):
            raise UsageError(
                f"{where}: the address of {requirement.name} holds credentials, which a layer's lock would tell",
                hint=lock.CREDENTIALS_HINT,
            )
    return tuple(lock.portable(requirement) for requirement in found)


def _from_wheel(target: str) -> Requirement:
    path = _existing(target)
    try:
        name = parse_wheel_filename(path.name)[0]
    except InvalidWheelFilename as error:
        raise UsageError(
            f"{target} is not called as a wheel is", hint="name-version-tags.whl", details=(str(error),)
        ) from error
    return Requirement(f"{name} @ {path.resolve().as_uri()}")


def _requirement(word: str) -> Requirement:
    try:
        return Requirement(word.strip())
    except InvalidRequirement as error:
        raise UsageError(
            f"{lock.redacted(word)!r} is neither a recipe, a path nor a requirement",
            hint='requirements look like lxml or "pandas>=3" (quoted, since the shell reads < and >)',
            details=(lock.redacted(str(error).splitlines()[0]),),
        ) from error


def _layer_name(text: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_-]+", "-", text).strip("-")[:100] or "layer"


def locked(request: Request, target: Target, progress: Progress) -> Lock:
    """The lock of a request: read where there is one, else resolved for ``target``."""
    if request.lock is not None:
        found = lock.parse(read(request.lock, request.way_out("write")), request.lock.name)
        lock.check_python(found, target, request.way_out(python=target.python))
        if request.unread:
            what = ", ".join(request.unread)
            progress.warn(f"whether {request.lock} locks these cannot be told: {what}")
        return found
    _warn_of_typo(request, progress)
    with progress.step("resolve") as step:
        try:
            names = [part.name for part in request.recipe.packages]
            text = uvtool.compile_lock(request.source, target, from_source=names)
        except LayerforgeError as error:
            raise _perhaps_a_recipe(request, error) from error
        found = understood(text)
        step.note(counted(len(found.pins), "package"))
    return found


def understood(text: str) -> Lock:
    """What uv made of requirements. It passes on what has no version and hash, such as a project on disk."""
    try:
        return lock.parse(text, "the resolved lock")
    except LockError as error:
        raise LockError(
            "the requirements cannot be locked",
            hint="change the requirements that are named: a layer is made of exact versions with hashes",
            details=error.details,
        ) from error


def read(path: Path, hint: str) -> str:
    """The text of a lock. Raises ``LockError`` with ``hint``."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LockError(f"{path} cannot be read", hint=hint, details=(str(error),)) from error


def _warn_of_typo(request: Request, progress: Progress) -> None:
    """A name that is nearly a recipe's may be another's package: say so before anything of it is downloaded."""
    name, near = request.recipe.name, _near(request)
    if near:
        progress.warn(f"{name} is no recipe, so it is taken as a package; perhaps you meant {near}")


def _near(request: Request) -> str:
    """The recipe that a single bare requirement is nearly called like; empty where there is none."""
    near = recipe.nearest(request.recipe.name)
    single = len(request.given) == 1 and isinstance(request.source, str)
    return near if single and near != request.recipe.name else ""


def _perhaps_a_recipe(request: Request, error: LayerforgeError) -> LayerforgeError:
    near = _near(request)
    if not near or not error.message.startswith("there is no package"):
        return error
    return RecipeError(
        f"there is no recipe and no package {request.recipe.name}",
        hint=f"perhaps you meant {near}",
        details=error.details,
    )


def pins(request: Request, found: Lock, target: Target) -> tuple[Pin, ...]:
    """The pins of the lock that apply on ``target``, checked against what the request requires.

    They ask for its extras too, whose own packages uv then looks for in the lock.
    """
    chosen = lock.applicable(found, target)
    if request.lock is not None:
        lock.check_fresh(request.recipe.requires, chosen, target, request.way_out())
    return lock.with_extras(chosen, request.recipe.requires, target)


def universal(request: Request, oldest_python: str) -> str:
    """The text of a universal lock for a request, from ``oldest_python`` on."""
    text = uvtool.compile_universal(request.source, oldest_python)
    return header(request, oldest_python) + lock.written(understood(text).pins)


def header(request: Request, oldest_python: str) -> str:
    """First line of every lock that is written for a request."""
    older = "" if oldest_python == OLDEST_LOCKED else f" --python {oldest_python}"
    return lock.header(oldest_python, request.shareable_renew + older)
