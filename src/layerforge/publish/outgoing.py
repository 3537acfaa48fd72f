"""How a zip comes to Lambda: with the request, or through a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from layerforge.publish.artifact import Artifact, Details, LayerVersion, S3Location, Storage
from layerforge.publish.cloud import LambdaRegion, LostError, UncertainError
from layerforge.publish.errors import PublishError
from layerforge.publish.once import exactly_once, given_up
from layerforge.publish.plan import PublishJob
from layerforge.publish.run import NewVersion, Publication


@dataclass(kw_only=True)
class _Outgoing:
    """Bytes of one request that went out."""

    run: Publication
    count: int = 0

    def __call__(self, amount: int) -> None:
        self.run.sent(amount)
        self.count += amount


@contextmanager
def _outgoing(run: Publication) -> Iterator[_Outgoing]:
    """Counts the bytes of a request, which are taken back from the progress where it fails."""
    sent = _Outgoing(run=run)
    try:
        yield sent
    except PublishError:
        run.step.advance(-sent.count)
        raise


def direct(run: Publication, artifact: Artifact, cloud: LambdaRegion) -> tuple[LayerVersion, Details]:
    """Publishes with the bytes in the request itself."""
    with _outgoing(run) as sent:
        try:
            return cloud.publish_bytes(artifact, sent)
        except LostError as error:
            if sent.count < artifact.zipped:
                # Of a request that did not arrive whole, nothing can come.
                raise UncertainError(error.message, hint=error.hint) from error
            raise


def through_bucket(
    run: Publication, job: PublishJob, cloud: LambdaRegion, location: S3Location, storage: Storage
) -> tuple[NewVersion, tuple[str, ...]]:
    """Publishes by way of an object in the Region."""
    artifact, bucket, key = job.artifact, location.bucket_in(job.region), location.key(job.artifact)
    object_version = _object_version(run, cloud, bucket, key, artifact)
    warnings: tuple[str, ...] = ()
    try:
        published = exactly_once(
            run, job, cloud, storage, lambda: cloud.publish_object(artifact, bucket, key, object_version, storage)
        )
    finally:
        if not location.keep:
            warnings = discarded(cloud, bucket, key, object_version)
    return published, warnings


def _object_version(run: Publication, cloud: LambdaRegion, bucket: str, key: str, artifact: Artifact) -> str:
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
    raise given_up(last, len(run.pauses)) from last


def discarded(cloud: LambdaRegion, bucket: str, key: str, object_version: str) -> tuple[str, ...]:
    """Removes what was uploaded. The layer does not depend on it, so failing to is worth a warning only."""
    try:
        cloud.delete_object(bucket, key, object_version)
    except PublishError as error:
        return (f"s3://{bucket}/{key} stays behind, the next run clears it away: {error.message}",)
    return ()
