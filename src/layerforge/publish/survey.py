"""Looks at every Region with calls that change nothing, and plans."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future, wait

from layerforge.core.errors import LayerforgeError
from layerforge.publish.artifact import Artifact, S3Location, Storage
from layerforge.publish.aws_errors import unexpected
from layerforge.publish.cloud import AGAIN, AccountLimits, LambdaRegion, Leftover
from layerforge.publish.errors import PublishError
from layerforge.publish.plan import PublishJob, PublishOptions, Refuse, Seen, is_wanted, location_for, plan
from layerforge.publish.threads import side_by_side

LIMIT = 30.0
"""Seconds that a Region has for being looked at. The others do not wait longer for it."""


def survey(
    clouds: Sequence[LambdaRegion], artifacts: Sequence[Artifact], options: PublishOptions, limit: float = LIMIT
) -> tuple[PublishJob, ...]:
    """The publish plan: what is to be done with each layer in each Region.

    A Region that cannot be read, or not within ``limit`` seconds, gets a plan that says so. Raises ``UsageError`` where
    a layer needs a bucket and none is named.
    """

    def region(cloud: LambdaRegion) -> list[PublishJob]:
        return list(_jobs(cloud, artifacts, options))

    futures = side_by_side(region, clouds)
    wait(futures, limit)
    planned = [_planned(cloud, future, artifacts, limit) for cloud, future in zip(clouds, futures, strict=True)]
    return tuple(job for jobs in planned for job in jobs)


def _planned(
    cloud: LambdaRegion, future: Future[list[PublishJob]], artifacts: Sequence[Artifact], limit: float
) -> list[PublishJob]:
    if not future.done():
        return _refused(cloud, artifacts, f"{cloud.region} did not answer within {limit:.0f} seconds", AGAIN)
    return future.result()


def _refused(cloud: LambdaRegion, artifacts: Sequence[Artifact], message: str, hint: str) -> list[PublishJob]:
    refuse = Refuse(message=message, hint=hint)
    return [
        PublishJob(region=cloud.region, artifact=one, seen=Seen(region=cloud.region), actions=(refuse,))
        for one in artifacts
    ]


def _jobs(cloud: LambdaRegion, artifacts: Sequence[Artifact], options: PublishOptions) -> Iterable[PublishJob]:
    try:
        limits = cloud.limits()
    except Exception as error:
        told = error if isinstance(error, PublishError) else unexpected(error)
        yield from _refused(cloud, artifacts, told.message, told.hint)
        return
    for artifact in artifacts:
        yield _job(cloud, artifact, options, limits)


def _job(cloud: LambdaRegion, artifact: Artifact, options: PublishOptions, limits: AccountLimits) -> PublishJob:
    seen = Seen(region=cloud.region, limits=limits)
    try:
        seen = look(cloud, artifact, options, limits)
        actions = plan(artifact, seen, options)
    except PublishError as error:
        actions = (Refuse(message=error.message, hint=error.hint),)
    except LayerforgeError:
        raise
    except Exception as error:
        # Whatever is wrong here, it is no reason to leave the other Regions alone.
        told = unexpected(error)
        actions = (Refuse(message=told.message, hint=told.hint),)
    return PublishJob(region=cloud.region, artifact=artifact, seen=seen, actions=actions)


def look(cloud: LambdaRegion, artifact: Artifact, options: PublishOptions, limits: AccountLimits) -> Seen:
    """What is there of one layer in one Region."""
    name = artifact.name
    versions = cloud.versions(artifact, every=options.keep is not None)
    newest = cloud.details(name, versions[0].number) if versions else None
    wanted = newest is not None and is_wanted(newest, artifact, options.storage)
    statements = cloud.statements(name, versions[0].number) if wanted and options.grants else frozenset()
    location = None if wanted else location_for(artifact, cloud.region, limits.zipped, options)
    bucket = None
    if location is not None:
        reference = options.storage is Storage.REFERENCE
        bucket = cloud.bucket(location.bucket_in(cloud.region), location.key(artifact), reference=reference)
    return Seen(
        region=cloud.region,
        limits=limits,
        versions=versions,
        newest=newest,
        statements=statements,
        bucket=bucket,
        leftover=_leftover(cloud, artifact, options.location, limits) if wanted else None,
    )


def _leftover(
    cloud: LambdaRegion, artifact: Artifact, location: S3Location | None, limits: AccountLimits
) -> Leftover | None:
    """What an earlier run left in the bucket, whose version is there: killed, or with an answer that got lost.

    Nobody needs an object of that name any more: it is for these bytes, runtimes and processors alone.
    """
    if location is None or location.keep or artifact.zipped <= limits.zipped:
        return None
    bucket, key = location.bucket_in(cloud.region), location.key(artifact)
    try:
        there = cloud.find_object(bucket, key, artifact)
    except PublishError:
        return None  # it is a matter of tidiness only
    return None if there is None else Leftover(bucket=bucket, key=key, object_version=there)
