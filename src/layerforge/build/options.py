"""What the command line decides for every layer of a run, and what becomes of a recipe under it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.utils import canonicalize_name

from layerforge.build import interpreters
from layerforge.build.interpreters import Interpreter
from layerforge.build.session import Session
from layerforge.core import guarded
from layerforge.core.runtimes import Target
from layerforge.core.store.disk import pythons
from layerforge.resolve import excluding
from layerforge.resolve.fit import AUTO, Fit, Goal, Way
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.lock import Pin
from layerforge.resolve.recipe import BytecodeMode, Compression, Docstrings
from layerforge.resolve.request import Request, leaving_out


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the command line decides for every layer of one run. ``None`` leaves it to the recipe."""

    target: Target
    interpreter: Interpreter | None
    """A CPython of the target's minor version; ``None`` where this machine has none."""
    compression: Compression | None
    """``None`` leaves it to the size of the layer."""
    output: Path
    epoch: int
    bytecode: BytecodeMode | None = None
    docstrings: Docstrings | None = None
    fit: Fit | None = None
    """What the layers have to fit into; other settings are chosen for it where nobody says them."""
    verify: bool = True
    from_source: tuple[str, ...] = ()
    """Packages to compile, beyond those whose recipes say it."""
    wheels: bool = False
    """Whether every package comes from its wheel, whatever its recipe says."""
    leave_out: tuple[str, ...] = ()
    """Packages that stay out of the layers; see ``LayerSpec.leave_out``."""
    build_here: bool = False
    """Whether the code of others may run on this machine to make wheels of it."""
    jobs: int = 1
    """Source steps and layers that are made at the same time."""
    twice: bool = False
    """Whether each layer is made twice, whatever the store has, and delivered only if both are the same."""

    @property
    def goal(self) -> Goal | None:
        """What settings are chosen for, and which nobody has said."""
        if self.fit is None:
            return AUTO if self.compression is None else None
        said = {Way.ONLY} if self.bytecode else set()
        said |= {Way.SMALL, Way.MAX} if self.compression else set()
        return Goal(fit=self.fit, ways=tuple(way for way in Way if way not in said))


def with_interpreter(options: Options, session: Session) -> Options:
    """The options with the interpreter of the engine's image, where one is needed and this machine has none.

    Raises ``UsageError`` where that has none either.
    """
    if options.interpreter is not None or options.bytecode is BytecodeMode.NONE:
        return options
    if session.builder is None:
        raise interpreters.missing(options.target.python)
    found = interpreters.from_image(session.builder, options.target.python, pythons(), session.progress)
    if found is None:
        raise interpreters.missing(options.target.python)
    return replace(options, interpreter=found)


def settled(request: Request, options: Options, *, compiles: bool) -> Request:
    """The request as it counts before anything is resolved: with what the command line says of it."""
    request = leaving_out(request, options.leave_out)
    spec = request.spec
    bytecode = replace(spec.bytecode, mode=options.bytecode or spec.bytecode.mode)
    spec = replace(spec, bytecode=bytecode).compiling((*options.from_source, *request.listed.compiled))
    excluding.refuse_compiled(options.leave_out, spec.compiled)
    return replace(request, spec=spec, from_sdist=compilable(request) if compiles else ())


def held(request: Request, options: Options, pins: Iterable[Pin]) -> Request:
    """The request without what the command line has compiled and its layer does not hold: another layer may."""
    there = {pin.name for pin in pins}
    others = {*options.from_source} - there - {*request.listed.compiled}
    packages = tuple(part for part in request.spec.packages if part.name not in others)
    return replace(request, spec=replace(request.spec, packages=packages))


def decided(spec: LayerSpec, options: Options) -> LayerSpec:
    """A composed spec with what the command line says of all its packages' docstrings."""
    return replace(spec, bytecode=spec.bytecode.decided(options.docstrings)) if options.docstrings else spec


def compilable(request: Request) -> tuple[str, ...]:
    """Packages that are asked for by name and that their recipes compile."""
    names = [canonicalize_name(guarded.requirement(text).name) for text in request.spec.requires]
    return tuple(name for name in names if (found := request.catalogue.find(name)) and found.compiles)
