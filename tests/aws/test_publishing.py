"""The library against a moto server: what is called, what is made, and what a failure means."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import zips
from aws.proxy import Fault, Proxy
from aws.world import PART, a_bucket, a_large_layer, client, small_limit, versions
from fakes import FakeProgress, FakeStep
from layerforge.core.errors import UsageError
from layerforge.examine.examine import examine
from layerforge.examine.guess import guess_target
from layerforge.publish import artifact as artifacts
from layerforge.publish import execute, session
from layerforge.publish.artifact import Artifact, S3Location, Storage, grants
from layerforge.publish.errors import PublishError
from layerforge.publish.execute import execute_jobs
from layerforge.publish.plan import PublishJob, PublishOptions, Refuse
from layerforge.publish.results import Result, Status
from layerforge.publish.run import Publication, Stopped
from layerforge.publish.survey import survey

REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-northeast-1", "sa-east-1")
ONE = REGIONS[:1]


def an_artifact(path: Path, name: str = "pkg") -> Artifact:
    seen = examine(path)
    return artifacts.artifact(seen, None, guess_target(seen), name)


def plan(path: Path, regions: Sequence[str] = ONE, options: PublishOptions | None = None) -> tuple[PublishJob, ...]:
    return survey(session.connect(regions), [an_artifact(path)], options or PublishOptions())


def run(
    path: Path, regions: Sequence[str] = ONE, options: PublishOptions | None = None, tries: int = 3
) -> tuple[Result, ...]:
    clouds = session.connect(regions)
    jobs = survey(clouds, [an_artifact(path)], options or PublishOptions())
    return execute_jobs(jobs, clouds, FakeProgress(), (0.0,) * tries)


LOCATION = PublishOptions(location=S3Location(bucket="mine-{region}"))
REFERENCE = PublishOptions(location=S3Location(bucket="mine-{region}"), storage=Storage.REFERENCE)


# --- what is made ----------------------------------------------------------------------------------------------------


def test_six_regions_get_the_same_version(aws: Proxy, layer: Path) -> None:
    results = run(layer, REGIONS)
    assert [(one.region, one.status) for one in results] == [(region, Status.PUBLISHED) for region in REGIONS]
    digest = base64.b64encode(hashlib.sha256(layer.read_bytes()).digest()).decode()
    for region, result in zip(REGIONS, results, strict=True):
        (version,) = versions(region)
        content = client("lambda", region).get_layer_version(LayerName="pkg", VersionNumber=1)["Content"]
        assert content["CodeSha256"] == result.code_sha256 == digest
        assert result.version is not None
        assert version["LayerVersionArn"] == result.version.arn
        assert (version["CompatibleRuntimes"], version["CompatibleArchitectures"]) == (["python3.11"], ["x86_64"])
        assert version["Description"].startswith("pkg: pkg 1.0 (layerforge content_sha256=")


def test_a_second_run_only_reads(aws: Proxy, layer: Path) -> None:
    options = PublishOptions(grants=grants(public=True, organizations=(), accounts=()), keep=1)
    run(layer, REGIONS, options)
    assert aws.names["PublishLayerVersion"] == aws.names["AddLayerVersionPermission"] == len(REGIONS)
    aws.reset()
    assert {one.status for one in run(layer, REGIONS, options)} == {Status.UNCHANGED}
    assert aws.changes == []
    assert aws.calls


def test_planning_only_reads(aws: Proxy, layer: Path) -> None:
    plan(layer, REGIONS, PublishOptions(keep=1))
    assert aws.changes == []


def test_the_request_that_is_streamed_is_the_one_that_boto3_would_send(aws: Proxy, layer: Path) -> None:
    run(layer)
    lam = client("lambda")
    lam.publish_layer_version(
        LayerName="pkg",
        Description=versions()[0]["Description"],
        Content={"ZipFile": layer.read_bytes()},
        CompatibleRuntimes=["python3.11"],
        CompatibleArchitectures=["x86_64"],
    )
    streamed, plain = [call.size for call in aws.calls if call.name == "PublishLayerVersion"]
    one, two = (lam.get_layer_version(LayerName="pkg", VersionNumber=number) for number in (1, 2))
    assert streamed == plain
    assert one["Content"]["CodeSha256"] == two["Content"]["CodeSha256"]


def test_every_uploaded_byte_is_counted_once(aws: Proxy, tmp_path: Path) -> None:
    path = a_large_layer(tmp_path, 3 << 20)
    for options in (PublishOptions(), LOCATION):
        if options.location:
            a_bucket()
            small_limit(aws)
        step = FakeStep()
        cloud = session.connect(ONE)[0]
        artifact = an_artifact(path, "counted")
        if options.location:
            cloud.put_object("mine-us-east-1", "key", artifact, step.advance)
        else:
            cloud.publish_bytes(artifact, step.advance)
        assert step.advanced == path.stat().st_size


def test_other_runtimes_of_the_same_bytes_are_another_version(aws: Proxy, layer: Path) -> None:
    client("lambda").publish_layer_version(LayerName="pkg", Content={"ZipFile": layer.read_bytes()})
    assert run(layer)[0].status is Status.PUBLISHED
    assert len(versions()) == 2


def test_old_versions_of_layerforge_go_and_those_of_others_stay(aws: Proxy, tmp_path: Path) -> None:
    client("lambda").publish_layer_version(LayerName="pkg", Content={"ZipFile": b"theirs"}, Description="theirs")
    for number in range(3):
        path = zips.of(tmp_path / f"{number}.zip", {**zips.sound(), "python/more.txt": bytes([number])})
        run(path, options=PublishOptions(keep=2))
    assert [version["Version"] for version in versions()] == [4, 3, 1]


def test_grants_are_statements_with_stable_names(aws: Proxy, layer: Path) -> None:
    made = grants(public=True, organizations=("o-a1b2c3d4e5",), accounts=("123456789012",))
    run(layer, options=PublishOptions(grants=made))
    policy = json.loads(client("lambda").get_layer_version_policy(LayerName="pkg", VersionNumber=1)["Policy"])
    rows = {row["Sid"]: (row["Principal"], row.get("OrganizationId", "")) for row in policy["Statement"]}
    assert rows == {
        "layerforge-public": ("*", ""),
        "layerforge-organization-o-a1b2c3d4e5": ("*", "o-a1b2c3d4e5"),
        "layerforge-account-123456789012": ("123456789012", ""),
    }
    assert {row["Action"] for row in policy["Statement"]} == {"lambda:GetLayerVersion"}


def test_a_grant_that_another_run_made_meanwhile_is_no_failure(aws: Proxy, layer: Path) -> None:
    aws.fault(Fault(call="AddLayerVersionPermission", status=409, code="ResourceConflictException"))
    options = PublishOptions(grants=grants(public=False, organizations=(), accounts=("123456789012",)))
    assert run(layer, options=options)[0].status is Status.PUBLISHED


# --- through a bucket ------------------------------------------------------------------------------------------------


def test_a_large_zip_goes_up_in_parts_and_leaves_nothing_behind(aws: Proxy, tmp_path: Path) -> None:
    path = a_large_layer(tmp_path, 2 * PART + 5)
    s3 = a_bucket()
    small_limit(aws)
    assert run(path, options=LOCATION)[0].status is Status.PUBLISHED
    assert aws.names["UploadPart"] == 3
    assert s3.list_objects_v2(Bucket="mine-us-east-1").get("KeyCount") == 0
    held = client("lambda").get_layer_version(LayerName="pkg", VersionNumber=1)["Content"]
    assert base64.b64decode(held["CodeSha256"]) == hashlib.sha256(path.read_bytes()).digest()


def test_no_version_of_the_object_stays_in_a_versioned_bucket(aws: Proxy, layer: Path) -> None:
    s3 = a_bucket(versioned=True)
    small_limit(aws)
    run(layer, options=LOCATION)
    left = s3.list_object_versions(Bucket="mine-us-east-1")
    assert not left.get("Versions")
    assert not left.get("DeleteMarkers")


def test_the_object_stays_under_its_digest_where_that_is_asked_for(aws: Proxy, layer: Path) -> None:
    s3 = a_bucket()
    small_limit(aws)
    run(layer, options=PublishOptions(location=S3Location(bucket="mine-{region}", prefix="layers/", keep=True)))
    (found,) = s3.list_objects_v2(Bucket="mine-us-east-1")["Contents"]
    assert found["Key"] == f"layers/pkg/{hashlib.sha256(layer.read_bytes()).hexdigest()}.zip"
    head = s3.head_object(Bucket="mine-us-east-1", Key=found["Key"], ChecksumMode="ENABLED")
    assert base64.b64decode(head["ChecksumSHA256"]) == hashlib.sha256(layer.read_bytes()).digest()


def test_an_object_with_the_same_key_but_other_bytes_is_replaced(aws: Proxy, layer: Path) -> None:
    s3 = a_bucket()
    small_limit(aws)
    s3.put_object(Bucket="mine-us-east-1", Key=S3Location(bucket="").key(an_artifact(layer)), Body=b"other")
    assert run(layer, options=LOCATION)[0].status is Status.PUBLISHED


def test_each_region_uses_its_own_bucket(aws: Proxy, layer: Path) -> None:
    for region in REGIONS[:3]:
        a_bucket(f"mine-{region}", region)
    small_limit(aws)
    assert {one.status for one in run(layer, REGIONS[:3], LOCATION)} == {Status.PUBLISHED}


def test_without_a_bucket_a_large_zip_is_refused_before_anything_changes(aws: Proxy, layer: Path) -> None:
    small_limit(aws)
    with pytest.raises(UsageError, match="needs a bucket"):
        run(layer, REGIONS[:2])
    assert aws.changes == []


def test_a_bucket_that_is_absent_fails_its_region_alone(aws: Proxy, layer: Path) -> None:
    a_bucket()
    small_limit(aws)
    well, absent = run(layer, ("us-east-1", "eu-west-1"), LOCATION)
    assert (well.status, absent.status) == (Status.PUBLISHED, Status.FAILED)
    assert absent.error == "there is no bucket mine-eu-west-1"
    assert aws.count("PublishLayerVersion", "eu-west-1") == 0


def test_a_bucket_in_another_region_is_refused(aws: Proxy, layer: Path) -> None:
    a_bucket("mine-us-east-1", "eu-west-1")
    small_limit(aws)
    (only,) = plan(layer, options=LOCATION)[0].actions
    assert isinstance(only, Refuse)
    assert "lies in eu-west-1, not in us-east-1" in only.message
    assert "{region}" in only.hint


def test_a_code_store_in_the_users_bucket_keeps_its_object(aws: Proxy, layer: Path) -> None:
    s3 = a_bucket(versioned=True)
    policy = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": ["s3:GetObject", "s3:GetObjectVersion"],
            "Resource": "arn:aws:s3:::mine-us-east-1/pkg/*",
        },
    }
    s3.put_bucket_policy(Bucket="mine-us-east-1", Policy=json.dumps(policy))
    (result,) = run(layer, options=REFERENCE)
    assert result.status is Status.PUBLISHED
    assert len(s3.list_object_versions(Bucket="mine-us-east-1")["Versions"]) == 1


@pytest.mark.parametrize(("versioned", "lacks"), [(False, "keeps no versions"), (True, "does not let Lambda read")])
def test_what_a_code_store_lacks_is_told_before_anything_changes(
    aws: Proxy, layer: Path, versioned: bool, lacks: str
) -> None:
    a_bucket(versioned=versioned)
    aws.reset()
    (only,) = plan(layer, options=REFERENCE)[0].actions
    assert isinstance(only, Refuse)
    assert lacks in only.message
    assert aws.changes == []


def test_a_bucket_policy_that_may_not_be_read_is_left_to_lambda(aws: Proxy, layer: Path) -> None:
    a_bucket(versioned=True)
    aws.fault(Fault(call="GetBucketPolicy", status=403, code="AccessDenied"))
    assert run(layer, options=REFERENCE)[0].status is Status.PUBLISHED


def test_every_call_of_s3_names_the_owner_of_the_bucket(aws: Proxy, tmp_path: Path) -> None:
    a_bucket(versioned=True)
    small_limit(aws)
    for size, options in ((0, LOCATION), (2 * PART, LOCATION), (0, REFERENCE)):
        run(a_large_layer(tmp_path, size), options=options)
    lambdas = {"GetAccountSettings", "GetCallerIdentity"}
    ours = [call for call in aws.calls if "LayerVersion" not in call.name and call.name not in lambdas]
    named = {call.name for call in ours if call.owner == "123456789012"}
    assert {call.name for call in ours if not call.owner} <= {"PUT /mine-us-east-1", "PUT /mine-us-east-1?versioning"}
    assert {"HeadBucket", "GetBucketVersioning", "GetBucketPolicy", "HeadObject", "PutObject", "UploadPart"} <= named
    assert {"CreateMultipartUpload", "CompleteMultipartUpload", "DeleteObject"} <= named


def test_a_bucket_of_another_account_is_refused_before_anything_changes(aws: Proxy, layer: Path) -> None:
    small_limit(aws)
    aws.fault(Fault(call="HeadBucket", status=403, code="AccessDenied"))
    (result,) = run(layer, options=LOCATION)
    assert "mine-us-east-1 does not belong to the account 123456789012" in result.error
    assert "--bucket-owner" in result.hint
    assert aws.changes == []


def test_the_owner_of_a_bucket_that_is_named_is_not_asked_for(aws: Proxy, layer: Path) -> None:
    a_bucket()
    small_limit(aws)
    aws.calls.clear()
    clouds = session.connect(ONE, bucket_owner="210987654321")
    execute_jobs(survey(clouds, [an_artifact(layer)], LOCATION), clouds, FakeProgress(), (0.0,))
    assert aws.count("GetCallerIdentity") == 0
    assert {call.owner for call in aws.calls if call.name in {"HeadBucket", "PutObject"}} == {"210987654321"}


def many_versions(first: int, last: int, marker: str) -> dict[str, object]:
    """A page of a list of versions, newest first."""
    rows = [
        {
            "Version": number,
            "LayerVersionArn": f"arn:aws:lambda:us-east-1:123456789012:layer:pkg:{number}",
            "CompatibleRuntimes": ["python3.11"],
            "CompatibleArchitectures": ["x86_64"],
        }
        for number in range(first, last, -1)
    ]
    return {"LayerVersions": rows, "NextMarker": marker}


def test_the_newest_of_a_thousand_versions_takes_one_page(aws: Proxy, layer: Path) -> None:
    aws.fault(Fault(call="ListLayerVersions", status=200, body=many_versions(1031, 981, "more")))
    aws.fault(Fault(call="GetLayerVersion", status=403, code="AccessDeniedException"))
    plan(layer)
    assert aws.count("ListLayerVersions") == 1


def test_all_pages_are_read_where_old_versions_are_to_go(aws: Proxy, layer: Path) -> None:
    aws.fault(Fault(call="ListLayerVersions", times=1, status=200, body=many_versions(80, 30, "more")))
    aws.fault(Fault(call="ListLayerVersions", times=1, status=200, body=many_versions(30, 0, "")))
    aws.fault(Fault(call="GetLayerVersion", status=403, code="AccessDeniedException"))
    plan(layer, options=PublishOptions(keep=1))
    assert aws.count("ListLayerVersions") == 2


# --- what fails ------------------------------------------------------------------------------------------------------


def test_a_server_error_after_the_version_was_made_makes_no_second_one(aws: Proxy, layer: Path) -> None:
    fault = Fault(call="PublishLayerVersion", times=1, lost=True, status=500, code="ServiceException")
    aws.fault(fault)
    (result,) = run(layer)
    assert result.status is Status.PUBLISHED
    assert len(versions()) == aws.count("PublishLayerVersion") == 1


def test_an_answer_that_is_lost_on_the_way_makes_no_second_version(aws: Proxy, layer: Path) -> None:
    aws.fault(Fault(call="PublishLayerVersion", times=1, lost=True))
    (result,) = run(layer)
    assert result.status is Status.PUBLISHED
    assert len(versions()) == aws.count("PublishLayerVersion") == 1


def test_a_connection_that_breaks_in_the_middle_of_an_upload_is_tried_again(aws: Proxy, tmp_path: Path) -> None:
    path = a_large_layer(tmp_path, 6 << 20)
    aws.fault(Fault(call="PublishLayerVersion", times=1, cut=1 << 20))
    (result,) = run(path)
    assert result.status is Status.PUBLISHED
    assert (len(versions()), aws.count("PublishLayerVersion")) == (1, 2)


def test_a_region_whose_connection_always_breaks_fails_and_is_mended_by_the_next_run(
    aws: Proxy, tmp_path: Path
) -> None:
    path = a_large_layer(tmp_path, 6 << 20)
    aws.fault(Fault(call="PublishLayerVersion", region="eu-west-1", cut=1 << 20))
    results = {one.region: one for one in run(path, REGIONS)}
    assert {one.status for region, one in results.items() if region != "eu-west-1"} == {Status.PUBLISHED}
    assert results["eu-west-1"].status is Status.FAILED
    assert "the connection to AWS in eu-west-1 broke" in results["eu-west-1"].error
    aws.reset()
    again = {one.region: one.status for one in run(path, REGIONS)}
    assert again.pop("eu-west-1") is Status.PUBLISHED
    assert set(again.values()) == {Status.UNCHANGED}
    assert aws.changes == ["PublishLayerVersion"]


def test_a_throttled_region_is_asked_again_later(aws: Proxy, layer: Path) -> None:
    aws.fault(Fault(call="PublishLayerVersion", times=2, status=429, code="TooManyRequestsException"))
    assert run(layer)[0].status is Status.PUBLISHED
    assert (len(versions()), aws.count("PublishLayerVersion")) == (1, 3)


def test_a_part_that_s3_loses_is_sent_again(aws: Proxy, tmp_path: Path) -> None:
    path = a_large_layer(tmp_path, 2 * PART)
    a_bucket()
    small_limit(aws)
    aws.fault(Fault(call="UploadPart", times=1, cut=1 << 20))
    assert run(path, options=LOCATION)[0].status is Status.PUBLISHED
    assert aws.names["UploadPart"] == 4


FAILURES = {
    "throttled": (
        Fault(call="PublishLayerVersion", status=429, code="TooManyRequestsException"),
        "us-east-1 throttles PublishLayerVersion (3 times)",
        "wait a little",
    ),
    "denied": (
        Fault(call="PublishLayerVersion", status=403, code="AccessDeniedException", message="User: x may not"),
        "AWS denies PublishLayerVersion in us-east-1: User: x may not",
        "permission",
    ),
    "full": (
        Fault(call="PublishLayerVersion", status=400, code="CodeStorageExceededException", message="over 75 GB"),
        "the account's code storage in us-east-1 is full: over 75 GB",
        "--keep",
    ),
    "invalid": (
        Fault(call="PublishLayerVersion", status=400, code="InvalidParameterValueException", message="no zip"),
        "Lambda refuses the layer in us-east-1: no zip",
        "verify",
    ),
    "expired": (
        Fault(call="ListLayerVersions", status=403, code="ExpiredTokenException", message="expired"),
        "the AWS session has ended or cannot be renewed: expired",
        "sso login",
    ),
    "region off": (
        Fault(call="ListLayerVersions", status=403, code="UnrecognizedClientException", message="invalid token"),
        "AWS does not accept these credentials in us-east-1: invalid token",
        "enabled",
    ),
    "unheard of": (
        Fault(call="PublishLayerVersion", status=418, code="TeapotException", message="short and stout"),
        "AWS refuses PublishLayerVersion in us-east-1: short and stout",
        "",
    ),
}


@pytest.mark.parametrize(("fault", "error", "hint"), FAILURES.values(), ids=FAILURES.keys())
def test_a_failure_says_what_happened_and_what_to_do(
    aws: Proxy, layer: Path, fault: Fault, error: str, hint: str
) -> None:
    aws.fault(fault)
    (result,) = run(layer)
    assert (result.status, result.error) == (Status.FAILED, error)
    assert hint in result.hint
    assert aws.count("PublishLayerVersion") <= 3


def test_a_full_policy_is_explained_and_the_version_named(aws: Proxy, layer: Path) -> None:
    aws.fault(Fault(call="AddLayerVersionPermission", status=400, code="PolicyLengthExceededException"))
    options = PublishOptions(grants=grants(public=False, organizations=(), accounts=("123456789012",)))
    (result,) = run(layer, options=options)
    assert result.error == "version 1 is there, but the policy of this version is full in us-east-1"
    assert "--organization" in result.hint
    assert result.version is not None


@pytest.mark.parametrize("size", [0, 2 * PART], ids=["one part", "parts"])
def test_an_upload_that_s3_denies_is_told_of(aws: Proxy, tmp_path: Path, size: int) -> None:
    path = a_large_layer(tmp_path, size)
    a_bucket()
    small_limit(aws)
    for call in ("PutObject", "CreateMultipartUpload"):
        aws.fault(Fault(call=call, status=403, code="AccessDenied", message="no s3:PutObject"))
    (result,) = run(path, options=LOCATION)
    assert result.status is Status.FAILED
    assert "no s3:PutObject" in result.error
    assert aws.count("PublishLayerVersion") == 0


def test_limits_that_may_not_be_read_are_the_usual_ones(aws: Proxy, layer: Path) -> None:
    aws.fault(Fault(call="GetAccountSettings", status=403, code="AccessDeniedException"))
    assert plan(layer)[0].seen.limits.zipped == 52_428_800


def test_the_accounts_own_limits_count(aws: Proxy, layer: Path) -> None:
    limit = {"CodeSizeZipped": 10**9, "CodeSizeUnzipped": 10, "TotalCodeSize": 1000}
    body: dict[str, object] = {"AccountLimit": limit, "AccountUsage": {"TotalCodeSize": 990}}
    aws.fault(Fault(call="GetAccountSettings", status=200, body=body))
    job = plan(layer)[0]
    assert (job.seen.limits.zipped, job.seen.limits.unzipped, job.seen.limits.left) == (10**9, 10, 10)
    assert isinstance(job.actions[0], Refuse)


def test_nobody_answering_is_told_of(aws: Proxy, layer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    impatient = [replace(cloud, reads=cloud.once) for cloud in session.connect(ONE)]
    jobs = survey(impatient, [an_artifact(layer)], PublishOptions())
    (result,) = execute_jobs(jobs, impatient, FakeProgress())
    assert result.error.startswith("AWS cannot be reached in us-east-1")


def test_without_credentials_nothing_is_tried(aws: Proxy, layer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(PublishError, match="there are no AWS credentials"):
        run(layer, REGIONS)
    assert aws.calls == []


def test_a_file_that_changes_before_its_upload_is_not_published(aws: Proxy, layer: Path) -> None:
    clouds = session.connect(ONE)
    jobs = survey(clouds, [an_artifact(layer)], PublishOptions())
    layer.write_bytes(layer.read_bytes() + b"x")
    (result,) = execute_jobs(jobs, clouds, FakeProgress(), (0.0,))
    assert "was changed while it was published" in result.error
    assert aws.changes == []


def test_a_file_that_is_gone_before_its_upload_is_told_of(aws: Proxy, layer: Path) -> None:
    clouds = session.connect(ONE)
    jobs = survey(clouds, [an_artifact(layer)], PublishOptions())
    layer.unlink()
    (result,) = execute_jobs(jobs, clouds, FakeProgress(), (0.0,))
    assert result.error == f"{layer} cannot be read: No such file or directory"


def test_an_interrupt_ends_the_uploads(aws: Proxy, tmp_path: Path) -> None:
    path = a_large_layer(tmp_path, 6 << 20)
    clouds = session.connect(ONE)
    jobs = survey(clouds, [an_artifact(path)], PublishOptions())
    run = Publication(progress=FakeProgress(), step=FakeStep(), stop=threading.Event(), pauses=(60.0,))
    run.stop.set()
    with pytest.raises(Stopped):
        execute.perform(run, jobs[0], clouds[0])
    assert versions() == []


# --- Regions ---------------------------------------------------------------------------------------------------------


def test_regions_may_be_listed_and_named_twice(aws: Proxy) -> None:
    assert session.regions_wanted(["us-east-1,eu-west-1", "us-east-1"], session.open_session()) == (
        "us-east-1",
        "eu-west-1",
    )


def test_without_a_region_that_of_the_session_is_used(aws: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no Region is named"):
        session.regions_wanted([], session.open_session())
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")
    assert session.regions_wanted([], session.open_session()) == ("eu-west-3",)


def test_aws_region_comes_before_the_default_and_the_profile(
    aws: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text("[default]\nregion = us-west-2\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    assert session.regions_wanted([], session.open_session()) == ("us-west-2",)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "sa-east-1")
    assert session.regions_wanted([], session.open_session()) == ("sa-east-1",)
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    assert session.regions_wanted([], session.open_session()) == ("eu-west-3",)
    assert session.regions_wanted(["us-east-1"], session.open_session()) == ("us-east-1",)


@pytest.mark.parametrize(
    ("process", "said"),
    [
        ("sh -c 'echo the vault is closed >&2; exit 3'", "the vault is closed"),
        ("there-is-no-such-program --json", "there-is-no-such-program: No such file"),
        ("echo hello", "no JSON"),
    ],
)
def test_a_credential_process_that_fails_is_told_as_such(
    aws: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, process: str, said: str
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    config = tmp_path / "config"
    config.write_text(f"[default]\ncredential_process = {process}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    with pytest.raises(PublishError, match="credential_process failed") as caught:
        session.connect(ONE)
    assert said in caught.value.message
    assert "aws configure get credential_process" in caught.value.hint


def test_an_unknown_region_gets_the_nearest_as_a_hint(aws: Proxy) -> None:
    with pytest.raises(UsageError, match="there is no Region 'us-eats-1'") as caught:
        session.regions_wanted(["us-eats-1"], session.open_session())
    assert caught.value.hint == "perhaps you meant us-east-1"


def test_regions_that_need_other_credentials_are_not_mixed(aws: Proxy) -> None:
    with pytest.raises(UsageError, match="cn-north-1 in aws-cn"):
        session.regions_wanted(["us-east-1", "cn-north-1"], session.open_session())


def test_an_unknown_profile_is_told_of(aws: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(PublishError, match="nobody"):
        session.open_session()
