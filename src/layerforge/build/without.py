"""The plan of a layer without what Lambda's own Python has: a way to have it fit, worked out beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from layerforge.build import elsewhere
from layerforge.build.options import Options, decided, held, settled
from layerforge.build.plan import Plan, Toolchain, plan
from layerforge.build.session import Session
from layerforge.build.work import sources_of
from layerforge.core.errors import LayerforgeError
from layerforge.resolve import excluding, leaving_out
from layerforge.resolve.compose import compose
from layerforge.resolve.leaving_out import Chosen
from layerforge.resolve.lock import Pin
from layerforge.resolve.request import Request


def without_runtime(
    request: Request,
    planned: Plan,
    pins: Sequence[Pin],
    options: Options,
    session: Session,
    toolchain: Toolchain | None,
) -> Plan | None:
    """The same layer as ``planned`` without the runtime's packages, in the same versions; ``None`` where it has none,
    where what is compiled needs them, or where it would not be run beside them, which alone proves that it may.

    ``request`` is what was asked for.
    """
    target = options.target
    own = excluding.distributions(target.runtime)
    if own.isdisjoint(pin.name for pin in pins) or not options.verify or not _is_run(session, options):
        return None
    request = settled(request, options, compiles=session.builder is not None and not options.wheels)
    request = replace(request, spec=replace(request.spec, left_out=planned.spec.left_out))
    try:
        chosen = leaving_out.without_runtime(request, pins, target, session.search)
        other = _planned(request, planned, chosen, options, session, toolchain)
    except LayerforgeError as error:
        session.progress.say(f"whether the runtime's own packages could go cannot be told: {error.message}")
        return None
    same = {step.key for step in sources_of(other).values()} == {step.key for step in sources_of(planned).values()}
    return other if chosen.pins and same else None


def _planned(
    request: Request,
    planned: Plan,
    chosen: Chosen,
    options: Options,
    session: Session,
    toolchain: Toolchain | None,
) -> Plan:
    pins, image = chosen.pins, session.builder is not None
    request = held(replace(request, spec=replace(request.spec, left_out=chosen.left_out)), options, pins)
    compiling = image and not options.wheels
    found = compose(request.spec, pins, request.catalogue, options.target, compiling=compiling, image=image).spec
    # The archives that are taken in the place of others have been looked for already.
    libraries = tuple(one for one in planned.spec.libraries if one.name in {own.name for own in found.libraries})
    data = tuple(one for one in planned.spec.data if one.package in {pin.name for pin in pins})
    spec = replace(decided(found, options), libraries=libraries, data=data)
    interpreter, epoch = options.interpreter, options.epoch
    return plan(spec, options.target, pins, planned.compression, interpreter, epoch, toolchain)


def _is_run(session: Session, options: Options) -> bool:
    return session.engine.refusal(options.target) in {"", elsewhere.REFUSAL}
