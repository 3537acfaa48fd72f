"""One layer version, exactly once: what is done where an answer was lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from layerforge.core.text import counted
from layerforge.publish.artifact import Details, LayerVersion, Storage
from layerforge.publish.cloud import LambdaRegion, LostError, UncertainError
from layerforge.publish.errors import PublishError
from layerforge.publish.plan import PublishJob, is_wanted
from layerforge.publish.run import LOOKS, PATIENCE, NewVersion, Publication


def exactly_once(
    run: Publication,
    job: PublishJob,
    cloud: LambdaRegion,
    storage: Storage,
    make: Callable[[], tuple[LayerVersion, Details]],
) -> NewVersion:
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
            return NewVersion(version=version, details=details)
        except UncertainError as error:
            last = error
        for _ in range(LOOKS if isinstance(last, LostError) else 1):
            run.pause(seconds)
            if found := _appeared(job, cloud, storage):
                return found
            if run.clock() - began > PATIENCE:
                raise given_up(last, tries) from last
    assert last
    raise given_up(last, len(run.pauses)) from last


def given_up(last: PublishError, tries: int) -> PublishError:
    """The last error, with how often it was tried."""
    return PublishError(f"{last.message} ({counted(tries, 'time')})", hint=last.hint)


def _appeared(job: PublishJob, cloud: LambdaRegion, storage: Storage) -> NewVersion | None:
    """The wanted version, where it has come since the plan was made. Numbers only grow."""
    newest = max((version.number for version in job.seen.versions), default=0)
    for version in cloud.versions(job.artifact, every=False):
        if version.number > newest:
            details = cloud.details(job.artifact.name, version.number)
            if is_wanted(details, job.artifact, storage):
                return NewVersion(version=version, details=details)
    return None
