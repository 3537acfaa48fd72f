"""What the command line decides for every layer of a run, and what becomes of a recipe under it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from layerforge.build.interpreters import Interpreter
from layerforge.core.runtimes import Target
from layerforge.resolve.recipe import Budget, BytecodeMode, Compression, Docstrings, Recipe, SourcePackage


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
    sources: Path | None = None
    """Folder with source archives that need not be downloaded."""
    jobs: int = 1
    """Source steps that run at the same time."""


def overridden(recipe: Recipe, options: Options, compiled: tuple[str, ...] = ()) -> Recipe:
    """The recipe with what the command line says of its bytecode, and with what else is compiled."""
    code, known = recipe.bytecode, {part.name for part in recipe.packages}
    names = [name for name in dict.fromkeys((*options.from_source, *compiled)) if name not in known]
    more = tuple(SourcePackage(name=name) for name in names)
    code = replace(code, mode=options.bytecode or code.mode, docstrings=options.docstrings or code.docstrings)
    return replace(recipe, bytecode=code, packages=(*recipe.packages, *more))


def from_wheels(recipe: Recipe) -> Recipe:
    """The recipe where nothing can be compiled: what it promises of the compiled layer is not asked of the wheels."""
    if not recipe.packages and not recipe.libraries:
        return recipe
    check = replace(recipe.check, single=())
    return replace(recipe, libraries=(), packages=(), system=(), arch_system={}, budget=Budget(), check=check)
