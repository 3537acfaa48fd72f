"""Carries a publish plan out: Regions side by side, the layers of one Region in turn."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import assert_never

from layerforge.errors import PublishError
from layerforge.model import Progress, Step
from layerforge.progress import counted
from layerforge.publish import showing
from layerforge.publish.facts import (
    AGAIN,
    Action,
    Allow,
    Artifact,
    Cloud,
    Details,
    Discard,
    Job,
    LostError,
    Publish,
    Refuse,
    Remove,
    Result,
    Shelf,
    Status,
    Storage,
    UncertainError,
    Unchanged,
    Version,
)
from layerforge.publish.failures import unexpected
from layerforge.publish.planning import is_wanted
from layerforge.publish.threads import side_by_side

PAUSES = (1.0, 2.0, 4.0, 8.0, 8.0)
"""Seconds to wait after each failed try to make a version, before looking whether it was made in spite of that."""

LOOKS = 8
"""How often to wait and look after an answer that got lost: Lambda may still be unpacking what it was sent."""

PATIENCE = 600.0
"""Seconds after which nothing is tried once more in a Region."""

LIMIT = 3600.0
"""Seconds after which a Region is given up whatever it is at, such as an answer that comes byte by byte."""

GRACE = 10.0
"""Seconds that an interrupted run waits for its threads to clean up."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """The version that was to be made."""

    version: Version
    details: Details
    found: bool = False
    """Whether somebody else made it before this run asked for it."""


class Stopped(Exception):  # noqa: N818 - nothing went wrong
    """The user interrupted the run."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What the threads of one run share."""

    progress: Progress
    step: Step
    stop: threading.Event
    pauses: tuple[float, ...]
    clock: Callable[[], float] = time.monotonic
    """Seconds."""

    def pause(self, seconds: float) -> None:
        """Waits. Raises ``Stopped`` where the user interrupts."""
        if self.stop.wait(seconds):
            raise Stopped

    def sent(self, amount: int) -> None:
        """Counts uploaded bytes. Raises ``Stopped`` where the user interrupts."""
        if self.stop.is_set():
            raise Stopped
        self.step.advance(amount)


def carry_out(
    jobs: Sequence[Job],
    clouds: Sequence[Cloud],
    progress: Progress,
    pauses: tuple[float, ...] = PAUSES,
    limit: float = LIMIT,
) -> tuple[Result, ...]:
    """Does what is to be done, within ``limit`` seconds. A Region where something fails does not hold up the others."""
    with progress.step("publish") as step:
        uploads = [job.artifact.zipped for job in jobs if job.publishes]
        if uploads:
            step.expect(sum(uploads))
        run = Run(progress=progress, step=step, stop=threading.Event(), pauses=pauses)
        results = _all(run, jobs, clouds, limit)
        step.note(summary(results))
    return results


def summary(results: Sequence[Result]) -> str:
    """Such as ``5 published, 1 failed``."""
    counts = ((status, sum(one.status is status for one in results)) for status in Status)
    return ", ".join(f"{number} {status}" for status, number in counts if number)


def _all(run: Run, jobs: Sequence[Job], clouds: Sequence[Cloud], limit: float) -> tuple[Result, ...]:
    done: dict[str, list[Result]] = {cloud.region: [] for cloud in clouds}

    def region(cloud: Cloud) -> None:
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


def _whole(done: Sequence[Result], cloud: Cloud, jobs: Sequence[Job], limit: float) -> list[Result]:
    """What a Region did, and that the rest of it took too long."""
    ours = [job for job in jobs if job.region == cloud.region]
    late = PublishError(f"{cloud.region} was not done within {limit:,.0f} seconds", hint=AGAIN)
    got = list(done)  # a thread that is late may still add to it
    return got + [_failed(_nothing_yet(job), late) for job in ours[len(got) :]]


def _nothing_yet(job: Job) -> Result:
    wanted = job.artifact
    return Result(
        region=job.region,
        name=wanted.name,
        status=Status.FAILED,
        runtimes=wanted.runtimes,
        architectures=wanted.architectures,
    )


def _failed(result: Result, error: PublishError) -> Result:
    there = f"version {result.version.number} is there, but " if result.version else ""
    return replace(result, status=Status.FAILED, error=there + error.message, hint=error.hint)


def perform(run: Run, job: Job, cloud: Cloud) -> Result:
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


def _do(run: Run, job: Job, cloud: Cloud, action: Action, result: Result) -> Result:
    match action:
        case Refuse():
            raise PublishError(action.message, hint=action.hint)
        case Unchanged():
            return replace(result, status=Status.UNCHANGED, version=action.version, code_sha256=action.code_sha256)
        case Publish():
            made, warnings = _publish(run, job, cloud, action)
            return replace(
                result,
                status=Status.UNCHANGED if made.found else Status.PUBLISHED,
                version=made.version,
                code_sha256=made.details.code_sha256,
                warnings=warnings,
            )
        case Allow():
            assert result.version, "grants follow the version they are for"
            cloud.allow(job.artifact.name, result.version.number, action.grant)
        case Remove():
            cloud.remove(job.artifact.name, action.version.number)
        case Discard(leftover=left):
            return replace(result, warnings=_discarded(cloud, left.bucket, left.key, left.object_version))
        case _:
            assert_never(action)
    return result


def _tell(progress: Progress, job: Job, result: Result) -> None:
    which = f"{result.region}: {result.name}"
    if result.error:
        progress.warn(f"{which}: {result.error}")
    else:
        assert result.version
        progress.say("; ".join([f"{which} version {result.version.number} {result.status}", *showing.besides(job)]))
    for warning in result.warnings:
        progress.warn(f"{which}: {warning}")


def _publish(run: Run, job: Job, cloud: Cloud, action: Publish) -> tuple[Made, tuple[str, ...]]:
    """Makes the new version. Returns it, and what else is worth a warning."""
    warnings: tuple[str, ...] = ()
    try:
        if action.shelf is None:
            made = exactly_once(run, job, cloud, action.storage, lambda: _direct(run, job.artifact, cloud))
        else:
            made, warnings = _through_bucket(run, job, cloud, action.shelf, action.storage)
    except OSError as error:
        raise PublishError(f"{job.artifact.path} cannot be read: {error.strerror or error}", hint=AGAIN) from error
    if made.details.code_sha256 not in {"", job.artifact.code_sha256}:
        raise PublishError(
            f"version {made.version.number} holds other bytes than {job.artifact.path} had at first",
            hint=f"was the file written while it was uploaded? {AGAIN}",
        )
    return made, warnings


@dataclass(kw_only=True)
class _Outgoing:
    """Bytes of one request that went out."""

    run: Run
    count: int = 0

    def __call__(self, amount: int) -> None:
        self.run.sent(amount)
        self.count += amount


@contextmanager
def _outgoing(run: Run) -> Iterator[_Outgoing]:
    """Counts the bytes of a request, which are taken back from the progress where it fails."""
    sent = _Outgoing(run=run)
    try:
        yield sent
    except PublishError:
        run.step.advance(-sent.count)
        raise


def _direct(run: Run, artifact: Artifact, cloud: Cloud) -> tuple[Version, Details]:
    with _outgoing(run) as sent:
        try:
            return cloud.publish_bytes(artifact, sent)
        except LostError as error:
            if sent.count < artifact.zipped:
                # Of a request that did not arrive whole, nothing can come.
                raise UncertainError(error.message, hint=error.hint) from error
            raise


def _through_bucket(run: Run, job: Job, cloud: Cloud, shelf: Shelf, storage: Storage) -> tuple[Made, tuple[str, ...]]:
    artifact, bucket, key = job.artifact, shelf.bucket_in(job.region), shelf.key(job.artifact)
    object_version = _shelved(run, cloud, bucket, key, artifact)
    warnings: tuple[str, ...] = ()
    try:
        made = exactly_once(
            run, job, cloud, storage, lambda: cloud.publish_object(artifact, bucket, key, object_version, storage)
        )
    finally:
        if not shelf.keep:
            warnings = _discarded(cloud, bucket, key, object_version)
    return made, warnings


def _shelved(run: Run, cloud: Cloud, bucket: str, key: str, artifact: Artifact) -> str:
    """Sees to it that the zip is in the bucket. Returns the object's version.

    After a try that failed it is looked whether the object is there all the same.
    """
    last: UncertainError | None = None
    for seconds in run.pauses:
        there = cloud.find_object(bucket, key, artifact)
        if there is not None:
            run.sent(artifact.zipped)
            return there
        try:
            with _outgoing(run) as sent:
                return cloud.put_object(bucket, key, artifact, sent)
        except UncertainError as error:
            last = error
            run.pause(seconds)
    assert last
    raise _given_up(last, len(run.pauses)) from last


def _discarded(cloud: Cloud, bucket: str, key: str, object_version: str) -> tuple[str, ...]:
    """Removes what was uploaded. The layer does not depend on it, so failing to is worth a warning only."""
    try:
        cloud.delete_object(bucket, key, object_version)
    except PublishError as error:
        return (f"s3://{bucket}/{key} stays behind, the next run clears it away: {error.message}",)
    return ()


def exactly_once(
    run: Run, job: Job, cloud: Cloud, storage: Storage, make: Callable[[], tuple[Version, Details]]
) -> Made:
    """Makes a version and tries again where that fails, but never makes two.

    Lambda makes a new version for every request that reaches it, so before each try, and before giving up, the versions
    that have appeared are looked at: one of them may be that of somebody who planned the same at the same moment, or
    that of a try whose answer was lost.
    """
    began, last = run.clock(), None
    for tries, seconds in enumerate(run.pauses, 1):
        if found := _appeared(job, cloud, storage):
            return replace(found, found=last is None)
        try:
            version, details = make()
            return Made(version=version, details=details)
        except UncertainError as error:
            last = error
        for _ in range(LOOKS if isinstance(last, LostError) else 1):
            run.pause(seconds)
            if found := _appeared(job, cloud, storage):
                return found
            if run.clock() - began > PATIENCE:
                raise _given_up(last, tries) from last
    assert last
    raise _given_up(last, len(run.pauses)) from last


def _given_up(last: PublishError, tries: int) -> PublishError:
    return PublishError(f"{last.message} ({counted(tries, 'time')})", hint=last.hint)


def _appeared(job: Job, cloud: Cloud, storage: Storage) -> Made | None:
    """The wanted version, where it has come since the plan was made. Numbers only grow."""
    newest = max((version.number for version in job.seen.versions), default=0)
    for version in cloud.versions(job.artifact, every=False):
        if version.number > newest:
            details = cloud.details(job.artifact.name, version.number)
            if is_wanted(details, job.artifact, storage):
                return Made(version=version, details=details)
    return None
