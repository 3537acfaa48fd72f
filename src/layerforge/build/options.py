"""What the command line decides for every layer of a run, and what becomes of a recipe under it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from layerforge.build import interpreters
from layerforge.build.interpreters import Interpreter
from layerforge.build.session import Session
from layerforge.core.runtimes import Target
from layerforge.core.store.disk import pythons
from layerforge.resolve import sources
from layerforge.resolve.recipe import Budget, BytecodeMode, Compression, Docstrings, Recipe
from layerforge.resolve.request import Request


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the command line decides for every layer of one run. ``None`` leaves it to the recipe."""

    target: Target
    interpreter: Interpreter | None
    """A CPython of the target's minor version; ``None`` where this machine has none."""
    compression: Compression
    output: Path
    epoch: int
    bytecode: BytecodeMode | None = None
    docstrings: Docstrings | None = None
    verify: bool = True
    from_source: tuple[str, ...] = ()
    """Packages to compile, beyond the recipe's."""
    jobs: int = 1
    """Source steps that run at the same time."""


def with_interpreter(options: Options, session: Session, recipe: Recipe) -> Options:
    """The options with the interpreter of the engine's image, where one is needed and this machine has none.

    Raises ``UsageError`` where that has none either.
    """
    mode = options.bytecode or recipe.bytecode.mode
    if options.interpreter is not None or mode is BytecodeMode.NONE:
        return options
    if session.builder is None:
        raise interpreters.missing(options.target.python)
    found = interpreters.from_image(session.builder, options.target.python, pythons(), session.progress)
    if found is None:
        raise interpreters.missing(options.target.python)
    return replace(options, interpreter=found)


def settled(request: Request, options: Options, session: Session) -> Request:
    """The request with the recipe as it counts: what the command line says, what can be compiled, from what."""
    recipe = overridden(request.recipe, options, request.listed.compiled)
    if session.builder is None:
        recipe = from_wheels(recipe)
    return replace(request, recipe=sources.substituted(recipe, session.folders, session.progress))


def overridden(recipe: Recipe, options: Options, compiled: tuple[str, ...] = ()) -> Recipe:
    """The recipe with what the command line says of its bytecode, and with what else is compiled."""
    code = recipe.bytecode
    code = replace(code, mode=options.bytecode or code.mode, docstrings=options.docstrings or code.docstrings)
    return replace(recipe.compiling((*options.from_source, *compiled)), bytecode=code)


def from_wheels(recipe: Recipe) -> Recipe:
    """The recipe where nothing can be compiled: what it promises of the compiled layer is not asked of the wheels."""
    if not recipe.packages and not recipe.libraries:
        return recipe
    check = replace(recipe.check, single=())
    return replace(recipe, libraries=(), packages=(), system=(), arch_system={}, budget=Budget(), check=check)
