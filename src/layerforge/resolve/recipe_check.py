"""What can be said of recipes without building anything: each by itself, and all of them together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from packaging.utils import canonicalize_name

from layerforge.core import guarded
from layerforge.core.errors import LayerforgeError, UsageError
from layerforge.core.findings import Severity
from layerforge.resolve import lock, locking, recipe_file, recipe_problems
from layerforge.resolve.catalogue import Catalogue, recipe_in, recipes_in
from layerforge.resolve.compose import proved
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.lock import Lock
from layerforge.resolve.recipe import Library, Recipe
from layerforge.resolve.recipe_findings import ReadRecipe, RecipeFinding, found
from layerforge.resolve.recipe_relations import relations

CHECK = "check.py"
_ALOUD = ("readme", "license", "licence", "notice", "changelog")
"""How the names of files begin that people read."""


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What a look at recipes came to."""

    folders: tuple[Path, ...]
    findings: tuple[RecipeFinding, ...]
    read: tuple[ReadRecipe, ...] = field(default=(), repr=False)

    @property
    def errors(self) -> tuple[RecipeFinding, ...]:
        """What keeps recipes from being used."""
        return tuple(one for one in self.findings if one.severity is Severity.ERROR)


def recipe_folders(places: Iterable[Path]) -> tuple[Path, ...]:
    """The recipes' folders that places stand for: recipes, or folders of them. Raises ``UsageError`` for neither."""
    chosen: dict[Path, Path] = {}
    for place in places:
        own = [place] if (place / recipe_file.FILE).exists() else []
        inside = own or recipes_in(place)
        if not inside:
            raise UsageError(
                f"{place} is no recipe, and holds none",
                hint=f"name a folder with a {recipe_file.FILE}, or a folder of such folders",
            )
        chosen.update({folder.resolve(): folder for folder in inside})
    return tuple(chosen.values())


def check(folders: Sequence[Path], known: Catalogue) -> Checked:
    """Looks at every recipe of ``folders``; ``known`` are those that they may need."""
    findings: list[RecipeFinding] = []
    read: list[ReadRecipe] = []
    for folder in folders:
        try:
            one = ReadRecipe(recipe=recipe_in(folder))
        except RecipeError as error:
            findings += _mistakes(folder, error)
            continue
        one, problems = _with_locks(one)
        read.append(one)
        findings += [*problems, *_of_lock(one), *_of_build_lock(one), *_of_check(one), *_of_files(one)]
    findings += relations(read, known)
    place = {folder.absolute().name: number for number, folder in enumerate(folders)}
    ordered = sorted(findings, key=lambda one: (place.get(one.recipe, 0), one.severity, one.file))
    return Checked(folders=tuple(folders), findings=tuple(dict.fromkeys(ordered)), read=tuple(read))


def _mistakes(folder: Path, error: RecipeError) -> Iterator[RecipeFinding]:
    """Each of a file's mistakes by itself."""
    listed = error.message.endswith((" mistake", " mistakes"))
    for message in error.details if listed else ("; ".join((error.message, *error.details)),):
        yield found(Severity.ERROR, folder, message, recipe_file.FILE, error.hint)


def _with_locks(one: ReadRecipe) -> tuple[ReadRecipe, list[RecipeFinding]]:
    """The recipe with what is locked beside it, and what is wrong with the files."""
    locks: dict[str, Lock | None] = {}
    problems: list[RecipeFinding] = []
    for name in (recipe_file.LOCK, recipe_file.BUILD_LOCK):
        path = one.recipe.folder / name
        try:
            locks[name] = lock.parse(locking.read(path, ""), name) if path.exists() else None
        except LayerforgeError as error:
            locks[name] = None
            problems += [one.error(text, name, error.hint) for text in (error.details or (error.message,))]
    whole = ReadRecipe(recipe=one.recipe, lock=locks[recipe_file.LOCK], build_lock=locks[recipe_file.BUILD_LOCK])
    return whole, problems


def _of_lock(one: ReadRecipe) -> Iterator[RecipeFinding]:
    """What a target's lock does not hold."""
    recipe, renew = one.recipe, _renewing(one.recipe)
    if recipe.layer is None:
        return
    if not (recipe.folder / recipe_file.LOCK).exists():
        yield one.warning(f"there is no {recipe_file.LOCK}: every build resolves anew", hint=renew)
    if one.lock is None:
        return
    for text in recipe.layer.requires:
        wanted = guarded.requirement(text)
        pins = one.pins(canonicalize_name(wanted.name))
        if not pins:
            yield one.error(f"it does not hold {wanted.name}, which [layer] requires", recipe_file.LOCK, renew)
        for pin in pins:
            if pin.version and not wanted.specifier.contains(pin.version, prereleases=True):
                yield one.error(
                    f"it has {pin.name} {pin.version}, and [layer] requires {text}", recipe_file.LOCK, renew
                )
    yield from _outside(one)


def _outside(one: ReadRecipe) -> Iterator[RecipeFinding]:
    """Versions of the recipe's own package in its lock that it was not proved for."""
    for pin in one.pins(one.recipe.name):
        if not proved(one.recipe, pin):
            yield one.error(
                f"its versions, {one.recipe.versions}, are not those that its lock has: {pin.version or 'an address'}",
                hint=f"bring `versions` and [layer] requires together, then: {_renewing(one.recipe)}",
            )


def _of_build_lock(one: ReadRecipe) -> Iterator[RecipeFinding]:
    """Whether what is locked for compiling is for the version that is locked."""
    recipe = one.recipe
    if not recipe.compiles:
        return
    if not (recipe.folder / recipe_file.BUILD_LOCK).exists():
        yield one.warning(
            f"there is no {recipe_file.BUILD_LOCK}: what it is compiled with is resolved anew", hint=_renewing(recipe)
        )
    if one.build_lock is None:
        return
    for pin in one.pins(recipe.name):
        if not one.build_lock.serves(pin):
            others = ", ".join(sorted(f"{name} {version}" for name, version in one.build_lock.compiles))
            message = f"it is for compiling {others}, and {recipe_file.LOCK} has {pin.name} {pin.version}"
            yield one.error(message, recipe_file.BUILD_LOCK, _renewing(recipe))


def _renewing(recipe: Recipe) -> str:
    return f"`layerforge lock {recipe.folder}` writes it"


def _of_check(one: ReadRecipe) -> Iterator[RecipeFinding]:
    """Whether its package is proved by more than its import."""
    if isinstance(one.recipe.part, Library):
        return
    if not one.recipe.check.scripts:
        yield one.warning(
            "[check] has no script: nothing but imports proves the package",
            hint=f'write what functions do with it into {CHECK}, then name it: script = "{CHECK}"',
        )
    for script in one.recipe.check.scripts:
        yield from _no_python(one, script.text, "check")
    if one.recipe.prime is not None:
        yield from _no_python(one, one.recipe.prime.text, "prime")


def _no_python(one: ReadRecipe, text: str, table: str) -> Iterator[RecipeFinding]:
    """What is wrong with the script that a table names."""
    try:
        guarded.python(text.encode())
    except guarded.Unreadable as error:
        yield one.error(f"it is no Python: {error}", script_name(one.recipe.folder, table))


def _of_files(one: ReadRecipe) -> Iterator[RecipeFinding]:
    """Files that nothing reads."""
    recipe = one.recipe
    used = {recipe_file.FILE, recipe_problems.PATCHES}
    used |= {script_name(recipe.folder, table) for table in ("check", "prime")}
    used |= {recipe_file.LOCK} if recipe.layer else set()
    used |= {recipe_file.BUILD_LOCK} if recipe.compiles else set()
    used |= {CHECK} if not recipe.check.scripts and not isinstance(recipe.part, Library) else set()  # it is told of
    for path in sorted(recipe.folder.iterdir()):
        name = path.name
        if name in used or name.startswith((".", "__")) or name.lower().startswith(_ALOUD):
            continue
        yield one.warning("nothing uses it", name, _use(name))


def _use(name: str) -> str:
    """What a file would be for."""
    uses = {
        CHECK: f'name it in [check]: script = "{CHECK}"',
        recipe_file.LOCK: "a lock goes with [layer], which makes the recipe a target of its own",
        recipe_file.BUILD_LOCK: 'it goes with build = "source"',
    }
    return uses.get(name, f"patches are called {recipe_problems.PATCHES}/*.patch; take away what is none")


def script_name(folder: Path, table: str = "check") -> str:
    """The file that ``script`` of a table names; empty where none is."""
    named = guarded.toml(guarded.text(folder / recipe_file.FILE)).get(table, {}).get("script", "")
    return str(named).partition("/")[0]
