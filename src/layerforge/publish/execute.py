"""Carries a publish plan out: Regions side by side, the layers of one Region in turn."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import wait
from dataclasses import replace
from typing import assert_never

from layerforge.core.progress import Progress
from layerforge.publish.aws_errors import unexpected
from layerforge.publish.cloud import AGAIN, LambdaRegion
from layerforge.publish.errors import PublishError
from layerforge.publish.once import exactly_once
from layerforge.publish.outgoing import direct, discarded, through_bucket
from layerforge.publish.plan import Action, Allow, Discard, Publish, PublishJob, Refuse, Remove, Unchanged
from layerforge.publish.results import Result, Status, besides
from layerforge.publish.run import GRACE, LIMIT, PAUSES, NewVersion, Publication, Stopped
from layerforge.publish.threads import side_by_side


def execute_jobs(
    jobs: Sequence[PublishJob],
    clouds: Sequence[LambdaRegion],
    progress: Progress,
    pauses: tuple[float, ...] = PAUSES,
    limit: float = LIMIT,
) -> tuple[Result, ...]:
    """Does what is to be done, within ``limit`` seconds. A Region where something fails does not hold up the others."""
    with progress.step("publish") as step:
        uploads = [job.artifact.zipped for job in jobs if job.publishes]
        if uploads:
            step.expect(sum(uploads))
        run = Publication(progress=progress, step=step, stop=threading.Event(), pauses=pauses)
        results = _all(run, jobs, clouds, limit)
        step.note(summary(results))
    return results


def summary(results: Sequence[Result]) -> str:
    """Such as ``5 published, 1 failed``."""
    counts = ((status, sum(one.status is status for one in results)) for status in Status)
    return ", ".join(f"{number} {status}" for status, number in counts if number)


def _all(
    run: Publication, jobs: Sequence[PublishJob], clouds: Sequence[LambdaRegion], limit: float
) -> tuple[Result, ...]:
    done: dict[str, list[Result]] = {cloud.region: [] for cloud in clouds}

    def region(cloud: LambdaRegion) -> None:
        for job in jobs:
            if job.region == cloud.region:
                done[cloud.region].append(perform(run, job, cloud))

    futures = side_by_side(region, clouds)
    try:
        wait(futures, limit)
        for future in futures:
            if future.done():
                future.result()
        return tuple(result for cloud in clouds for result in _whole(done[cloud.region], cloud, jobs, limit))
    except BaseException:
        run.stop.set()
        wait(futures, GRACE)
        run.progress.warn(f"versions that are there stay: {AGAIN}")
        raise


def _whole(done: Sequence[Result], cloud: LambdaRegion, jobs: Sequence[PublishJob], limit: float) -> list[Result]:
    """What a Region did, and that the rest of it took too long."""
    ours = [job for job in jobs if job.region == cloud.region]
    late = PublishError(f"{cloud.region} was not done within {limit:,.0f} seconds", hint=AGAIN)
    got = list(done)  # a thread that is late may still add to it
    return got + [_failed(_nothing_yet(job), late) for job in ours[len(got) :]]


def _nothing_yet(job: PublishJob) -> Result:
    wanted = job.artifact
    return Result(
        region=job.region,
        name=wanted.name,
        status=Status.FAILED,
        runtimes=wanted.runtimes,
        architectures=wanted.architectures,
        env=wanted.env,
    )


def _failed(result: Result, error: PublishError) -> Result:
    there = f"version {result.version.number} is there, but " if result.version else ""
    return replace(result, status=Status.FAILED, error=there + error.message, hint=error.hint)


def perform(run: Publication, job: PublishJob, cloud: LambdaRegion) -> Result:
    """Does one job. What fails ends it, whatever it is, and is told in its result."""
    result = _nothing_yet(job)
    try:
        for action in job.actions:
            result = _do(run, job, cloud, action, result)
    except Stopped:
        raise
    except Exception as error:
        if run.stop.is_set():
            raise Stopped from error
        result = _failed(result, error if isinstance(error, PublishError) else unexpected(error))
    _tell(run.progress, job, result)
    return result


def _do(run: Publication, job: PublishJob, cloud: LambdaRegion, action: Action, result: Result) -> Result:
    match action:
        case Refuse():
            raise PublishError(action.message, hint=action.hint)
        case Unchanged():
            return replace(result, status=Status.UNCHANGED, version=action.version, code_sha256=action.code_sha256)
        case Publish():
            published, warnings = _publish(run, job, cloud, action)
            return replace(
                result,
                status=Status.UNCHANGED if published.found else Status.PUBLISHED,
                version=published.version,
                code_sha256=published.details.code_sha256,
                warnings=warnings,
            )
        case Allow():
            assert result.version, "grants follow the version they are for"
            cloud.allow(job.artifact.name, result.version.number, action.grant)
        case Remove():
            cloud.remove(job.artifact.name, action.version.number)
        case Discard(leftover=left):
            return replace(result, warnings=discarded(cloud, left.bucket, left.key, left.object_version))
        case _:
            assert_never(action)
    return result


def _tell(progress: Progress, job: PublishJob, result: Result) -> None:
    which = f"{result.region}: {result.name}"
    if result.error:
        progress.warn(f"{which}: {result.error}")
    else:
        assert result.version
        progress.say("; ".join([f"{which} version {result.version.number} {result.status}", *besides(job)]))
    for warning in result.warnings:
        progress.warn(f"{which}: {warning}")


def _publish(
    run: Publication, job: PublishJob, cloud: LambdaRegion, action: Publish
) -> tuple[NewVersion, tuple[str, ...]]:
    """Makes the new version. Returns it, and what else is worth a warning."""
    warnings: tuple[str, ...] = ()
    try:
        if action.location is None:
            published = exactly_once(run, job, cloud, action.storage, lambda: direct(run, job.artifact, cloud))
        else:
            published, warnings = through_bucket(run, job, cloud, action.location, action.storage)
    except OSError as error:
        raise PublishError(f"{job.artifact.path} cannot be read: {error.strerror or error}", hint=AGAIN) from error
    if published.details.code_sha256 not in {"", job.artifact.code_sha256}:
        raise PublishError(
            f"version {published.version.number} holds other bytes than {job.artifact.path} had at first",
            hint=f"was the file written while it was uploaded? {AGAIN}",
        )
    return published, warnings
