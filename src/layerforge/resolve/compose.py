"""From the recipes of a layer's locked packages to what is to be done for that layer."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from packaging.specifiers import SpecifierSet

from layerforge.core.runtimes import Target
from layerforge.resolve import function_variables, lock
from layerforge.resolve.catalogue import Catalogue
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.function_variables import Disagreement
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.lock import Pin
from layerforge.resolve.recipe import Budget, Check, CodeRules, Library, Need, Recipe, SourcePackage, checks_together
from layerforge.resolve.variant import Variant


@dataclass(frozen=True, kw_only=True)
class Composition:
    """A spec with what recipes say, and what a person is told of it."""

    spec: LayerSpec
    said: tuple[str, ...] = ()
    """A line each."""


def compose(
    spec: LayerSpec, pins: Sequence[Pin], catalogue: Catalogue, target: Target, *, compiling: bool, image: bool
) -> Composition:
    """The union of what the recipes say of the packages that are locked, in versions that they were proved for.

    With ``compiling`` their packages come from source, with what they need; with ``image`` there is one to take
    libraries of the system from. Raises ``RecipeError`` where recipes contradict each other or need what is not there.
    """
    layer = _Layer(spec=spec, locked={pin.name: pin for pin in pins}, catalogue=catalogue)
    applied, outside = _applied(layer)
    _refuse_stranger(layer, applied)
    _refuse_absent(layer)
    wanted, unmet = _compiled(applied, layer) if compiling else ((), {})
    parts = {name: recipe.part for name in wanted if isinstance((recipe := applied[name]).part, SourcePackage)}
    libraries = _libraries([applied[name] for name in wanted], catalogue)
    at_work = [one for one in applied.values() if not one.compiles or one.name in wanted]
    left = [one.name for one in applied.values() if one.compiles and one.name not in wanted]
    composed = replace(
        spec,
        budget=Budget() if left else spec.budget,
        bytecode=replace(spec.bytecode, packages={one.name: _code(one, spec) for one in applied.values()}),
        prune={one.name: one.prune for one in applied.values() if one.prune.remove or one.prune.keep},
        check=_check(layer, applied.values(), [*at_work, *libraries]),
        libraries=tuple(one.part for one in libraries if isinstance(one.part, Library)),
        packages=(*parts.values(), *(part for part in spec.packages if part.name not in parts)),
        build_packages=tuple(sorted({name for one in [*at_work, *libraries] for name in one.build_packages})),
        system=_system([*libraries, *at_work], target) if image else (),
        env=_env(applied.values()),
        data=tuple(one for recipe in applied.values() for one in recipe.data),
        patches=tuple(one for recipe in applied.values() for one in recipe.patches),
        linked=tuple(one for name in wanted for one in applied[name].linked),
        prime=tuple(recipe.prime for recipe in applied.values() if recipe.prime),
    )
    wheels = _from_wheels(left, budget=spec.budget != Budget()) if not image else ()
    told = (spec.variant.told,) if spec.variant else ()
    said = (*told, *outside, *unmet.values(), *wheels, *_shadowing(applied, libraries, catalogue))
    return Composition(spec=composed, said=said)


def _from_wheels(left: Sequence[str], *, budget: bool) -> Iterator[str]:
    """What is said where nothing can be compiled."""
    if left:
        how, what = ("comes from its wheel", "it") if len(left) == 1 else ("come from their wheels", "them")
        more = ", and the budget does not count" if budget else ""
        yield f"{', '.join(left)} {how}: compiling {what} takes a container engine{more}"


@dataclass(frozen=True, kw_only=True)
class _Layer:
    """What recipes are applied in."""

    spec: LayerSpec
    locked: Mapping[str, Pin]
    """By name."""
    catalogue: Catalogue


def _applied(layer: _Layer) -> tuple[dict[str, Recipe], list[str]]:
    """The recipe of each package that has one for its version, and a line for each that has one for others."""
    applied: dict[str, Recipe] = {}
    outside: list[str] = []
    for pin in layer.locked.values():
        recipe = layer.catalogue.find(pin.name)
        if recipe is None or not recipe.of_package:
            continue
        if proved(recipe, pin):
            applied[pin.name] = recipe
        else:
            what = _version(pin) or "from an address"
            way = "is compiled" if pin.name in layer.spec.compiled else "comes from its wheel"
            outside.append(
                f"{pin.name} {what} is not among the versions of its recipe, {recipe.versions}: "
                f"it {way}, by the general rules"
            )
    return applied, outside


def _refuse_stranger(layer: _Layer, applied: Mapping[str, Recipe]) -> None:
    """Raises ``RecipeError`` where a target's own lock holds a version that its recipe was not proved for."""
    spec, recipe = layer.spec, layer.catalogue.find(layer.spec.name)
    own = layer.locked.get(spec.name) if spec.folder is not None else None
    if own is not None and own.name not in applied and recipe is not None and recipe.folder == spec.folder:
        raise RecipeError(
            f"the recipe {spec.name} is for the versions {recipe.versions}, and its lock holds {_version(own)}",
            hint="bring `versions` and `layer.requires` together, then write the lock anew",
            details=(str(recipe.folder),),
        )


def _refuse_absent(layer: _Layer) -> None:
    """Raises ``RecipeError`` where a variant is to leave parts out of packages that the layer does not hold."""
    variant = layer.spec.variant
    if variant and (absent := sorted(variant.packages - layer.locked.keys())):
        raise RecipeError(
            f"the variant {variant.name} leaves parts of {', '.join(absent)} out, which the layer does not hold",
            hint="its `layer.requires` has to bring all packages of `variant.without`",
        )


def proved(recipe: Recipe, pin: Pin) -> bool:
    """Whether a pin's version is among those that the package's recipe was proved for."""
    version = _version(pin)
    return bool(version) and SpecifierSet(recipe.versions).contains(version, prereleases=True)


def _version(pin: Pin) -> str:
    return pin.version or lock.wheel_version(pin.address)


def _compiled(applied: Mapping[str, Recipe], layer: _Layer) -> tuple[tuple[str, ...], dict[str, str]]:
    """Packages to compile from their recipes, sorted, and a line on each that is not, since something hinders it."""
    asked = layer.spec.compiled
    wanted = {name for name, recipe in applied.items() if recipe.compiles}
    named = sorted(name for name in wanted - asked if layer.locked[name].address)
    unmet = {name: f"{name} comes from the wheel that is named" for name in named}
    wanted -= unmet.keys()
    while lacking := {name: need for name in sorted(wanted) if (need := _lacking(applied[name], wanted, layer))}:
        for name, need in lacking.items():
            if name in asked:
                raise _uncompilable(name, need, layer)
            why = _outgrown(need, layer) or f"{need.name}, which it is compiled with, does"
            unmet[name] = f"{name} comes from its wheel, since {why}"
        wanted -= lacking.keys()
    return tuple(sorted(wanted)), unmet


def _lacking(recipe: Recipe, wanted: Collection[str], layer: _Layer) -> Need | None:
    """The first need of a recipe that is not met: a package that is not compiled, or another version of it."""
    needs = (need for need in recipe.needs if not _is_library(recipe, need.name, layer))
    return next((need for need in needs if need.name not in wanted or _outgrown(need, layer)), None)


def _outgrown(need: Need, layer: _Layer) -> str:
    """Why the layer's version of a package is none of those that will do; empty where it is."""
    version = _version(layer.locked[need.name])
    told = f"{need.name} {need.versions}, and the layer has {version or 'another'}"
    return "" if need.allows(version) else f"it is compiled with {told}"


def _uncompilable(name: str, need: Need, layer: _Layer) -> RecipeError:
    """The error for a package that is asked to be compiled and cannot be."""
    if why := _outgrown(need, layer):
        return RecipeError(f"{name} cannot be compiled: {why}", hint=f"require {need.name}{need.versions} too")
    return RecipeError(
        f"{name} cannot be compiled: {need.name} comes from its wheel", hint=f"--from-source {need.name}"
    )


def _is_library(recipe: Recipe, name: str, layer: _Layer) -> bool:
    """Whether a need of a recipe is a library. Raises ``RecipeError`` where it is neither that nor in the layer."""
    found = layer.catalogue.find(name)
    if found and isinstance(found.part, Library):
        return True
    if found is None:
        raise _unknown(recipe, name, layer.catalogue)
    if name not in layer.locked:
        gone = any(one.name == name for one in layer.spec.left_out)
        way = f"let {name} in, without --leave-out" if gone else f"name {name} as a requirement too"
        raise RecipeError(
            f"the recipe {recipe.name} needs {name}, which is {'left out of' if gone else 'not in'} the layer",
            hint=f"{way}, or take wheels with --wheels",
        )
    return False


def _libraries(recipes: Iterable[Recipe], catalogue: Catalogue) -> list[Recipe]:
    """The libraries that recipes need, and that these need themselves, by name."""
    found: dict[str, Recipe] = {}
    ahead = list(recipes)
    for recipe in ahead:
        for need in recipe.needs:
            other = catalogue.find(need.name)
            if other is None:
                raise _unknown(recipe, need.name, catalogue)
            _refuse_version(recipe, need, other)
            if isinstance(other.part, Library) and other.name not in found:
                found[other.name] = other
                ahead.append(other)
    return [found[name] for name in sorted(found)]


def _unknown(recipe: Recipe, name: str, catalogue: Catalogue) -> RecipeError:
    """The error for a need that no recipe is there for."""
    near = catalogue.nearest(name)
    hint = f"perhaps it needs {near}" if near else "`needs` names recipes: write one for it"
    return RecipeError(f"the recipe {recipe.name} needs {name}, and there is no such recipe", hint=hint)


def _refuse_version(recipe: Recipe, need: Need, other: Recipe) -> None:
    """Raises ``RecipeError`` where a recipe needs other versions of a library than the one that there is."""
    if isinstance(other.part, Library) and not need.allows(other.part.version):
        raise RecipeError(
            f"the recipe {recipe.name} needs {other.name} {need.versions}, and its recipe is for {other.part.version}",
            hint=f"a layer has one {other.name}: bring the two recipes to the same version",
            details=(str(other.folder),),
        )


def _check(layer: _Layer, applied: Iterable[Recipe], proving: Iterable[Recipe]) -> Check:
    """What proves the layer. Of libraries only those that ``proving`` recipes are about are asked to be there once."""
    single = checks_together(one.check for one in proving).single
    checks = [one.check for one in applied]
    if variant := layer.spec.variant:
        whole = layer.catalogue.find(variant.name)
        checks = [*(_left_of(one, variant) for one in checks), *([whole.check] if whole else [])]
    return replace(checks_together(checks), single=single)


def _left_of(check: Check, variant: Variant) -> Check:
    """What a package's check still proves where a variant leaves parts of it out."""
    return replace(
        check,
        imports=tuple(name for name in check.imports if variant.has(name)),
        scripts=tuple(one for one in check.scripts if one.package not in variant.proves),
    )


def _code(recipe: Recipe, spec: LayerSpec) -> CodeRules:
    """How a package's modules are compiled, without what is said of modules that a variant leaves out."""
    rules, variant = recipe.bytecode, spec.variant
    if variant is None or not rules.defer:
        return rules
    return replace(rules, defer={file: names for file, names in rules.defer.items() if variant.has(_module(file))})


def _module(file: str) -> str:
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _system(recipes: Iterable[Recipe], target: Target) -> tuple[str, ...]:
    """Sonames of the image's libraries, each once, in a steady order."""
    named = {name for one in recipes for name in (*one.system, *one.arch_system.get(str(target.arch), ()))}
    return tuple(sorted(named))


def _env(applied: Iterable[Recipe]) -> dict[str, str]:
    """The variables of the function. Raises ``RecipeError`` where two recipes want different values."""
    try:
        return function_variables.together((recipe.name, recipe.env) for recipe in applied)
    except Disagreement as error:
        raise RecipeError(
            f"the recipes {error.owners} want different values of {error.name}",
            hint="a function has one: take it out of one of the two",
            details=error.details,
        ) from error


def _shadowing(applied: Iterable[str], libraries: Iterable[Recipe], catalogue: Catalogue) -> Iterator[str]:
    names = sorted({*applied, *(one.name for one in libraries)})
    hidden = [name for name in names if catalogue.shadowed(name)]
    if hidden:
        places = sorted({str(catalogue.places[name].parent) for name in hidden})
        what, counts = ("the recipe", "counts") if len(hidden) == 1 else ("the recipes", "count")
        yield f"{what} {', '.join(hidden)} of {', '.join(places)} {counts} instead of layerforge's own"
