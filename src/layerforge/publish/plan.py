"""The publish plan: from what is wanted and what is there to what is to be done, as data. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from layerforge.core.errors import UsageError
from layerforge.core.text import megabytes
from layerforge.publish.artifact import Artifact, Details, Grant, LayerVersion, S3Location, Storage
from layerforge.publish.cloud import AccountLimits, Bucket, Leftover


@dataclass(frozen=True, kw_only=True)
class PublishOptions:
    """What the user wants of every layer in every Region."""

    grants: tuple[Grant, ...] = ()
    keep: int | None = None
    """How many versions stay, the newest included; ``None`` removes none."""
    foreign: bool = False
    """Whether versions that layerforge did not publish count among them, and may be removed."""
    location: S3Location | None = None
    storage: Storage = Storage.COPY


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What read-only calls found of one layer in one Region."""

    region: str
    limits: AccountLimits = field(default_factory=AccountLimits)
    versions: tuple[LayerVersion, ...] = ()
    """Those for the layer's runtimes and processors, newest first; older ones only where they are to go."""
    newest: Details | None = None
    """Of the first of ``versions``."""
    statements: frozenset[str] = frozenset()
    """Ids in the policy of the newest version, where that may be the one that is wanted."""
    bucket: Bucket | None = None
    """``None`` where none was looked at."""
    leftover: Leftover | None = None
    """What an earlier run left in the bucket."""


@dataclass(frozen=True, kw_only=True)
class Publish:
    """Make a new version."""

    location: S3Location | None
    """``None`` for a direct upload."""
    storage: Storage = Storage.COPY


@dataclass(frozen=True, kw_only=True)
class Unchanged:
    """The newest version is the wanted one."""

    version: LayerVersion
    code_sha256: str


@dataclass(frozen=True, kw_only=True)
class Allow:
    """Let somebody use the version."""

    grant: Grant


@dataclass(frozen=True, kw_only=True)
class Remove:
    """Delete an older version."""

    version: LayerVersion


@dataclass(frozen=True, kw_only=True)
class Discard:
    """Remove what an earlier run left in the bucket."""

    leftover: Leftover


@dataclass(frozen=True, kw_only=True)
class Refuse:
    """Nothing can be done here."""

    message: str
    hint: str


Action = Publish | Unchanged | Allow | Remove | Discard | Refuse


@dataclass(frozen=True, kw_only=True)
class PublishJob:
    """One layer in one Region: what was seen there, and what is to be done, in this order."""

    region: str
    artifact: Artifact
    seen: Seen
    actions: tuple[Action, ...]

    @property
    def publishes(self) -> bool:
        """Whether a new version is to be made."""
        return any(isinstance(action, Publish) for action in self.actions)


_PARTITIONS = (
    *(("cn-", "aws-cn"), ("us-gov-", "aws-us-gov"), ("eusc-", "aws-eusc")),
    *(("us-iso-", "aws-iso"), ("us-isob-", "aws-iso-b"), ("eu-isoe-", "aws-iso-e"), ("us-isof-", "aws-iso-f")),
)
"""How names of Regions begin, and whose they are."""


def plan(artifact: Artifact, seen: Seen, options: PublishOptions) -> tuple[Action, ...]:
    """What is to be done with a layer in one Region, in order.

    Raises ``UsageError`` where the layer has to go through a bucket and none is given.
    """
    current = seen.versions[0] if seen.newest and is_wanted(seen.newest, artifact, options.storage) else None
    if current is not None:
        first: Action = Unchanged(version=current, code_sha256=artifact.code_sha256)
        missing = (grant for grant in options.grants if grant.statement not in seen.statements)
    else:
        location = location_for(artifact, seen.region, seen.limits.zipped, options)
        if refused := tuple(refusals(artifact, seen, location, options.storage)):
            return (_joined(refused),)
        first = Publish(location=location, storage=options.storage)
        missing = (grant for grant in options.grants)
    old = (Remove(version=version) for version in superfluous(seen, options, new=current is None))
    left = (Discard(leftover=seen.leftover),) if seen.leftover else ()
    return (first, *(Allow(grant=grant) for grant in missing), *old, *left)


def is_wanted(details: Details, artifact: Artifact, storage: Storage) -> bool:
    """Whether a version is what would be published: the same bytes for the same runtimes and processors, kept alike."""
    kept_alike = details.reference == (storage is Storage.REFERENCE)
    return details.code_sha256 == artifact.code_sha256 and artifact.is_for(details) and kept_alike


def location_for(artifact: Artifact, region: str, most: int, options: PublishOptions) -> S3Location | None:
    """The bucket that the zip goes through; ``None`` for a direct upload of at most ``most`` bytes."""
    if artifact.zipped <= most and options.storage is Storage.COPY:
        return None
    if options.location is None:
        why = (
            f"Lambda takes {most:,} bytes without a bucket in {region}"
            if options.storage is Storage.COPY
            else "--storage reference leaves the code in a bucket of yours"
        )
        raise UsageError(
            f"{artifact.path} ({artifact.zipped:,} bytes) needs a bucket: {why}",
            hint="name one with --bucket; {region} in its name stands for the Region. Nothing was changed",
        )
    return replace(options.location, keep=options.location.keep or options.storage is Storage.REFERENCE)


def _joined(refused: tuple[Refuse, ...]) -> Refuse:
    """Everything that is in the way, at once."""
    return Refuse(message="; ".join(one.message for one in refused), hint="; ".join(one.hint for one in refused))


def refusals(artifact: Artifact, seen: Seen, location: S3Location | None, storage: Storage) -> Iterator[Refuse]:
    """Why nothing can be published here."""
    if artifact.unzipped > seen.limits.unzipped:
        yield Refuse(
            message=f"{artifact.unzipped:,} bytes unzipped are more than the {seen.limits.unzipped:,} of this account",
            hint="`layerforge inspect` shows what takes the room",
        )
    if storage is Storage.COPY and seen.limits.left is not None and seen.limits.left < artifact.zipped:
        yield Refuse(
            message=f"the account has {megabytes(max(0, seen.limits.left))} of code storage left in {seen.region}",
            hint="delete old versions of functions and layers, ask AWS for a higher quota, or use --storage reference",
        )
    if location and storage is Storage.REFERENCE:
        yield from _unfit(location, artifact, seen.region, seen.bucket or Bucket())


def _unfit(location: S3Location, artifact: Artifact, region: str, bucket: Bucket) -> Iterator[Refuse]:
    """What a bucket lacks for Lambda to run code from it."""
    name = location.bucket_in(region)
    if bucket.versioned is False:
        yield Refuse(
            message=f"the bucket {name} keeps no versions, and Lambda runs code from versioned buckets only",
            hint=f"aws s3api put-bucket-versioning --bucket {name} --versioning-configuration Status=Enabled",
        )
    if bucket.readable is False:
        policy = json.dumps(statement(name, location.key(artifact).rpartition("/")[0], region))
        yield Refuse(
            message=f"the policy of the bucket {name} does not let Lambda read this layer",
            hint=f"add this statement to the bucket's policy: {policy}",
        )


def partition(region: str) -> str:
    """The part of AWS that a Region belongs to."""
    return next((name for start, name in _PARTITIONS if region.startswith(start)), "aws")


def statement(bucket: str, folder: str, region: str) -> dict[str, object]:
    """What a bucket's policy has to say for Lambda to run code from a folder in it."""
    return {
        "Sid": "LayerforgeLambdaReads",
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": ["s3:GetObject", "s3:GetObjectVersion"],
        "Resource": f"arn:{partition(region)}:s3:::{bucket}/{folder}/*",
    }


def superfluous(seen: Seen, options: PublishOptions, *, new: bool) -> tuple[LayerVersion, ...]:
    """Versions beyond those that stay. What layerforge did not publish neither counts nor goes unless that is asked.

    Versions for another runtime or processor were not even looked at.
    """
    if options.keep is None:
        return ()
    counted = [version for version in seen.versions if version.own or options.foreign]
    if not new and seen.versions[0] not in counted:
        counted.insert(0, seen.versions[0])
    return tuple(counted[max(1, options.keep) - new :])
