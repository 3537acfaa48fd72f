"""The whole line, from what is asked for to verified layers. The only module that knows the order."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from layerforge.build.errors import EngineError
from layerforge.build.graph import Done, Failed, Job, Runner
from layerforge.build.outcome import with_log_here
from layerforge.build.steps import FAILED_LOG
from layerforge.build.threads import ThreadsRunner
from layerforge.build.work import LackingError, layer_key
from layerforge.core.errors import LayerforgeError, StepError, VerificationError
from layerforge.core.progress import Progress
from layerforge.core.watched import Watched
from layerforge.layer import variables
from layerforge.perform import built_before, judge, known_verdict, perform, surroundings
from layerforge.planning import Graph, Prepared, graph
from layerforge.report.delivery import BuiltLayer, Layer, carried_out, deliver, recall, refuse_unfit
from layerforge.verify.verdict import Verdict, mark, summary


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """A layer that was written, and what that took."""

    layer: Layer
    kept: bool
    """Whether the store had it."""
    seconds: float
    """Of the job that made it, without its steps; 0 where there was none."""


class NotBegunError(StepError):
    """A layer was not begun since another one failed, and that was to be the end."""


Ended = Delivered | LayerforgeError
T = TypeVar("T")
Finish = Callable[[Prepared, Graph, Done | None], T | LayerforgeError]
"""What is done with a layer that the store has; with the job that just made it so, where there was one."""


def layers(
    prepared: Sequence[Prepared], runner_of: Callable[[Graph], Runner], *, fail_fast: bool = False
) -> Generator[tuple[Prepared, Ended], None, None]:
    """Each layer with its end, as it comes: what was delivered, or why nothing was. See ``finished``."""
    return finished(prepared, runner_of, _delivered, fail_fast=fail_fast)


def finished(
    prepared: Sequence[Prepared], runner_of: Callable[[Graph], Runner], finish: Finish[T], *, fail_fast: bool = False
) -> Generator[tuple[Prepared, T | LayerforgeError], None, None]:
    """Each layer with what ``finish`` makes of it, as it comes, or why it did not come to be.

    What the store turns out not to have after all is made in another run, once. With ``fail_fast`` the first failure is
    the end of all. Whoever closes the iterator ends what runs.
    """
    again: set[str] = set()
    left = prepared
    while left:
        lost: list[Prepared] = []
        known = frozenset(again)
        with closing(_run(left, graph(left, again), runner_of, finish, fail_fast=fail_fast)) as ends:
            for one, ended in ends:
                gone = {layer_key(one.plan), *ended.keys} if isinstance(ended, LackingError) else set()
                if gone <= known:
                    yield one, ended
                else:
                    lost.append(one)
                    again |= gone
        left = lost


def _run(
    prepared: Sequence[Prepared],
    found: Graph,
    runner_of: Callable[[Graph], Runner],
    finish: Finish[T],
    *,
    fail_fast: bool,
) -> Generator[tuple[Prepared, T | LayerforgeError], None, None]:
    left = {layer_key(one.plan): one for one in prepared}
    needs = {job.key: job.needs for job in found.jobs}
    errors: dict[str, LayerforgeError] = {}
    with closing(_ends(dict(left), found, runner_of, finish)) as ends:
        for key, ended in ends:
            if isinstance(ended, LayerforgeError):
                errors[key] = ended
            if key in left:
                yield left.pop(key), ended
            if fail_fast and any(not isinstance(error, LackingError) for error in errors.values()):
                break
    for key, one in left.items():
        yield one, next((errors[need] for need in needs.get(key, ()) if need in errors), _not_begun(one))


def _ends(
    left: Mapping[str, Prepared], found: Graph, runner_of: Callable[[Graph], Runner], finish: Finish[T]
) -> Generator[tuple[str, T | LayerforgeError], None, None]:
    """Each layer with its end by key of its job, and steps that failed."""
    yield from found.refused.items()
    jobs = {job.key for job in found.jobs}
    for key in [key for key in left if key not in jobs and key not in found.refused]:
        yield key, finish(left[key], found, None)
    results = runner_of(found).run(found.jobs) if found.jobs else iter(())
    try:
        for result in results:
            match result:
                case Done() if result.key in left:
                    ended = finish(left[result.key], found, result)
                    found.fresh.pop(result.key, None)  # it is as large as the layer
                    yield result.key, ended
                case Failed():
                    yield result.key, _told_here(found.owners[result.key], result)
    finally:
        if isinstance(results, Generator):
            results.close()


def _not_begun(one: Prepared) -> NotBegunError:
    return NotBegunError(
        f"{one.plan.spec.name} was not begun, or not ended, since something else failed",
        hint="without --fail-fast the others go on",
    )


def _told_here(owner: Prepared, failed: Failed) -> LayerforgeError:
    """The error of a job. What another machine says of it, or refused, is brought to this one, where it can be read."""
    error, session = failed.error, owner.session
    if not failed.where:
        return error
    try:
        if isinstance(error, VerificationError) and error.findings and failed.key == layer_key(owner.plan):
            if layer := recall(owner.plan, session.store):
                refuse_unfit(layer, Verdict(engine="", skipped="", findings=error.findings), session.store)
        elif log := session.store.get(FAILED_LOG, failed.key):
            error.hint = with_log_here(error.hint, log, session.logs)
    except LayerforgeError as here:
        return here
    return error


def _delivered(one: Prepared, found: Graph, done: Done | None) -> Ended:
    """Writes a layer that the store has, once it is known to be fit; ``done`` is the job that just made it so."""
    planned, session = one.plan, one.session
    key = layer_key(planned)
    try:
        layer = found.fresh.get(key) or recall(planned, session.store)
        if layer is None:
            raise LackingError(
                f"the store has not the layer {planned.spec.name}, which was there a moment ago",
                hint="run the same again: what is not there is made anew",
            )
        planned = carried_out(planned, layer.manifest)
        one = one._replace(plan=planned)
        if done is None:
            session.progress.say(built_before(layer))
        for line in variables.unsettled(planned.spec.env, layer.manifest.env):
            session.progress.say(line)
        verdict = _verdict(one, layer, quiet=done is not None) if one.options.verify else None
        refuse_unfit(layer, verdict, session.store)
        written = deliver(planned, layer, verdict, one.options.output, session.progress)
    except LayerforgeError as error:
        return error
    return Delivered(layer=written, kept=key in found.kept, seconds=done.seconds if done else 0.0)


def _verdict(one: Prepared, layer: BuiltLayer, *, quiet: bool) -> Verdict:
    """The verdict on a layer. Where the same bytes ran well under the same checks before, they are not run again."""
    known = known_verdict(one.plan, layer.manifest.sha256, one.session)
    if known is None:
        return judge(one.plan, layer, surroundings(one.plan, one.session), one.session)
    if not quiet:
        with one.session.progress.step("verify") as step:
            step.note(f"{summary(known)} (these bytes were verified before)", mark(known))
    return known


# --- on this machine


def here(found: Graph, jobs: int, named: Callable[[Job, Progress], Progress] = lambda _job, shown: shown) -> Runner:
    """What does the jobs of a graph in threads, ``jobs`` at a time; ``named`` is how each shows its progress."""
    ending = threading.Event()
    begun = itertools.count(1)

    def one(job: Job) -> Done:
        owner = found.owners[job.key]
        progress = Watched(progress=named(job, owner.session.progress), ending=ending)
        session = replace(owner.session, progress=progress)
        return perform(
            job.task,
            session,
            owner.plan.indexes,
            place=lambda: f"{next(begun)} of {len(found.compiled)}",
            on_layer=partial(found.fresh.__setitem__, job.key),
        )

    def stop() -> None:
        ending.set()
        for builder in {id(one.session.builder): one.session.builder for one in found.owners.values()}.values():
            with suppress(EngineError):  # the others' containers are to be ended all the same
                if builder is not None:
                    builder.stop()

    return ThreadsRunner(perform=one, jobs=jobs, stop=stop)
