"""One Region of AWS, whose answers botocore's own stubs give: none leaves this machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3.session
import pytest
from botocore.config import Config
from botocore.stub import ANY, Stubber

from aws.proxy import Fault, proxied
from layerforge.core.errors import UsageError
from layerforge.publish.artifact import Details, Grant, Storage
from layerforge.publish.aws import AwsRegion
from layerforge.publish.cloud import AccountLimits, Bucket, OddError
from layerforge.publish.errors import PublishError
from layerforge.publish.session import connect, open_session, regions_wanted
from unit.publish.fake_cloud import an_artifact

OWNER = "123456789012"
ARN = "arn:aws:lambda:us-east-1:123456789012:layer:layer:{0}"
DONE = {"ResponseMetadata": {"HTTPStatusCode": 204}}


@dataclass(frozen=True)
class World:
    """A Region, and what each of its services is to answer."""

    cloud: AwsRegion
    reads: Stubber
    once: Stubber
    s3: Stubber
    sts: Stubber


@pytest.fixture
def unused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of this machine's own AWS counts."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))


@pytest.fixture
def world(unused: None) -> Iterator[World]:
    session = boto3.session.Session(region_name="us-east-1")
    once = Config(retries={"total_max_attempts": 1})
    names = {"reads": "lambda", "once": "lambda", "s3": "s3", "sts": "sts"}
    clients = {name: session.client(service, config=once) for name, service in names.items()}
    stubs = {name: Stubber(client) for name, client in clients.items()}
    for stub in stubs.values():
        stub.activate()
    yield World(AwsRegion(region="us-east-1", bucket_owner=OWNER, pauses=(0.0,), **clients), **stubs)
    for stub in stubs.values():
        stub.assert_no_pending_responses()


def row(number: int, *, runtimes: tuple[str, ...] = ("python3.13",)) -> dict[str, Any]:
    made = {"Version": number, "LayerVersionArn": ARN.format(number), "CompatibleRuntimes": list(runtimes)}
    return made | {"CompatibleArchitectures": ["x86_64"]}


def refused(stub: Stubber, call: str, code: str, status: int = 400) -> None:
    stub.add_client_error(call, code, "said AWS.", http_status_code=status)


# --- what is there


def test_an_accounts_limits_are_read_with_what_is_left(world: World) -> None:
    limit = {"CodeSizeZipped": 100, "CodeSizeUnzipped": 200, "TotalCodeSize": 1000}
    world.reads.add_response("get_account_settings", {"AccountLimit": limit, "AccountUsage": {"TotalCodeSize": 400}})
    assert world.cloud.limits() == AccountLimits(zipped=100, unzipped=200, left=600)


def test_limits_that_may_not_be_read_are_the_usual_ones(world: World) -> None:
    refused(world.reads, "get_account_settings", "AccessDeniedException", 403)
    assert world.cloud.limits() == AccountLimits()


def test_the_newest_version_of_the_kind_is_enough_unless_every_one_is_wanted(world: World) -> None:
    first = {"LayerVersions": [row(9, runtimes=("python3.12",)), row(8), row(7)], "NextMarker": "more"}
    asked = {"LayerName": "layer", "MaxItems": 50}
    kind = {"CompatibleRuntime": "python3.13", "CompatibleArchitecture": "x86_64"}
    world.reads.add_response("list_layer_versions", first, {**asked, **kind})
    assert [one.number for one in world.cloud.versions(an_artifact(), every=False)] == [8, 7]
    world.reads.add_response("list_layer_versions", first)
    world.reads.add_response("list_layer_versions", {"LayerVersions": [row(3)]}, {**asked, **kind, "Marker": "more"})
    assert [one.number for one in world.cloud.versions(an_artifact(), every=True)] == [8, 7, 3]


def test_pages_in_another_order_are_all_read_and_a_marker_that_repeats_ends_them(world: World) -> None:
    world.reads.add_response("list_layer_versions", {"LayerVersions": [row(1), row(2)], "NextMarker": "a"})
    world.reads.add_response("list_layer_versions", {"LayerVersions": [row(5)], "NextMarker": "a"})
    assert [one.number for one in world.cloud.versions(an_artifact(), every=False)] == [5, 2, 1]


def test_a_layer_that_is_not_there_has_no_versions_and_other_refusals_are_told(world: World) -> None:
    refused(world.reads, "list_layer_versions", "ResourceNotFoundException", 404)
    assert world.cloud.versions(an_artifact(), every=False) == ()
    refused(world.reads, "list_layer_versions", "AccessDeniedException", 403)
    with pytest.raises(PublishError, match="AWS denies ListLayerVersions in us-east-1: said AWS"):
        world.cloud.versions(an_artifact(), every=False)


def test_a_version_tells_its_digest_or_that_its_code_lies_in_a_bucket(world: World) -> None:
    world.reads.add_response("get_layer_version", {**row(4), "Content": {"CodeSha256": "abc="}})
    assert world.cloud.details("layer", 4) == Details(
        code_sha256="abc=", runtimes=frozenset({"python3.13"}), architectures=frozenset({"x86_64"}), reference=False
    )
    place = {"S3Bucket": "mine", "S3Key": "k", "S3ObjectVersion": "v"}
    world.reads.add_response("get_layer_version", {**row(4), "Content": {"ResolvedS3Object": place}})
    assert world.cloud.details("layer", 4).reference
    world.reads.add_response("get_layer_version", {**row(4), "Content": {}})
    with pytest.raises(OddError, match="version 4 has no digest"):
        world.cloud.details("layer", 4)


def test_an_odd_answer_is_asked_for_again_and_told_when_it_stays_odd(world: World) -> None:
    world.reads.add_response("get_layer_version", {"Version": 4})
    world.reads.add_response("get_layer_version", {**row(4), "Content": {"CodeSha256": "abc="}})
    assert world.cloud.details("layer", 4).code_sha256 == "abc="
    world.reads.add_response("get_layer_version", {"Version": 4})
    world.reads.add_response("get_layer_version", {"Version": 4})
    with pytest.raises(OddError, match="no answer of AWS's") as caught:
        world.cloud.details("layer", 4)
    assert "is a proxy between" in caught.value.hint


def test_statements_are_those_of_the_policy_and_none_where_there_is_none(world: World) -> None:
    policy = json.dumps({"Statement": [{"Sid": "a"}, {"Sid": "b", "Effect": "Allow"}]})
    world.reads.add_response("get_layer_version_policy", {"Policy": policy})
    assert world.cloud.statements("layer", 1) == {"a", "b"}
    refused(world.reads, "get_layer_version_policy", "ResourceNotFoundException", 404)
    assert world.cloud.statements("layer", 1) == frozenset()
    refused(world.reads, "get_layer_version_policy", "AccessDeniedException", 403)
    with pytest.raises(PublishError, match="AWS denies GetLayerVersionPolicy"):
        world.cloud.statements("layer", 1)


# --- buckets


def test_a_bucket_has_to_lie_in_the_region(world: World) -> None:
    asked = {"Bucket": "mine", "ExpectedBucketOwner": OWNER}
    world.s3.add_response("head_bucket", {"BucketRegion": "eu-west-1"}, asked)
    with pytest.raises(PublishError, match="the bucket mine lies in eu-west-1, not in us-east-1"):
        world.cloud.bucket("mine", "k", reference=False)
    world.s3.add_response("head_bucket", {})
    assert world.cloud.bucket("mine", "k", reference=False) == Bucket()


@pytest.mark.parametrize(("code", "words"), [("403", "does not belong to the account 123"), ("404", "no bucket mine")])
def test_a_bucket_that_is_not_there_or_somebody_elses_is_refused(world: World, code: str, words: str) -> None:
    refused(world.s3, "head_bucket", code, int(code))
    with pytest.raises(PublishError, match=words):
        world.cloud.bucket("mine", "k", reference=False)


def test_code_that_stays_in_a_bucket_takes_versions_and_a_policy(world: World) -> None:
    allows = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "s3:*",
        "Resource": "arn:aws:s3:::mine/*",
    }
    world.s3.add_response("head_bucket", {})
    world.s3.add_response("get_bucket_versioning", {"Status": "Enabled"})
    world.s3.add_response("get_bucket_policy", {"Policy": json.dumps({"Statement": [allows]})})
    assert world.cloud.bucket("mine", "k", reference=True) == Bucket(versioned=True, readable=True)
    world.s3.add_response("head_bucket", {})
    world.s3.add_response("get_bucket_versioning", {})
    refused(world.s3, "get_bucket_policy", "NoSuchBucketPolicy", 404)
    assert world.cloud.bucket("mine", "k", reference=True) == Bucket(versioned=False, readable=False)


def test_what_of_a_bucket_may_not_be_read_is_unknown(world: World) -> None:
    world.s3.add_response("head_bucket", {})
    refused(world.s3, "get_bucket_versioning", "AccessDenied", 403)
    refused(world.s3, "get_bucket_policy", "AccessDenied", 403)
    assert world.cloud.bucket("mine", "k", reference=True) == Bucket(versioned=None, readable=None)
    world.s3.add_response("head_bucket", {})
    refused(world.s3, "get_bucket_versioning", "SlowDown", 503)
    with pytest.raises(PublishError, match="throttles"):
        world.cloud.bucket("mine", "k", reference=True)


def test_the_owner_of_a_bucket_is_who_asks_unless_it_is_named(world: World) -> None:
    own = AwsRegion(**{**vars_of(world.cloud), "bucket_owner": None})
    world.sts.add_response("get_caller_identity", {"Account": "999999999999"})
    asked = {"Bucket": "mine", "ExpectedBucketOwner": "999999999999"}
    world.s3.add_response("head_bucket", {}, asked)
    world.s3.add_response("head_bucket", {}, asked)
    assert own.bucket("mine", "k", reference=False) == own.bucket("mine", "k", reference=False) == Bucket()


def test_an_owner_that_cannot_be_found_out_is_to_be_named(world: World) -> None:
    own = AwsRegion(**{**vars_of(world.cloud), "bucket_owner": None})
    refused(world.sts, "get_caller_identity", "AccessDenied", 403)
    with pytest.raises(PublishError, match="whose bucket it has to be cannot be found out: AWS denies") as caught:
        own.bucket("mine", "k", reference=False)
    assert "--bucket-owner" in caught.value.hint


def vars_of(cloud: AwsRegion) -> dict[str, Any]:
    return {name: getattr(cloud, name) for name in ("region", "reads", "once", "s3", "sts", "pauses")}


# --- objects


def an_upload(folder: Path) -> Any:
    (folder / "layer.zip").write_bytes(b"z" * 1000)
    return an_artifact(path=folder / "layer.zip")


def held(size: int = 1000, sha256: str = "ab" * 32, version: str = "") -> dict[str, Any]:
    found = {"ContentLength": size, "Metadata": {"layerforge-sha256": sha256}}
    return found | ({"VersionId": version} if version else {})


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (held(version="v1"), "v1"),
        (held(version="null"), ""),
        (held(), ""),
        (held(size=999), None),
        (held(sha256="0" * 64), None),
        ("404", None),
        ("403", None),
    ],
)
def test_an_object_is_the_artifact_only_with_its_size_and_digest(
    world: World, answer: dict[str, Any] | str, found: str | None
) -> None:
    if isinstance(answer, str):
        refused(world.s3, "head_object", answer, int(answer))
    else:
        world.s3.add_response("head_object", answer, {"Bucket": "mine", "Key": "k", "ExpectedBucketOwner": OWNER})
    assert world.cloud.find_object("mine", "k", an_artifact()) == found


def test_an_object_that_cannot_be_asked_for_is_told(world: World) -> None:
    refused(world.s3, "head_object", "301", 301)
    with pytest.raises(PublishError, match="does not lie in us-east-1"):
        world.cloud.find_object("mine", "k", an_artifact())


def test_an_upload_carries_its_digest_and_is_looked_at_afterwards(world: World, tmp_path: Path) -> None:
    asked = {"Bucket": "mine", "Key": "k", "ExpectedBucketOwner": OWNER, "Metadata": {"layerforge-sha256": "ab" * 32}}
    sent = {"Body": ANY, "ChecksumAlgorithm": "SHA256", "ContentType": "application/zip"}
    world.s3.add_response("put_object", {}, {**asked, **sent})
    world.s3.add_response("head_object", held(version="v7"))
    assert world.cloud.put_object("mine", "k", an_upload(tmp_path), lambda _: None) == "v7"


def test_an_upload_that_arrived_short_is_refused(world: World, tmp_path: Path) -> None:
    world.s3.add_response("put_object", {})
    world.s3.add_response("head_object", held(size=10))
    with pytest.raises(PublishError, match=r"mine holds 10 bytes of .*layer\.zip"):
        world.cloud.put_object("mine", "k", an_upload(tmp_path), lambda _: None)


def test_an_upload_that_is_refused_says_why(world: World, tmp_path: Path) -> None:
    refused(world.s3, "put_object", "AccessDenied", 403)
    with pytest.raises(PublishError, match="AWS denies PutObject"):
        world.cloud.put_object("mine", "k", an_upload(tmp_path), lambda _: None)


@pytest.mark.parametrize(("version", "which"), [("v1", {"VersionId": "v1"}), ("", {})])
def test_an_object_is_deleted_with_its_version(world: World, version: str, which: dict[str, str]) -> None:
    world.s3.add_response("delete_object", DONE, {"Bucket": "mine", "Key": "k", "ExpectedBucketOwner": OWNER, **which})
    world.cloud.delete_object("mine", "k", version)


# --- versions


@pytest.mark.parametrize(
    ("version", "storage", "more"),
    [
        ("", Storage.COPY, {}),
        ("v1", Storage.COPY, {"S3ObjectVersion": "v1"}),
        ("v1", Storage.REFERENCE, {"S3ObjectVersion": "v1", "S3ObjectStorageMode": "REFERENCE"}),
    ],
)
def test_a_version_is_made_from_an_object(world: World, version: str, storage: Storage, more: dict[str, str]) -> None:
    asked = {
        "LayerName": "layer",
        "Description": an_artifact().description,
        "Content": {"S3Bucket": "mine", "S3Key": "k", **more},
        "CompatibleRuntimes": ["python3.13"],
        "CompatibleArchitectures": ["x86_64"],
        "LicenseInfo": "MIT",
    }
    answer = {**row(3), "Content": {"CodeSha256": an_artifact().code_sha256}}
    world.once.add_response("publish_layer_version", answer, asked)
    made, details = world.cloud.publish_object(an_artifact(), "mine", "k", version, storage)
    assert (made.number, made.arn, details.code_sha256) == (3, ARN.format(3), an_artifact().code_sha256)


def test_a_version_that_is_refused_is_asked_for_once(world: World) -> None:
    refused(world.once, "publish_layer_version", "CodeStorageExceededException")
    with pytest.raises(PublishError, match="code storage in us-east-1 is full") as caught:
        world.cloud.publish_object(an_artifact(), "mine", "k", "", Storage.COPY)
    assert "--keep" in caught.value.hint


def test_a_grant_names_the_organization_and_one_that_is_there_is_the_same(world: World) -> None:
    asked = {
        "LayerName": "layer",
        "VersionNumber": 2,
        "StatementId": "s",
        "Action": "lambda:GetLayerVersion",
        "Principal": "*",
    }
    world.reads.add_response(
        "add_layer_version_permission", {"Statement": "{}"}, {**asked, "OrganizationId": "o-1234567890"}
    )
    world.cloud.allow("layer", 2, Grant(statement="s", principal="*", organization="o-1234567890"))
    world.reads.add_client_error("add_layer_version_permission", "ResourceConflictException", expected_params=asked)
    world.cloud.allow("layer", 2, Grant(statement="s", principal="*"))
    refused(world.reads, "add_layer_version_permission", "PolicyLengthExceededException")
    with pytest.raises(PublishError, match="policy of this version is full"):
        world.cloud.allow("layer", 2, Grant(statement="s", principal="*"))


def test_a_version_is_gone_when_lambda_says_so_or_no_longer_knows_it(world: World) -> None:
    world.reads.add_response("delete_layer_version", DONE, {"LayerName": "layer", "VersionNumber": 2})
    world.cloud.remove("layer", 2)
    world.reads.add_response("delete_layer_version", {"ResponseMetadata": {"HTTPStatusCode": 200}})
    refused(world.reads, "get_layer_version", "ResourceNotFoundException", 404)
    world.cloud.remove("layer", 2)


def test_a_version_that_stays_in_spite_of_its_removal_is_told(world: World) -> None:
    for _ in range(2):
        world.reads.add_response("delete_layer_version", {"ResponseMetadata": {"HTTPStatusCode": 200}})
        world.reads.add_response("get_layer_version", {**row(2), "ResponseMetadata": {"HTTPStatusCode": 200}})
    with pytest.raises(OddError):
        world.cloud.remove("layer", 2)


# --- connections


def regions(*named: str, own: str | None = None) -> Callable[[], tuple[str, ...]]:
    return lambda: regions_wanted(named, boto3.session.Session(region_name=own))


def test_regions_are_those_named_once_each_else_the_sessions(unused: None) -> None:
    assert regions("us-east-1,eu-west-1", "us-east-1")() == ("us-east-1", "eu-west-1")
    assert regions(own="eu-west-1")() == ("eu-west-1",)


@pytest.mark.parametrize(
    ("ask", "words", "hint"),
    [
        (regions(), "no Region is named", "AWS_REGION"),
        (regions("us-east-11"), "there is no Region 'us-east-11'", "perhaps you meant us-east-1"),
        (regions("nowhere"), "there is no Region 'nowhere'", "newer boto3"),
        (regions("us-east-1", "cn-north-1"), "need credentials of their own", "each partition by itself"),
    ],
)
def test_regions_that_cannot_be_meant_are_refused(
    unused: None, ask: Callable[[], tuple[str, ...]], words: str, hint: str
) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        ask()
    assert hint in caught.value.hint


def test_each_region_gets_clients_of_its_own(unused: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    session = open_session()
    assert session.region_name == "eu-central-1"
    made = connect(["us-east-1", "eu-west-1"], session, OWNER)
    assert [one.reads.meta.region_name for one in made] == ["us-east-1", "eu-west-1"]
    assert {one.bucket_owner for one in made} == {OWNER}


def test_credentials_that_are_not_there_are_told_before_anything_is_asked(
    unused: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(PublishError, match="there are no AWS credentials"):
        connect(["us-east-1"])


def test_a_profile_or_an_address_that_does_not_exist_is_told(unused: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "localhost")
    with pytest.raises(UsageError, match="localhost") as caught:
        connect(["us-east-1"])
    assert "AWS_ENDPOINT_URL" in caught.value.hint
    monkeypatch.setenv("AWS_PROFILE", "absent")
    with pytest.raises(PublishError, match="absent"):
        open_session()


@pytest.mark.parametrize(
    ("process", "words"),
    [
        ("/nonexistent/helper", "credential_process failed: .*No such file"),
        ("echo no", "it printed no JSON"),
        ("sh -c 'echo locked >&2; exit 3'", "locked"),
    ],
)
def test_a_credential_process_that_fails_is_told_with_its_words(
    unused: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, process: str, words: str
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    (tmp_path / "config").write_text(f"[profile own]\ncredential_process = {process}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "own")
    with pytest.raises(PublishError, match=words) as caught:
        connect(["us-east-1"])
    assert "credential_process" in caught.value.hint


def test_the_zip_of_a_direct_upload_is_read_from_the_disk_as_it_is_sent(
    unused: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    artifact, sent = an_upload(tmp_path), list[int]()
    answer = {**row(1), "Content": {"CodeSha256": artifact.code_sha256}}
    with proxied("http://127.0.0.1:1") as proxy:
        proxy.fault(Fault(call="PublishLayerVersion", status=201, body=answer))
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        [cloud] = connect(["us-east-1"])
        made, details = cloud.publish_bytes(artifact, sent.append)
    assert (made.number, details.code_sha256, sum(sent)) == (1, artifact.code_sha256, 1000)
    assert [(one.name, one.region) for one in proxy.calls] == [("PublishLayerVersion", "us-east-1")]
    assert proxy.calls[0].size > 1000 * 4 / 3
