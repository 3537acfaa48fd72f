"""Plans: everything that decides a layer's bytes, worked out before anything happens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from layerforge import __version__
from layerforge.build import compiler_flags
from layerforge.build.engine import Image
from layerforge.build.interpreters import Interpreter
from layerforge.core import digest, resources
from layerforge.core.paths import PRIME
from layerforge.core.runtimes import Arch, Target
from layerforge.resolve import lock
from layerforge.resolve.errors import LockError, RecipeError
from layerforge.resolve.fit import Goal
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.lock import Pin
from layerforge.resolve.recipe import BytecodeMode, Compression, Data, Library, Settings, SourcePackage

SYSTEM = "system libraries"
"""Name of the step that takes libraries out of the image."""


BUILT = "built"
"""What the store calls results of source steps."""


@dataclass(frozen=True, kw_only=True)
class WheelStep:
    """Install one locked wheel."""

    pin: Pin


@dataclass(frozen=True, kw_only=True)
class LibraryStep:
    """Compile a library."""

    library: Library
    settings: Settings
    key: str
    """Digest of all that can change the result."""


@dataclass(frozen=True, kw_only=True)
class PackageStep:
    """Compile a package from its locked source distribution."""

    package: SourcePackage
    pin: Pin
    settings: Settings
    build_pins: tuple[Pin, ...]
    """What the build environment holds besides the packages that this one needs."""
    key: str


@dataclass(frozen=True, kw_only=True)
class SystemStep:
    """Take libraries out of the image."""

    sonames: tuple[str, ...]
    key: str


SourceStep = LibraryStep | PackageStep | SystemStep
PlanStep = WheelStep | SourceStep


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that decides the bytes of a layer, before anything happens."""

    spec: LayerSpec
    target: Target
    compression: Compression
    interpreter: str
    """Full version of the interpreter that compiles the modules; empty where none does."""
    steps: tuple[PlanStep, ...]
    """In an order in which each finds what it needs."""
    epoch: int
    """Date of every entry of the archive, in unix seconds."""
    key: str
    """Digest of all that can change the result."""
    indexes: tuple[str, ...] = field(default=(), repr=False)
    """Options of a requirements file that say where wheels are looked for. They decide no byte, since every hash is
    enforced, and are written nowhere, since they may hold passwords."""
    goal: Goal | None = None
    """What settings are chosen for once the sizes are known; ``None`` where they are as they stand here."""
    without: Plan | None = None
    """The same layer without what Lambda's own Python has, which the goal may have taken instead."""

    @property
    def pins(self) -> tuple[Pin, ...]:
        """Every package of the layer, whether it comes from a wheel or is compiled."""
        return tuple(step.pin for step in self.steps if isinstance(step, WheelStep | PackageStep))


@dataclass(frozen=True, kw_only=True)
class Built:
    """Where the results of a plan's source steps lie, by name."""

    wheels: Mapping[str, Path] = field(default_factory=dict)
    shipped: Mapping[str, Path] = field(default_factory=dict)
    """Folders with what the layer gets as it is."""


SCHEMA = 6
"""Raised whenever the same plan would give other bytes than before, of the layer or of what stands beside it."""

SOURCE_SCHEMA = 2
"""The same for what is compiled, which is not made anew for every version of layerforge."""


@dataclass(frozen=True, kw_only=True)
class Toolchain:
    """What source steps are carried out with."""

    image: Image
    build_pins: Mapping[str, tuple[Pin, ...]]
    """Build environment by package."""


def plan(
    spec: LayerSpec,
    target: Target,
    pins: Sequence[Pin],
    compression: Compression,
    interpreter: Interpreter | None,
    epoch: int,
    toolchain: Toolchain | None = None,
    goal: Goal | None = None,
    without: Plan | None = None,
) -> Plan:
    """The plan for ``recipe`` on ``target`` from the pins that apply there. ``epoch``: unix seconds.

    Without a toolchain every package comes from its wheel. Raises ``RecipeError`` where the recipe's ``needs`` name
    what is not there or form a cycle, ``LockError`` where it compiles what is not locked.
    """
    compiles = spec.bytecode.mode is not BytecodeMode.NONE
    source = source_steps(spec, target, pins, epoch, toolchain) if toolchain else ()
    compiled = {step.pin.name for step in source if isinstance(step, PackageStep)}
    wheels = tuple(WheelStep(pin=pin) for pin in pins if pin.name not in compiled)
    keyless = Plan(
        spec=spec,
        target=target,
        compression=compression,
        interpreter=interpreter.version if interpreter and compiles else "",
        steps=(*source, *wheels),
        epoch=epoch,
        key="",
        goal=goal,
        without=without,
    )
    return replace(keyless, key=digest.of_json([SCHEMA, __version__, _decisive(keyless)]))


def source_steps(
    spec: LayerSpec, target: Target, pins: Sequence[Pin], epoch: int, toolchain: Toolchain
) -> tuple[SourceStep, ...]:
    """What is compiled, each after what it needs."""
    flags = [compiler_flags.FLAGS[target.arch], compiler_flags.LINK_FLAGS]
    common = [SOURCE_SCHEMA, toolchain.image.identity, target.python, str(target.arch), epoch, *flags]
    parts = {part.name: part for part in _parts(spec)}
    by_name = {pin.name: pin for pin in pins}
    steps: dict[str, LibraryStep | PackageStep] = {}
    for name in _ordered(spec):
        needs = [steps[need].key for need in parts[name].needs]
        settings = settings_of(parts[name], target.arch)
        _refuse_native(parts[name], settings)
        steps[name] = _step(parts[name], settings, by_name, toolchain, [*common, needs, _settings_json(settings)])
    system = (SystemStep(sonames=spec.system, key=digest.of_json([*common, "system", list(spec.system)])),)
    return (*steps.values(), *(system if spec.system else ()))


def settings_of(part: Library | SourcePackage, arch: Arch) -> Settings:
    """What a recipe sets for a part on a processor: variables replace, flags and lists are added."""
    own, more = part.settings, part.arch_settings.get(str(arch), Settings())
    names = sorted({*own.config, *more.config})
    flags = sorted({*own.flags, *more.flags})
    return Settings(
        env={**own.env, **more.env},
        flags={name: f"{own.flags.get(name, '')} {more.flags.get(name, '')}".strip() for name in flags},
        config={name: (*own.config.get(name, ()), *more.config.get(name, ())) for name in names},
        module_flags={**own.module_flags, **more.module_flags},
    )


def _settings_json(settings: Settings) -> dict[str, Any]:
    """What decides a step's bytes, without what was not known of before and is not used."""
    # In the order in which they are written: the last flags win.
    module_flags = [list(row) for row in settings.module_flags.items()]
    facts = {key: value for key, value in asdict(settings).items() if key != "module_flags"}
    return facts | ({"module_flags": module_flags} if module_flags else {})


def _refuse_native(part: Library | SourcePackage, settings: Settings) -> None:
    """Raises ``RecipeError`` where a recipe compiles for whatever processor the build machine has."""
    config = (value for values in settings.config.values() for value in values)
    flags = (*settings.env.values(), *settings.flags.values(), *settings.module_flags.values(), *config)
    commands = part.script.splitlines() if isinstance(part, Library) else []
    told = [
        *filter(compiler_flags.for_this_machine, flags),
        *filter(compiler_flags.compiles_for_this_machine, commands),
    ]
    if told:
        raise RecipeError(
            f"the recipe compiles {part.name} for the processor of the machine that builds it",
            hint="leave that flag out: layerforge compiles for the oldest processor that Lambda has",
            details=tuple(text.strip() for text in told),
        )


def _parts(spec: LayerSpec) -> tuple[Library | SourcePackage, ...]:
    return (*spec.libraries, *spec.packages)


def _ordered(spec: LayerSpec) -> list[str]:
    parts = _parts(spec)
    known = {part.name for part in parts}
    unknown = [f"{part.name} needs {need}" for part in parts for need in part.needs if need not in known]
    if unknown:
        raise RecipeError(
            "the recipes need what nothing builds",
            hint=f"`needs` may name {', '.join(sorted(known))}",
            details=tuple(unknown),
        )
    try:
        return list(TopologicalSorter({part.name: part.needs for part in parts}).static_order())
    except CycleError as error:
        raise RecipeError(
            "the `needs` of the recipes form a cycle",
            hint="take one of these needs away",
            details=(" → ".join(reversed(error.args[1])),),
        ) from error


def _step(
    part: Library | SourcePackage,
    settings: Settings,
    pins: Mapping[str, Pin],
    toolchain: Toolchain,
    facts: list[Any],
) -> LibraryStep | PackageStep:
    match part:
        case Library():
            own = [part.name, part.version, part.source.sha256, part.script]
            return LibraryStep(library=part, settings=settings, key=digest.of_json([*facts, "library", own]))
        case SourcePackage():
            pin = pins.get(part.name)
            if pin is None:
                raise LockError(f"{part.name} is to be compiled but the lock does not hold it", hint="renew the lock")
            build = toolchain.build_pins.get(part.name, ())
            own_facts = [part.name, pin.version, list(pin.hashes), [_pin_json(one) for one in build]]
            key = digest.of_json([*facts, "package", own_facts])
            return PackageStep(package=part, pin=pin, settings=settings, build_pins=build, key=key)


def _decisive(planned: Plan) -> dict[str, Any]:
    """What decides the bytes. The check does not, and neither does the folder that the recipe lies in."""
    facts, spec = as_json(planned), planned.spec
    facts["recipe"].pop("budget")
    if planned.goal and planned.without:
        # By these it is decided whether the other plan may be taken.
        facts["runtime"] = [dict(planned.target.runtime.oldest), dict(planned.target.runtime.versions)]
    # The SBOM, which is kept with the layer, tells the address, unless it is a file's of this machine.
    places = ["" if one.source.url.startswith("file:") else one.source.url for one in spec.data]
    rows = [[one.package, one.name, one.source.sha256, one.into, one.unpack, one.files] for one in spec.data]
    data = [[*row, place] for row, place in zip(rows, places, strict=True)]
    primed = {"prime": _priming(spec)} if spec.prime or spec.bytecode.waits else {}
    linked = {"linked": [asdict(one) for one in spec.linked]} if spec.linked else {}  # which the SBOM tells as well
    return {**facts, "data": data, "patches": [asdict(one) for one in spec.patches], **primed, **linked}


def _priming(spec: LayerSpec) -> list[Any]:
    """What decides the files that load before a snapshot what the layer has wait."""
    return [digest.of_file(resources.path(f"{PRIME}.py")), *([one.package, one.text] for one in spec.prime)]


def as_json(planned: Plan) -> dict[str, Any]:
    """The plan as data for JSON."""
    spec = planned.spec
    return {
        "name": spec.name,
        "python": planned.target.python,
        "arch": str(planned.target.arch),
        "glibc": ".".join(map(str, planned.target.runtime.glibc)),
        "interpreter": planned.interpreter,
        "compression": str(planned.compression),
        "epoch": planned.epoch,
        "recipe": {
            "requires": list(spec.requires),
            "left_out": [{"name": one.name, "version": one.version, "why": str(one.why)} for one in spec.left_out],
            "budget": asdict(spec.budget),
            "bytecode": asdict(spec.bytecode),
            "prune": {name: asdict(one) for name, one in spec.prune.items()},
            "env": dict(spec.env),
            "data": [_data_json(one) for one in spec.data],
            "patches": [{"package": one.package, "name": one.name} for one in spec.patches],
            **({"variant": asdict(spec.variant)} if spec.variant else {}),
        },
        "steps": [_step_json(step) for step in planned.steps],
        "key": planned.key,
        "fit": _goal_json(planned),
    }


def _goal_json(planned: Plan) -> dict[str, Any] | None:
    goal, without = planned.goal, planned.without
    if goal is None:
        return None
    return {
        "zipped": goal.fit.zipped,
        "unzipped": goal.fit.unzipped,
        "required": goal.required,
        "may": [str(way) for way in goal.ways],
        "without": without and {"key": without.key, "left_out": [one.told for one in without.spec.left_out]},
    }


def _data_json(data: Data) -> dict[str, Any]:
    return {"package": data.package, "name": data.name, "sha256": data.source.sha256, "into": data.into}


def _step_json(step: PlanStep) -> dict[str, Any]:
    match step:
        case WheelStep():
            return {"step": "wheel", **_pin_json(step.pin)}
        case LibraryStep():
            library = step.library
            ship = {"ship": list(library.ship)}
            return {"step": "library", "name": library.name, "version": library.version, **ship, "key": step.key}
        case PackageStep():
            return {"step": "compile", "name": step.pin.name, "version": step.pin.version, "key": step.key}
        case SystemStep():
            return {"step": "system", "sonames": list(step.sonames), "key": step.key}


def _pin_json(pin: Pin) -> dict[str, Any]:
    """A pin without the folder that a wheel of this machine lies in: its hashes say all."""
    address = "" if pin.address.startswith("file:") else pin.address
    extras = {"extras": list(pin.extras)} if pin.extras else {}
    version = pin.version or lock.wheel_version(pin.address)
    return {"name": pin.name, "version": version, "address": address, "hashes": list(pin.hashes), **extras}


def name_of(step: SourceStep) -> str:
    """What a step is called among the others."""
    match step:
        case LibraryStep():
            return step.library.name
        case PackageStep():
            return step.pin.name
        case SystemStep():
            return SYSTEM


def needs_of(step: SourceStep) -> tuple[str, ...]:
    """The steps that have to be done before."""
    match step:
        case LibraryStep():
            return step.library.needs
        case PackageStep():
            return step.package.needs
        case SystemStep():
            return ()
