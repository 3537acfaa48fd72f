"""What a person is told of a request beside its lock, and what was perhaps meant."""

from __future__ import annotations

from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from layerforge.core.errors import LayerforgeError
from layerforge.core.progress import Progress
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.other_locks import formats
from layerforge.resolve.recipe import Library
from layerforge.resolve.request import Request
from layerforge.resolve.requirement import PACKAGE_NAME, known_modules

_NO_PACKAGE = "there is no package "


def tell(request: Request, progress: Progress) -> None:
    """Says what of a project does not count for its layer, a line each."""
    for line in request.untaken:
        progress.say(line)
    for word in (one for one in request.given if Path(one) in request.files and PACKAGE_NAME.fullmatch(one)):
        progress.say(f"{word} is read as the file of that name here, and not asked of an index")
    for path in (request.other.path,) if request.other else request.held_by:
        others = [one.name for one in formats.beside(path.parent) if one != path]
        more = f"; {' and '.join(others)} beside it does not count" if others and not request.partly else ""
        progress.say(f"versions and hashes are those of {path}{more}")
    if request.files:
        for text in request.spec.requires:
            requirement = Requirement(text)
            package = known_modules().get(canonicalize_name(requirement.name))
            if package and not requirement.specifier and not requirement.url:
                progress.warn(f"{requirement.name} is a module of the package {package}; is that meant?")


def warn_of_typo(request: Request, progress: Progress) -> None:
    """A name that is nearly a recipe's may be another's package: say so before anything of it is downloaded."""
    name, near = request.spec.name, _near(request)
    if near:
        progress.warn(f"{name} is no recipe, so it is taken as a package; perhaps you meant {near}")


def _near(request: Request) -> str:
    """The recipe that a single bare requirement is nearly called like; empty where there is none."""
    near = request.catalogue.nearest(request.spec.name)
    single = len(request.given) == 1 and not request.files
    return near if single and near != request.spec.name else ""


def perhaps_a_recipe(request: Request, error: LayerforgeError) -> LayerforgeError:
    """The error of a resolution, or what is better said of a name that no index has."""
    name = error.message.removeprefix(_NO_PACKAGE).split()[0] if error.message.startswith(_NO_PACKAGE) else ""
    if not name:
        return error
    near, found = _near(request) or request.catalogue.nearest(name), request.catalogue.find(name)
    if found and isinstance(found.part, Library):
        return RecipeError(
            f"{found.name} is a library, which no layer is built of alone",
            hint="build a package whose recipe needs it: `layerforge recipes` lists them",
            details=error.details,
        )
    if not near:
        return error
    return RecipeError(
        f"there is no recipe and no package {name}",
        hint=f"perhaps you meant {near}",
        details=error.details,
    )
