from __future__ import annotations

import json
from dataclasses import replace

import boto3
import pytest

from layerforge.core.errors import UsageError
from layerforge.core.limits import DIRECT_UPLOAD_LIMIT
from layerforge.publish.artifact import PUBLIC, Artifact, S3Location, Storage, grants
from layerforge.publish.cloud import AccountLimits, Bucket
from layerforge.publish.plan import Allow, Publish, PublishOptions, Refuse, Remove, Seen, Unchanged, partition, plan
from unit.publish.fake_cloud import MARK, a_version, an_artifact, its_details

ARTIFACT = an_artifact()
OWN = f"older {MARK}"


def seen(*descriptions: str, wanted: Artifact | None = None, **facts: object) -> Seen:
    """A Region with versions of these descriptions, the last the newest, which holds ``wanted``."""
    versions = tuple(reversed([a_version(number, text) for number, text in enumerate(descriptions, 1)]))
    newest = its_details(wanted or an_artifact("ff" * 32)) if versions else None
    return replace(Seen(region="us-east-1", versions=versions, newest=newest), **facts)  # type: ignore[arg-type]


def removed(*actions: object) -> list[int]:
    return [action.version.number for action in actions if isinstance(action, Remove)]


def test_a_new_layer_is_published() -> None:
    assert plan(ARTIFACT, seen(), PublishOptions()) == (Publish(location=None),)


def test_the_same_bytes_as_the_newest_version_are_not_published_again() -> None:
    there = seen("a", "b", wanted=ARTIFACT)
    assert plan(ARTIFACT, there, PublishOptions()) == (
        Unchanged(version=there.versions[0], code_sha256=ARTIFACT.code_sha256),
    )


@pytest.mark.parametrize("other", [{"runtimes": ("python3.12",)}, {"architectures": ("arm64",)}])
def test_the_same_bytes_for_another_runtime_are_another_version(other: dict[str, tuple[str, ...]]) -> None:
    there = seen("a", wanted=replace(ARTIFACT, **other))  # type: ignore[arg-type]
    assert plan(ARTIFACT, there, PublishOptions())[0] == Publish(location=None)


def test_code_that_is_to_stay_in_the_bucket_is_another_version_than_a_copy() -> None:
    location = S3Location(bucket="mine")
    ready = seen("a", wanted=ARTIFACT, bucket=Bucket(versioned=True, readable=True))
    reference = PublishOptions(location=location, storage=Storage.REFERENCE)
    assert isinstance(plan(ARTIFACT, ready, reference)[0], Publish)
    there = replace(ready, newest=its_details(ARTIFACT, Storage.REFERENCE))
    assert isinstance(plan(ARTIFACT, there, reference)[0], Unchanged)
    assert isinstance(plan(ARTIFACT, there, PublishOptions())[0], Publish)


def test_grants_follow_a_new_version() -> None:
    made = grants(public=True, organizations=("o-a1b2c3d4e5",), accounts=("123456789012",))
    actions = plan(ARTIFACT, seen(), PublishOptions(grants=made))
    assert actions == (Publish(location=None), *(Allow(grant=grant) for grant in made))


def test_only_missing_grants_are_made() -> None:
    made = grants(public=True, organizations=(), accounts=("123456789012",))
    there = seen("a", wanted=ARTIFACT, statements=frozenset({PUBLIC.statement}))
    assert plan(ARTIFACT, there, PublishOptions(grants=made))[1:] == (Allow(grant=made[1]),)


def test_old_versions_go_after_the_new_one_is_there() -> None:
    actions = plan(ARTIFACT, seen(OWN, OWN, OWN), PublishOptions(keep=2))
    assert isinstance(actions[0], Publish)
    assert removed(*actions[1:]) == [2, 1]


def test_versions_of_others_stay_and_do_not_count() -> None:
    actions = plan(ARTIFACT, seen("theirs", OWN, "theirs", OWN), PublishOptions(keep=2))
    assert removed(*actions) == [2]


def test_versions_of_others_count_where_that_is_asked_for() -> None:
    actions = plan(ARTIFACT, seen("theirs", OWN, "theirs", OWN), PublishOptions(keep=2, foreign=True))
    assert removed(*actions) == [3, 2, 1]


def test_an_unchanged_version_counts_as_the_newest_of_those_that_stay() -> None:
    assert removed(*plan(ARTIFACT, seen(OWN, OWN, OWN, wanted=ARTIFACT), PublishOptions(keep=1))) == [2, 1]
    assert removed(*plan(ARTIFACT, seen(OWN, "theirs", wanted=ARTIFACT), PublishOptions(keep=1))) == [1]


def test_nothing_is_removed_unless_that_is_asked_for() -> None:
    assert removed(*plan(ARTIFACT, seen(*[OWN] * 9), PublishOptions())) == []


def test_a_zip_of_exactly_the_limit_needs_no_bucket() -> None:
    assert plan(an_artifact(zipped=DIRECT_UPLOAD_LIMIT), seen(), PublishOptions()) == (Publish(location=None),)


def test_a_larger_zip_goes_through_the_bucket() -> None:
    location = S3Location(bucket="mine-{region}", prefix="layers/")
    artifact = an_artifact(zipped=DIRECT_UPLOAD_LIMIT + 1)
    assert plan(artifact, seen(), PublishOptions(location=location)) == (Publish(location=location),)
    assert location.bucket_in("us-east-1") == "mine-us-east-1"
    assert location.key(artifact) == f"layers/layer/{artifact.sha256}.python3.13-x86_64.upload.zip"
    assert replace(location, keep=True).key(artifact) == f"layers/layer/{artifact.sha256}.zip"


def test_a_larger_zip_without_a_bucket_is_refused() -> None:
    with pytest.raises(UsageError, match="needs a bucket") as caught:
        plan(an_artifact(zipped=DIRECT_UPLOAD_LIMIT + 1), seen(), PublishOptions())
    assert "--bucket" in caught.value.hint


def test_a_larger_zip_that_is_there_already_needs_no_bucket() -> None:
    artifact = an_artifact(zipped=DIRECT_UPLOAD_LIMIT + 1)
    assert isinstance(plan(artifact, seen("a", wanted=artifact), PublishOptions())[0], Unchanged)


def test_the_limits_of_the_account_count() -> None:
    small = AccountLimits(zipped=999)
    with pytest.raises(UsageError, match="999 bytes"):
        plan(ARTIFACT, seen(limits=small), PublishOptions())
    tight = plan(ARTIFACT, seen(limits=AccountLimits(unzipped=1999)), PublishOptions())
    assert isinstance(tight[0], Refuse)
    assert "1,999" in tight[0].message


def test_a_full_account_is_told_of_before_the_upload() -> None:
    (only,) = plan(ARTIFACT, seen(limits=AccountLimits(left=999)), PublishOptions(grants=(PUBLIC,), keep=1))
    assert isinstance(only, Refuse)
    assert "code storage" in only.message


def test_a_full_account_can_still_run_from_a_bucket() -> None:
    options = PublishOptions(location=S3Location(bucket="mine"), storage=Storage.REFERENCE)
    there = seen(limits=AccountLimits(left=0), bucket=Bucket(versioned=True, readable=True))
    assert isinstance(plan(ARTIFACT, there, options)[0], Publish)


def test_running_from_a_bucket_needs_one() -> None:
    with pytest.raises(UsageError, match="bucket of yours"):
        plan(ARTIFACT, seen(), PublishOptions(storage=Storage.REFERENCE))


def test_a_bucket_without_versions_is_explained() -> None:
    options = PublishOptions(location=S3Location(bucket="mine"), storage=Storage.REFERENCE)
    (only,) = plan(ARTIFACT, seen(bucket=Bucket(versioned=False, readable=True)), options)
    assert isinstance(only, Refuse)
    assert "put-bucket-versioning --bucket mine " in only.hint


def test_everything_that_a_bucket_lacks_is_told_at_once() -> None:
    options = PublishOptions(location=S3Location(bucket="mine"), storage=Storage.REFERENCE)
    (only,) = plan(ARTIFACT, seen(bucket=Bucket(versioned=False, readable=False)), options)
    assert isinstance(only, Refuse)
    assert "keeps no versions" in only.message
    assert "does not let Lambda read" in only.message
    assert "put-bucket-versioning --bucket mine " in only.hint
    assert "s3:GetObjectVersion" in only.hint


@pytest.mark.parametrize(
    ("region", "arn"), [("us-east-1", "arn:aws:s3:::mine/layer/*"), ("cn-north-1", "arn:aws-cn:s3:::mine/layer/*")]
)
def test_a_bucket_that_lambda_may_not_read_is_explained_with_the_missing_statement(region: str, arn: str) -> None:
    options = PublishOptions(location=S3Location(bucket="mine"), storage=Storage.REFERENCE)
    (only,) = plan(ARTIFACT, seen(bucket=Bucket(versioned=True, readable=False), region=region), options)
    assert isinstance(only, Refuse)
    statement = json.loads(only.hint[only.hint.index("{") :])
    assert statement == {
        "Sid": "LayerforgeLambdaReads",
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": ["s3:GetObject", "s3:GetObjectVersion"],
        "Resource": arn,
    }


def test_what_may_not_be_looked_at_holds_nothing_up() -> None:
    options = PublishOptions(location=S3Location(bucket="mine"), storage=Storage.REFERENCE)
    actions = plan(ARTIFACT, seen(bucket=Bucket()), options)
    assert actions == (Publish(location=S3Location(bucket="mine", keep=True), storage=Storage.REFERENCE),)


@pytest.mark.parametrize(("more", "fits"), [(0, True), (1, False)])
def test_an_account_takes_what_it_has_room_for_to_the_last_byte(more: int, fits: bool) -> None:
    for limits in (AccountLimits(unzipped=ARTIFACT.unzipped - more), AccountLimits(left=ARTIFACT.zipped - more)):
        (only,) = plan(ARTIFACT, seen(limits=limits), PublishOptions())
        assert isinstance(only, Publish if fits else Refuse)


def test_an_account_that_is_overdrawn_has_nothing_left() -> None:
    (only,) = plan(ARTIFACT, seen(limits=AccountLimits(left=-5_000_000)), PublishOptions())
    assert isinstance(only, Refuse)
    assert "has 0 bytes of code storage left" in only.message


def test_what_a_bucket_lacks_is_no_matter_where_lambda_copies_the_code() -> None:
    large = replace(ARTIFACT, zipped=DIRECT_UPLOAD_LIMIT + 1)
    bare = seen(bucket=Bucket(versioned=False, readable=False))
    (only,) = plan(large, bare, PublishOptions(location=S3Location(bucket="mine")))
    assert only == Publish(location=S3Location(bucket="mine"))


def test_a_zip_stays_in_the_bucket_where_that_is_asked_for() -> None:
    large = replace(ARTIFACT, zipped=DIRECT_UPLOAD_LIMIT + 1)
    for keep in (True, False):
        location = S3Location(bucket="mine", keep=keep)
        assert plan(large, seen(), PublishOptions(location=location)) == (Publish(location=location),)


def test_a_bucket_that_was_not_looked_at_holds_nothing_up() -> None:
    options = PublishOptions(location=S3Location(bucket="mine"), storage=Storage.REFERENCE)
    (only,) = plan(ARTIFACT, seen(bucket=None), options)
    assert isinstance(only, Publish)


def test_a_newest_version_of_somebody_else_takes_no_room_once_there_is_a_new_one() -> None:
    actions = plan(ARTIFACT, seen(OWN, OWN, "by hand"), PublishOptions(keep=2))
    assert isinstance(actions[0], Publish)
    assert removed(*actions) == [1]


def test_every_region_that_boto3_knows_is_in_its_own_partition() -> None:
    session = boto3.Session()
    names = [
        (part, name)
        for part in session.get_available_partitions()
        for name in session.get_available_regions("lambda", part)
    ]
    assert len(names) > 30
    assert [(part, name) for part, name in names if partition(name) != part] == []
