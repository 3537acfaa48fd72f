"""What a call asks for, made into plans and into one graph of jobs for all its layers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from layerforge.build import durations, wire
from layerforge.build.cost import Cost, cost
from layerforge.build.durations import Compiled
from layerforge.build.elsewhere import Elsewhere
from layerforge.build.graph import Demand, Job
from layerforge.build.jobs import identities, lacking, step_job
from layerforge.build.making_wheels import WheelMaking
from layerforge.build.options import Options, decided, held, settled, with_interpreter
from layerforge.build.plan import BUILT, Plan, SourceStep, Toolchain, plan
from layerforge.build.requested_wheels import with_wheels
from layerforge.build.session import Session, equipped
from layerforge.build.without import without_runtime
from layerforge.build.work import layer_key, layer_work_of
from layerforge.core.errors import LayerforgeError, UsageError
from layerforge.core.store.disk import DiskStore
from layerforge.core.store.looked_up import looked_up
from layerforge.perform import known_verdict
from layerforge.report.delivery import BYTES, LAYER, BuiltLayer, kept_digest, kept_plan
from layerforge.resolve import build_environments, locking, sources
from layerforge.resolve.build_environments import EnvironmentResolver
from layerforge.resolve.compose import compose
from layerforge.resolve.fit import Way
from layerforge.resolve.lock import Pin
from layerforge.resolve.recipe import Compression
from layerforge.resolve.request import Request

_MEMORY = 2 * 2**30
"""Bytes that making and running a layer may take."""


class Prepared(NamedTuple):
    """A plan, and what it is carried out with."""

    plan: Plan
    options: Options
    session: Session


def prepare(request: Request, options: Options, session: Session, *, fetches: bool = True) -> Prepared:
    """The plan of a request, and what it is carried out with. Without ``fetches`` no source is downloaded where locks
    say all.

    Raises ``UsageError`` where an interpreter is needed that neither this machine nor the image has.
    """
    options = with_interpreter(options, session)
    asked = with_made(request, options, session)
    request, pins, session = _composed(asked, options, session)
    toolchain = None
    if session.builder is not None:
        environments = EnvironmentResolver(request=request, search=session.search, fetches=fetches)
        build_pins = build_environments.build_pins(environments, pins, options.target)
        toolchain = Toolchain(image=session.builder.image, build_pins=build_pins)
    planned = _planned(request, pins, options, toolchain)
    if options.goal and Way.RUNTIME in options.goal.ways:
        other = without_runtime(asked, planned, pins, options, session, toolchain)
        planned = _planned(request, pins, options, toolchain, other)
    session = replace(session, interpreter=options.interpreter)
    return Prepared(replace(planned, indexes=request.listed.indexes), options, session)


def cost_of(prepared: Iterable[Prepared]) -> Cost:
    """What compiling for these layers will cost, for those that the store does not have as a whole."""
    found = list(prepared)
    if not found:
        return Cost(steps=())
    store = planning_store(found)
    twice = any(one.options.twice for one in found)
    wanted = [one.plan for one in found if twice or not kept_digest(one.plan, store)]
    return cost(wanted, store, twice=twice) if wanted else Cost(steps=())


def planning_store(prepared: Sequence[Prepared]) -> DiskStore:
    """The store of some layers, which has been asked at once for what planning them asks for."""
    records = [(kind, one.plan.key) for one in prepared for kind in (LAYER, BYTES)]
    steps = [
        (step, one.plan.target.arch) for one in prepared for step in one.plan.steps if isinstance(step, SourceStep)
    ]
    times = [pair for step, arch in steps if isinstance(step, Compiled) for pair in durations.asked(step, arch)]
    return looked_up(prepared[0].session.store, [*records, *times], [(BUILT, step.key) for step, _ in steps])


def _planned(
    request: Request,
    pins: tuple[Pin, ...],
    options: Options,
    toolchain: Toolchain | None,
    without: Plan | None = None,
) -> Plan:
    """The plan of a composed request. What its layer is to fit into counts with all that may be done for that."""
    goal = options.goal
    if goal and without is None:
        goal = replace(goal, ways=tuple(way for way in goal.ways if way is not Way.RUNTIME))
    return plan(
        request.spec,
        options.target,
        pins,
        options.compression or Compression.FAST,
        options.interpreter,
        options.epoch,
        toolchain,
        goal,
        without,
    )


def with_made(request: Request, options: Options, session: Session) -> Request:
    """The request with wheels of all that it names and that is none. Raises ``LayerforgeError``."""
    return with_wheels(request, _making(request, options, session)) if request.names_sources else request


def _composed(request: Request, options: Options, session: Session) -> tuple[Request, tuple[Pin, ...], Session]:
    """The request with what the recipes of its locked packages say, these packages, and what their steps take."""
    image = session.builder is not None
    compiles = image and not options.wheels
    request = settled(request, options, compiles=compiles)
    chosen = locking.locked_pins(request, options.target, session.search)
    request, pins = replace(request, spec=replace(request.spec, left_out=chosen.left_out)), chosen.pins
    request = held(request, options, pins)
    found = compose(request.spec, pins, request.catalogue, options.target, compiling=compiles, image=image)
    for line in found.said:
        session.progress.say(line)
    session = equipped(session, found.spec)
    spec = sources.substituted(decided(found.spec, options), session.folders, session.progress)
    return replace(request, spec=spec), pins, session


def _making(request: Request, options: Options, session: Session) -> WheelMaking:
    """What wheels are made with. Raises ``UsageError`` where all is made by a cluster."""
    if isinstance(session.builder, Elsewhere):
        raise UsageError(
            f"the layer {request.spec.name} takes a wheel that is made here, which a cluster does not know",
            hint="build it here, without --cluster; --no-project leaves a project's own code out",
        )
    return WheelMaking(
        search=session.search,
        store=session.store,
        target=options.target,
        logs=session.logs,
        builder=session.builder,
        interpreter=options.interpreter,
        build_here=options.build_here,
        clock=session.clock,
    )


@dataclass(frozen=True, kw_only=True)
class Graph:
    """What has to be done for the layers of a call."""

    jobs: tuple[Job, ...] = ()
    owners: Mapping[str, Prepared] = field(default_factory=dict)
    """By key of a job, the layer that it is done for first: its session and its indexes are the job's."""
    refused: Mapping[str, LayerforgeError] = field(default_factory=dict)
    """By key of a layer's job, why nothing of it can be begun."""
    kept: frozenset[str] = frozenset()
    """Keys of the jobs of layers that the store has."""
    compiled: frozenset[str] = frozenset()
    """Keys of the jobs that compile something, which takes long."""
    fresh: dict[str, BuiltLayer] = field(default_factory=dict)
    """By key of a job, the layer that it has just made in this process, which need not be read for what comes next."""


def graph(prepared: Sequence[Prepared], again: Collection[str] = ()) -> Graph:
    """All jobs of these layers, each once: steps whose results the store lacks, and layers that it lacks or that have
    to be verified. Sources are downloaded for that, so what cannot be had is known in seconds.

    ``again`` are keys of what turned out to be damaged or gone though the store seemed to have it.
    """
    if not prepared:
        return Graph()
    jobs: dict[str, Job] = {}
    owners: dict[str, Prepared] = {}
    refused: dict[str, LayerforgeError] = {}
    kept: set[str] = set()
    store = planning_store(prepared)
    for one in prepared:
        key = layer_key(one.plan)
        planning = one._replace(session=replace(one.session, store=store))
        found = "" if key in again else kept_digest(one.plan, store)
        kept |= {key} if found else set()
        try:
            for job in _jobs(planning, found, jobs, again):
                jobs[job.key] = job
                owners.setdefault(job.key, one)
        except LayerforgeError as error:
            refused[key] = error
    steps = {step.key for one in prepared for step in one.plan.steps if isinstance(step, Compiled)}
    return Graph(
        jobs=tuple(jobs.values()),
        owners=owners,
        refused=refused,
        kept=frozenset(kept),
        compiled=frozenset(jobs.keys() & steps),
    )


def _jobs(one: Prepared, kept: str, known: Mapping[str, Job], again: Collection[str]) -> list[Job]:
    """The jobs of a layer; ``kept`` is the digest of its zip where the store has it. None where there is none to do."""
    planned, session = one.plan, one.session
    search = session.search
    image = session.builder.image if session.builder else None
    wanted: Mapping[str, SourceStep] = {}
    if not kept:
        wanted = lacking(planned, session.store, again)
        for data in planned.spec.data:
            sources.keep(data.source, search)
    elif not one.options.verify or known_verdict(kept_plan(planned, session.store), kept, session):
        return []
    steps = [known.get(key) or step_job(planned, step, image, wanted, search) for key, step in wanted.items()]
    work = layer_work_of(planned, *identities(image), verify=one.options.verify, made=tuple(wanted))
    layer = Job(
        key=layer_key(planned),
        title=f"{planned.spec.name}-{planned.target.label}",
        needs=tuple(wanted),
        demand=Demand(arch=planned.target.arch, image=work.base_image, memory=_MEMORY),
        task=wire.text_of(work),
    )
    return [*steps, layer]
