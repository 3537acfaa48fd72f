"""Looks at every Region with calls that change nothing, and plans."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from layerforge.errors import PublishError
from layerforge.publish.facts import Artifact, Cloud, Job, Limits, Refuse, Seen, Storage, Wishes
from layerforge.publish.planning import is_wanted, plan, shelf_for
from layerforge.publish.threads import side_by_side


def survey(clouds: Sequence[Cloud], artifacts: Sequence[Artifact], wishes: Wishes) -> tuple[Job, ...]:
    """The publish plan: what is to be done with each layer in each Region.

    A Region that cannot be read gets a plan that says so. Raises ``UsageError`` where a layer needs a bucket and
    none is named.
    """

    def region(cloud: Cloud) -> list[Job]:
        return list(_jobs(cloud, artifacts, wishes))

    return tuple(job for future in side_by_side(region, clouds) for job in future.result())


def _jobs(cloud: Cloud, artifacts: Sequence[Artifact], wishes: Wishes) -> Iterable[Job]:
    try:
        limits = cloud.limits()
    except PublishError as error:
        limits, refused = Limits(), Refuse(message=error.message, hint=error.hint)
        for artifact in artifacts:
            yield Job(region=cloud.region, artifact=artifact, seen=Seen(region=cloud.region), actions=(refused,))
        return
    for artifact in artifacts:
        yield _job(cloud, artifact, wishes, limits)


def _job(cloud: Cloud, artifact: Artifact, wishes: Wishes, limits: Limits) -> Job:
    seen = Seen(region=cloud.region, limits=limits)
    try:
        seen = look(cloud, artifact, wishes, limits)
        actions = plan(artifact, seen, wishes)
    except PublishError as error:
        actions = (Refuse(message=error.message, hint=error.hint),)
    return Job(region=cloud.region, artifact=artifact, seen=seen, actions=actions)


def look(cloud: Cloud, artifact: Artifact, wishes: Wishes, limits: Limits) -> Seen:
    """What is there of one layer in one Region."""
    name = artifact.name
    versions = cloud.versions(name)
    newest = cloud.details(name, versions[0].number) if versions else None
    wanted = newest is not None and is_wanted(newest, artifact)
    statements = cloud.statements(name, versions[0].number) if wanted and wishes.grants else frozenset()
    shelf = None if wanted else shelf_for(artifact, cloud.region, limits.zipped, wishes)
    bucket = None
    if shelf is not None:
        reference = wishes.storage is Storage.REFERENCE
        bucket = cloud.bucket(shelf.bucket_in(cloud.region), shelf.key(artifact), reference=reference)
    return Seen(
        region=cloud.region, limits=limits, versions=versions, newest=newest, statements=statements, bucket=bucket
    )
