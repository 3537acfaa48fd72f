"""From what the user names to recipes, and from recipes to locks."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidWheelFilename, canonicalize_name, canonicalize_version, parse_wheel_filename
from packaging.version import Version

from layerforge import guarded, listing, lock, recipe, resources, standins, uvtool
from layerforge.errors import LayerforgeError, LockError, RecipeError, UsageError
from layerforge.listing import Listed
from layerforge.model import Lock, Pin, Progress, Recipe, Target
from layerforge.progress import counted
from layerforge.sources import Search
from layerforge.uvtool import Asked

OLDEST_LOCKED = "3.12"
"""The Python from which on `layerforge lock` resolves unless told otherwise: the oldest runtime on AL2023."""


_PATCHES = 40
"""More than any minor version of Python has releases."""
_PACKAGE = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_INSTALLED = frozenset({"site-packages", "dist-packages"})
_WHEEL, _SOURCE, _LISTS = ".whl", (".tar.gz", ".tgz", ".tar.bz2", ".zip"), (".txt", ".in", ".lock", ".toml")
PROJECT = listing.PROJECT


NOTHING = Listed()


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
    listed: Listed = NOTHING
    """What a requirements file says, or words do, beside the requirements of the recipe."""
    untaken: tuple[str, ...] = ()
    """What of a project does not come into its layer, a line each."""
    requires_python: str = ""
    """The Pythons that a project is for."""

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
    for target in once:
        _refuse_ambiguous(target)
    words = [target for target in once if not _is_path(target) or target.endswith(_WHEEL)]
    found = [_from_path(target) for target in once if target not in words]
    names = [canonicalize_name(word.strip()) for word in words]
    if all(name in recipe.bundled() for name in names):
        found += [_from_recipe(recipe.bundled()[name], name) for name in dict.fromkeys(names)]
    else:
        found.append(_from_requirements(words))
    _refuse_same_names(found)
    if given_lock is None:
        for request in found:
            _refuse_lines(request)
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
    if _here(target) or listing.kind(target):
        return True
    named = target.endswith((*_LISTS, _WHEEL, *_SOURCE)) and " " not in target
    return named or target.startswith((".", "/", "~")) or ("/" in target and "@" not in target)


def _here(word: str) -> bool:
    """Whether something of that name lies in the current folder."""
    return bool(word) and os.path.lexists(word)


def _refuse_ambiguous(target: str) -> None:
    """Raises ``UsageError`` for a bare name that something on the disk has too, where not that alone can be meant.

    A path says that the disk is meant and a requirement with a version that the index is.
    """
    word = target.strip()
    if word.startswith((".", "/", "~")) or "/" in word:
        return
    if canonicalize_name(word) in recipe.bundled():
        folder = recipe.bundled()[canonicalize_name(word)]
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


def _existing(target: str) -> Path:
    path = Path(target).expanduser()
    if path.name == recipe.FILE:
        path = path.parent
    if not os.path.exists(path):  # noqa: PTH110 - a name that is too long does not exist
        near = recipe.nearest(path.name[:100])
        raise RecipeError(
            f"{path} does not exist",
            hint=f"perhaps you meant the recipe {near}" if near else "`layerforge recipes` lists the recipes",
        )
    return path


def _from_path(target: str) -> Request:
    path = _existing(target)
    if path.is_dir():
        if (path / recipe.FILE).exists():
            return _from_recipe(path, target)
        if not (path / PROJECT).is_file():
            raise _empty_folder(path)
        path = path / PROJECT
    if path.name.endswith(_SOURCE):
        raise UsageError(
            f"{target} is no wheel: of packages on disk, a target can be a wheel only",
            hint=f"build a wheel of it first: `{shlex.join(['uv', 'build', '--wheel', target])}`",
        )
    listing.refuse_kind(path)
    listed = listing.listed(path)
    facts = listing.facts(path)
    made = Recipe(name=_layer_name(facts.name or path.stem), requires=_sound(listed.requires, target))
    return Request(
        recipe=made,
        source=path,
        given=(target,),
        listed=listed,
        untaken=facts.untaken,
        requires_python=facts.requires_python,
    )


def _empty_folder(path: Path) -> LayerforgeError:
    """What to say of a folder that is no recipe and no project: the command for what it does hold."""
    message = f"{path} is a folder without {recipe.FILE} and {PROJECT}"
    lists = path / "requirements.txt"
    if lists.is_file():
        return RecipeError(message, hint=f"name the file in it: `{shlex.join(['layerforge', 'build', str(lists)])}`")
    known = [one for one in sorted(path.iterdir()) if one.suffix != ".py" or one.name == "setup.py"]
    for file in known:
        if found := listing.kind(file.name):
            return RecipeError(f"{message}; its {file.name} {found[0]}", hint=found[1])
    name = canonicalize_name(path.name)
    package = f', or "{name}>=0" for the package of that name' if _PACKAGE.fullmatch(name) else ""
    return RecipeError(message, hint=f"name a recipe's or a project's folder{package}")


def _from_recipe(folder: Path, given: str) -> Request:
    made = recipe.load(folder)
    _sound(made.requires, given)
    return Request(recipe=made, source="\n".join(made.requires), lock=folder / recipe.LOCK, given=(given,))


def _from_requirements(words: Sequence[str]) -> Request:
    requirements = [_from_wheel(word) if _is_path(word) else _requirement(_plain(word)) for word in words]
    hashes: dict[tuple[str, str], frozenset[str]] = {}
    for key, named in (listing.hashed(word) for word in words if "--hash" in word):
        hashes[key] = hashes.get(key, named) & named
    for requirement in requirements:
        _refuse_module(requirement)
    texts = tuple(dict.fromkeys(str(requirement) for requirement in requirements))
    name = "-".join(dict.fromkeys(canonicalize_name(requirement.name) for requirement in requirements))
    made = Recipe(name=_layer_name(name), requires=_sound(texts, name))
    listed = Listed(hashes=tuple(sorted(hashes.items())))
    return Request(recipe=made, source="\n".join(texts), given=tuple(words), listed=listed)


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


def _from_wheel(target: str) -> Requirement:
    path = _existing(target)
    try:
        name = parse_wheel_filename(path.name)[0]
    except InvalidWheelFilename as error:
        raise UsageError(
            f"{target} is not called as a wheel is", hint="name-version-tags.whl", details=(str(error),)
        ) from error
    if not path.is_file():
        raise UsageError(f"{target} is no regular file", hint="name a wheel")
    return Requirement(f"{name} @ {path.resolve().as_uri()}")


def _requirement(word: str) -> Requirement:
    if not lock.holds_credentials(word) and (why := listing.unlockable(word.strip())):
        raise UsageError(f"{lock.redacted(word)} cannot be locked", hint=why)
    try:
        return guarded.requirement(word)
    except guarded.Unreadable as error:
        raise UsageError(
            f"{lock.redacted(word[:200])!r} is neither a recipe, a path nor a requirement",
            hint='requirements look like lxml or "pandas>=3" (quoted, since the shell reads < and >)',
            details=(lock.redacted(str(error)),),
        ) from error


@cache
def _modules() -> Mapping[str, str]:
    """The package that brings a module which people know better, by the module's name."""
    return {str(module): str(package) for module, package in resources.table("modules.toml").items()}


def _refuse_module(requirement: Requirement) -> None:
    """Raises ``UsageError`` for a bare name that is a module's: the package of that name is another's, or nobody's."""
    package = _modules().get(canonicalize_name(requirement.name))
    if package and not requirement.specifier and not requirement.url:
        name = requirement.name
        raise UsageError(
            f"{name} is a module of the package {package}, and no package that one would want",
            hint=f'name {package} instead, or "{name}>=0" for the package that is called so',
        )


def _layer_name(text: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_-]+", "-", text).strip("-")[:100] or "layer"


def locked(request: Request, target: Target, search: Search) -> Lock:
    """The lock of a request: read where there is one, else resolved for ``target``.

    Raises ``LockError`` where it has none of the hashes that the request names.
    """
    progress = search.progress
    tell(request, progress, target)
    if request.lock is not None:
        found = lock.parse(read(request.lock, request.way_out("write")), request.lock.name)
        try:
            lock.check_python(found, target, "")
        except LockError as error:
            raise LockError(error.message, hint=_for_python(request, target), details=error.details) from error
        if request.listed.unread:
            what = ", ".join(request.listed.unread)
            progress.warn(f"whether {request.lock} locks these cannot be told: {what}")
        return _held(found, request)
    _warn_of_typo(request, progress)
    with progress.step("resolve") as step:
        try:
            text = _resolved(request, target, search)
        except LayerforgeError as error:
            raise _perhaps_a_recipe(request, error) from error
        found = _held(understood(text), request)
        step.note(counted(len(found.pins), "package"))
    _tell_older(request, found, target, progress)
    return found


def _asked(request: Request, progress: Progress | None = None) -> Asked:
    """What uv is to resolve."""
    listed = request.listed
    # uv reads a project itself, for its [tool.uv.sources]; lists of requirements were read for it.
    project = isinstance(request.source, Path) and request.source.suffix == ".toml"
    source = listed.text if isinstance(request.source, Path) and not project else request.source
    return Asked(
        source=source,
        constraints=listed.constraints,
        indexes=listed.indexes,
        on_warning=progress.warn if progress else None,
    )


def _resolved(request: Request, where: Target | str, search: Search) -> str:
    names = [part.name for part in request.recipe.packages]
    return standins.compile_lock(_asked(request, search.progress), where, names, search, request.recipe.requires)


def _held(found: Lock, request: Request) -> Lock:
    """The lock with no other hashes than those that the request names, where it names some."""
    wanted = dict(request.listed.hashes)
    lacking = [pin.name for pin in found.pins if request.listed.all_hashed and not _wanted(wanted, pin)]
    if lacking:
        raise LockError(
            "--require-hashes asks for a hash of each package, and some have none",
            hint="add theirs, or leave the option out: a lock holds hashes of all either way",
            details=tuple(lacking),
        )
    kept = (_kept(wanted, pin) for pin in found.pins)
    pins = [replace(pin, hashes=tuple(sorted(hashes))) for pin, hashes in zip(found.pins, kept, strict=True)]
    bare = [f"{pin.name} {pin.version}" for pin in pins if not pin.hashes]
    if bare:
        raise LockError(
            "no file has a hash that is asked for",
            hint="was the hash copied whole, and is it that version's? if so, do not use what the index has",
            details=tuple(f"{one}: none of its files" for one in bare),
        )
    return replace(found, pins=tuple(pins))


def _wanted(hashes: Mapping[tuple[str, str], frozenset[str]], pin: Pin) -> list[frozenset[str]]:
    """What is named for a pin's version, and for its package alone. Where only other versions have some, none fits."""
    version = canonicalize_version(pin.version) if pin.version else ""
    named = [key for key in hashes if key[0] == pin.name]
    fitting = [hashes[key] for key in named if key[1] in {version, ""}]
    return fitting or [frozenset() for _ in named[:1]]


def _kept(hashes: Mapping[tuple[str, str], frozenset[str]], pin: Pin) -> frozenset[str]:
    """The hashes of a pin that are in all that is named for it."""
    return frozenset(pin.hashes).intersection(*_wanted(hashes, pin))


def _tell_older(request: Request, found: Lock, where: Target | str, progress: Progress) -> None:
    """Warns where a package is old because its newest release has no wheel: nothing else would tell."""
    compiled = {part.name for part in request.recipe.packages}
    direct = [one for one in map(Requirement, request.recipe.requires) if not one.url]
    asked = replace(_asked(request), source="\n".join(str(one) for one in direct if one.name not in compiled))
    locked = {pin.name: pin.version for pin in found.pins if pin.version}
    newest = uvtool.newest(asked, where, wheels=False) if asked.source else {}
    behind = {name for name, version in newest.items() if name in locked and Version(locked[name]) < Version(version)}
    # Only where something is behind, uv is asked why: it may have been asked for, or all that goes with the rest.
    wheels = uvtool.newest(asked, where, wheels=True) if behind else {}
    for name in (name for name in newest if name in behind & wheels.keys()):
        if Version(wheels[name]) < Version(newest[name]):
            progress.warn(
                f"{name} {locked[name]} is taken: {newest[name]}, the newest, has no wheel for this; "
                f"--from-source {name} compiles it in a container"
            )


def _for_python(request: Request, target: Target) -> str:
    """What to do where a lock is for newer Pythons than the target's: uv is asked whether a new one could be had."""
    without: list[str] = []
    for text in request.recipe.requires:
        requirement = Requirement(text)
        if requirement.url or uvtool.newest_with_wheel(text, target):
            continue
        newest = uvtool.newest_with_wheel(requirement.name, target)
        without.append(f'"{requirement.name}=={newest}"' if newest else "")
    if not without:
        return request.way_out(python=target.python)
    if all(without):
        return f"no version that it allows has a wheel for Python {target.python}; name {' '.join(without)} instead"
    return f"no version that it allows has a wheel for Python {target.python}; take a newer Python"


def tell(request: Request, progress: Progress, target: Target | None = None) -> None:
    """Says what of a project does not count for its layer, a line each."""
    for line in request.untaken:
        progress.say(line)
    if isinstance(request.source, Path) and _PACKAGE.fullmatch(request.given[0]):
        progress.say(f"{request.given[0]} is read as the file of that name here, and not asked of an index")
    if isinstance(request.source, Path) and request.source.name == PROJECT and request.lock is None:
        folder = request.source.parent
        for name in (one for one in ("uv.lock", "pylock.toml", "poetry.lock") if (folder / one).is_file()):
            found = listing.kind(name)
            progress.say(f"{name} beside it does not count; to take its versions: {found[1] if found else ''}")
    if target is not None and request.requires_python and not _serves(request.requires_python, target.python):
        progress.warn(f"the project requires Python {request.requires_python}, and the layer is for {target.python}")
    if isinstance(request.source, Path):
        for text in request.recipe.requires:
            requirement = Requirement(text)
            package = _modules().get(canonicalize_name(requirement.name))
            if package and not requirement.specifier and not requirement.url:
                progress.warn(f"{requirement.name} is a module of the package {package}; is that meant?")


def _serves(requires_python: str, python: str) -> bool:
    """Whether some release of a Python's minor version is one that a project is for."""
    try:
        wanted = SpecifierSet(requires_python)
        return any(wanted.contains(f"{python}.{patch}", prereleases=True) for patch in range(_PATCHES))
    except (InvalidSpecifier, ValueError):
        return False


def _refuse_lines(request: Request) -> None:
    if request.listed.refused:
        raise LockError(
            "the requirements cannot be locked",
            hint="change what is named: a layer is made of exact versions with hashes",
            details=request.listed.refused[:20],
        )


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
        return guarded.text(path)
    except guarded.Unreadable as error:
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


def universal(request: Request, oldest_python: str, search: Search) -> str:
    """The text of a universal lock for a request, from ``oldest_python`` on."""
    found = _held(understood(_resolved(request, oldest_python, search)), request)
    _tell_older(request, found, oldest_python, search.progress)
    return header(request, oldest_python) + lock.written(found.pins)


def header(request: Request, oldest_python: str) -> str:
    """First line of every lock that is written for a request."""
    older = "" if oldest_python == OLDEST_LOCKED else f" --python {oldest_python}"
    return lock.header(oldest_python, request.shareable_renew + older)
