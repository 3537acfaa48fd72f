"""Objects in S3, whose answers botocore's own stubs give, and what each of its errors is told as."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3.session
import pytest
from botocore import exceptions as boto
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from layerforge.core.errors import UsageError
from layerforge.core.store import s3, s3_errors
from layerforge.core.store.objects import MOST, FarReadOnlyError, FarStoreError
from layerforge.core.store.s3 import CONFIG, PAUSES, S3Objects, parsed, s3_objects
from layerforge.core.store.s3_errors import TROUBLES, Where, failure

WHERE = Where(place="s3://mine/pre", bucket="mine", region="eu-west-1")
KEY = {"Bucket": "mine", "Key": "pre/a"}
PUT = {**KEY, "Body": b"data", "IfNoneMatch": "*"}
SUM = base64.b64encode(hashlib.sha256(b"data").digest()).decode()
DAY = datetime(2026, 2, 3, tzinfo=UTC)


@dataclass(frozen=True)
class World:
    place: S3Objects
    stub: Stubber
    slept: list[float] = field(default_factory=list)


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
    client = boto3.session.Session(region_name="eu-west-1").client("s3")
    slept: list[float] = []
    place = S3Objects(bucket="mine", prefix="pre", client=client, sleep=slept.append)
    with Stubber(client) as stub:
        yield World(place, stub, slept)
        stub.assert_no_pending_responses()


def refused(world: World, call: str, code: str, status: int = 400, said: str = "said S3.") -> None:
    world.stub.add_client_error(call, code, said, http_status_code=status)


def an_object(data: bytes, length: int | None = None) -> dict[str, Any]:
    size = len(data) if length is None else length
    return {"ContentLength": size, "ETag": '"x"', "Body": StreamingBody(io.BytesIO(data), size)}


# --- reading


def test_an_object_is_asked_for_below_the_prefix_with_its_checksum(world: World) -> None:
    world.stub.add_response("get_object", an_object(b"data"), {**KEY, "ChecksumMode": "ENABLED"})
    assert world.place.read("a") == b"data"


def test_without_a_prefix_a_name_is_the_key(world: World) -> None:
    place = replace(world.place, prefix="")
    assert (place.place, world.place.place) == ("s3://mine", "s3://mine/pre")
    world.stub.add_response("get_object", an_object(b""), {"Bucket": "mine", "Key": "a", "ChecksumMode": ANY})
    assert place.read("a") == b""


def test_bytes_that_come_in_part_are_asked_for_again(world: World) -> None:
    for _ in range(2):
        world.stub.add_response("get_object", an_object(b"da", 4))
    world.stub.add_response("get_object", an_object(b"data"))
    assert world.place.read("a") == b"data"
    assert world.slept == list(PAUSES[:2])


def test_bytes_that_always_come_in_part_are_told(world: World) -> None:
    for _ in range(len(PAUSES) + 1):
        world.stub.add_response("get_object", an_object(b"da", 4))
    with pytest.raises(FarStoreError, match="what comes from s3://mine/pre is cut short"):
        world.place.read("a")
    assert world.slept == list(PAUSES)


def test_an_object_that_vanishes_between_tries_is_absent(world: World) -> None:
    world.stub.add_response("get_object", an_object(b"da", 4))
    refused(world, "get_object", "NoSuchKey", 404)
    assert world.place.read("a") is None


def test_an_object_that_is_larger_than_any_is_not_read(world: World) -> None:
    world.stub.add_response("get_object", an_object(b"", MOST + 1))
    with pytest.raises(FarStoreError, match=re.escape("4.3 GB, of which at most")):
        world.place.read("a")


@pytest.mark.parametrize("sign", ["ETag", "ContentLength"])
def test_what_has_not_the_form_of_s3s_answers_is_told(world: World, sign: str) -> None:
    answer = an_object(b"<html>")
    del answer[sign]
    world.stub.add_response("get_object", answer)
    with pytest.raises(FarStoreError, match="is no answer of S3's") as caught:
        world.place.read("a")
    assert "AWS_ENDPOINT_URL" in caught.value.hint


# --- sizes: the answer to a HEAD has no body, and so no code


def test_a_size_is_asked_for_without_the_bytes(world: World) -> None:
    world.stub.add_response("head_object", {"ContentLength": 4, "ETag": '"x"'}, KEY)
    assert world.place.size("a") == 4


def test_absence_is_looked_into_once_and_then_believed(world: World) -> None:
    refused(world, "head_object", "404", 404)
    world.stub.add_response("list_objects_v2", {"Name": "mine"}, {"Bucket": "mine", "Prefix": "pre/a", "MaxKeys": 1})
    assert world.place.size("a") is None
    refused(world, "head_object", "404", 404)
    assert world.place.size("a") is None


def test_a_bucket_that_is_not_there_is_no_absent_object(world: World) -> None:
    refused(world, "head_object", "404", 404)
    refused(world, "list_objects_v2", "NoSuchBucket", 404)
    with pytest.raises(FarStoreError, match="there is no bucket mine"):
        world.place.size("a")


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (400, "ExpiredToken", "the AWS session has ended"),
        (403, "AccessDenied", "cannot be read"),
        (403, "RequestTimeTooSkewed", "clock is wrong"),
        (301, "PermanentRedirect", "does not lie in eu-west-1"),
    ],
)
def test_why_a_size_is_refused_is_found_out(world: World, status: int, code: str, words: str) -> None:
    refused(world, "head_object", str(status), status, "Bad Request")
    refused(world, "list_objects_v2", code, status)
    with pytest.raises(FarStoreError, match=words):
        world.place.size("a")


def test_the_listing_that_stands_in_tells_the_size_of_the_object_itself(world: World) -> None:
    for key, size in (("pre/a", 4), ("pre/abc", None)):
        refused(world, "head_object", "400", 400)
        world.stub.add_response("list_objects_v2", {"Name": "mine", "Contents": [{"Key": key, "Size": 4}]})
        assert world.place.size("a") == size


# --- creating


def test_an_object_is_created_only_where_there_is_none_and_with_the_digest_of_its_bytes(world: World) -> None:
    world.stub.add_response("put_object", {"ETag": '"x"'}, {**PUT, "ChecksumSHA256": SUM})
    assert world.place.create("a", b"data")


def test_where_there_is_one_already_nothing_is_created(world: World) -> None:
    refused(world, "put_object", "PreconditionFailed", 412)
    assert not world.place.create("a", b"data")
    assert not world.slept


@pytest.mark.parametrize("code", ["ConditionalRequestConflict", "BadDigest", "XAmzContentChecksumMismatch"])
def test_what_passes_is_tried_again(world: World, code: str) -> None:
    refused(world, "put_object", code, 409)
    refused(world, "put_object", code, 409)
    world.stub.add_response("put_object", {"ETag": '"x"'}, {**PUT, "ChecksumSHA256": SUM})
    assert world.place.create("a", b"data")
    assert world.slept == list(PAUSES[:2])


def test_a_conflict_that_somebody_else_won_is_no_error(world: World) -> None:
    refused(world, "put_object", "ConditionalRequestConflict", 409)
    refused(world, "put_object", "PreconditionFailed", 412)
    assert not world.place.create("a", b"data")


def test_a_conflict_without_end_is_told(world: World) -> None:
    for _ in range(len(PAUSES) + 1):
        refused(world, "put_object", "ConditionalRequestConflict", 409)
    with pytest.raises(FarStoreError, match="others write the same object"):
        world.place.create("a", b"data")
    assert world.slept == list(PAUSES)


def test_what_takes_an_object_without_a_word_is_not_s3(world: World) -> None:
    world.stub.add_response("put_object", {})
    with pytest.raises(FarStoreError, match="is no answer of S3's"):
        world.place.create("a", b"data")


def test_a_service_without_conditional_writes_is_told(world: World) -> None:
    refused(world, "put_object", "NotImplemented", 501)
    with pytest.raises(FarStoreError, match="only where there is none") as caught:
        world.place.create("a", b"data")
    assert "conditional writes" in caught.value.hint


@pytest.mark.parametrize("code", ["AccessDenied", "AllAccessDisabled"])
def test_only_a_write_that_is_denied_means_that_the_store_is_only_read(world: World, code: str) -> None:
    refused(world, "put_object", code, 403)
    with pytest.raises(FarReadOnlyError, match="nothing can be put into s3://mine/pre") as caught:
        world.place.create("a", b"data")
    assert "s3:PutObject" in caught.value.hint
    refused(world, "delete_objects", code, 403)
    with pytest.raises(FarReadOnlyError):
        world.place.remove(["a"])
    refused(world, "get_object", code, 403)
    with pytest.raises(FarStoreError, match="cannot be read, S3 denies GetObject") as denied:
        world.place.read("a")
    assert not isinstance(denied.value, FarReadOnlyError)
    assert "https://mine.s3.amazonaws.com" in denied.value.hint


# --- listing and removing


def test_a_listing_has_names_without_the_prefix_and_no_folders(world: World) -> None:
    found = [
        {"Key": key, "Size": len(key), "LastModified": DAY} for key in ("pre/", "pre/a", "pre/b/", "pre/b/c", "pre/d")
    ]
    first = {"Name": "mine", "IsTruncated": True, "NextContinuationToken": "next", "Contents": found[:3]}
    world.stub.add_response("list_objects_v2", first, {"Bucket": "mine", "Prefix": "pre/"})
    second = {"Name": "mine", "IsTruncated": False, "Contents": found[3:]}
    world.stub.add_response(
        "list_objects_v2", second, {"Bucket": "mine", "Prefix": "pre/", "ContinuationToken": "next"}
    )
    listed = list(world.place.listed())
    assert [(one.name, one.size) for one in listed] == [("a", 5), ("b/c", 7), ("d", 5)]
    assert {one.modified for one in listed} == {DAY.timestamp()}


def test_a_listing_that_breaks_off_is_no_short_listing(world: World) -> None:
    first = {"Name": "mine", "IsTruncated": True, "NextContinuationToken": "next"}
    first |= {"Contents": [{"Key": "pre/a", "Size": 1, "LastModified": DAY}]}
    world.stub.add_response("list_objects_v2", first)
    refused(world, "list_objects_v2", "ExpiredToken")
    listing = world.place.listed()
    assert next(listing).name == "a"
    with pytest.raises(FarStoreError, match="the AWS session has ended"):
        next(listing)


def test_an_empty_page_of_something_else_is_no_empty_listing(world: World) -> None:
    world.stub.add_response("list_objects_v2", {})
    with pytest.raises(FarStoreError, match="is no answer of S3's"):
        list(world.place.listed())


def keys(*names: str) -> dict[str, Any]:
    return {"Bucket": "mine", "Delete": {"Objects": [{"Key": f"pre/{name}"} for name in names], "Quiet": True}}


def test_objects_are_removed_a_thousand_at_a_time(world: World) -> None:
    names = [str(number) for number in range(2300)]
    for start in (0, 1000, 2000):
        world.stub.add_response("delete_objects", {}, keys(*names[start : start + 1000]))
    world.place.remove(iter(names))


def test_what_could_not_be_removed_for_now_is_tried_again_alone(world: World) -> None:
    left = {"Errors": [{"Key": "pre/b", "Code": "InternalError", "Message": "We failed"}]}
    world.stub.add_response("delete_objects", left, keys("a", "b"))
    world.stub.add_response("delete_objects", {}, keys("b"))
    world.place.remove(["a", "b"])
    assert world.slept == [PAUSES[0]]


@pytest.mark.parametrize(("code", "tries"), [("AccessDenied", 1), ("InternalError", len(PAUSES) + 1)])
def test_what_cannot_be_removed_is_told(world: World, code: str, tries: int) -> None:
    for _ in range(tries):
        world.stub.add_response("delete_objects", {"Errors": [{"Key": "pre/b", "Code": code, "Message": "said S3"}]})
    with pytest.raises(FarStoreError, match="said S3") as caught:
        world.place.remove(["a", "b"])
    assert isinstance(caught.value, FarReadOnlyError) is (code == "AccessDenied")
    assert len(world.slept) == tries - 1


# --- errors


def an_answer(code: str, status: int = 400, call: str = "GetObject", **more: str) -> ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": "said S3.", **more},
        "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "R3Q", "HTTPHeaders": {}},
    }
    return ClientError(answer, call)


@pytest.mark.parametrize("code", [code for trouble in TROUBLES for code in trouble.codes])
def test_every_code_has_a_message_a_hint_and_the_request_without_gaps(code: str) -> None:
    error = failure(an_answer(code), WHERE)
    assert error.exit_code == 5
    assert error.hint
    assert not re.search(r"[{}]", error.message + error.hint)
    assert error.details == (f"GetObject was answered with 400 {code}", "request R3Q")


def test_no_code_stands_twice_in_the_table() -> None:
    codes = [code for trouble in TROUBLES for code in trouble.codes]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        (an_answer("NoSuchBucket", 404), "there is no bucket mine", "create the bucket"),
        (an_answer("ExpiredToken"), "the AWS session has ended", "aws sso login"),
        (an_answer("RequestExpired"), "the AWS session has ended", "log in again"),
        (an_answer("RequestTimeTooSkewed", 403), "clock is wrong", "set the clock"),
        (an_answer("InvalidAccessKeyId", 403), "does not accept these credentials in eu-west-1", "AWS_PROFILE"),
        (an_answer("SlowDown", 503), "asked for too much at once", "wait a little; then run"),
        (an_answer("InternalError", 500), "S3 fails again and again at s3://mine/pre", "wait a little"),
        (an_answer("503", 503), "S3 fails again and again at s3://mine/pre", "wait a little"),
        (an_answer("Unheard"), "S3 refuses GetObject at s3://mine/pre: said S3", "the code below"),
        (an_answer("AuthorizationHeaderMalformed", Region="eu-west-3"), "not lie in eu-west-1", "AWS_REGION to eu-w"),
        (an_answer("PermanentRedirect", 301), "not lie in eu-west-1", "get|head-bucket"),
        (boto.NoCredentialsError(), "there are no AWS credentials", "aws configure"),
        (boto.EndpointConnectionError(endpoint_url="x"), "s3://mine/pre cannot be reached", "AWS_ENDPOINT_URL"),
        (boto.ConnectTimeoutError(endpoint_url="x"), "s3://mine/pre cannot be reached", "HTTPS_PROXY"),
        (boto.ReadTimeoutError(endpoint_url="x"), "the connection to s3://mine/pre breaks", "run the command again"),
        (boto.SSLError(endpoint_url="x", error="y"), "certificate of S3's endpoint is not", "AWS_CA_BUNDLE"),
        (boto.FlexibleChecksumError(error_msg="no match"), "is cut short or damaged", "is a proxy between"),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, Exception) else "",
)
def test_each_failure_says_what_it_is_and_what_to_do(error: Exception, message: str, hint: str) -> None:
    told = failure(error, WHERE)
    assert re.search(message, told.message)
    assert re.search(hint, told.hint)
    assert type(told) is FarStoreError


def test_the_region_that_a_header_names_is_told() -> None:
    error = an_answer("301", 301, "HeadObject")
    error.response["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"] = "ap-south-1"
    assert failure(error, WHERE).hint == "set AWS_REGION to ap-south-1"


def test_no_secret_is_ever_told() -> None:
    said = "The signature does not match. The Canonical String for this should be: x-amz-security-token:very-secret"
    wrong = an_answer("SignatureDoesNotMatch", 403, StringToSign="very-secret", Message=said)
    proxy = boto.ProxyConnectionError(proxy_url="http://me:very-secret@proxy:1")
    endpoint = boto.EndpointConnectionError(endpoint_url="http://me:very-secret@minio:9000/mine/x")
    expired = an_answer("ExpiredToken", 400, "GetObject", **{"Token-0": "very-secret"})
    for error in (wrong, proxy, endpoint, expired):
        told = failure(error, WHERE)
        assert "very-secret" not in " ".join((told.message, told.hint, *told.details))


def test_what_cannot_be_parsed_is_told() -> None:
    with pytest.raises(FarStoreError, match="is no answer of S3's: 'Size'"), s3_errors.told(WHERE):
        raise KeyError("Size")


# --- opening


@pytest.mark.parametrize(
    ("url", "names"),
    [
        ("s3://mine", ("mine", "")),
        ("s3://mine/", ("mine", "")),
        ("s3://mine.of-1/a/b//", ("mine.of-1", "a/b")),
        ("s3://mine/Team_1/2026", ("mine", "Team_1/2026")),
    ],
)
def test_an_address_has_a_bucket_and_a_prefix(url: str, names: tuple[str, str]) -> None:
    assert parsed(url) == names


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3://", "names no bucket"),
        ("s3:///prefix", "names no bucket"),
        ("s3://Mine", "'Mine' is no name of a bucket"),
        ("s3://mi", "'mi' is no name"),
        ("s3://mine..x", "is no name"),
        ("s3://my_bucket/x", "is no name"),
        ("s3://mine/a//b", "'a//b' is no prefix"),
        ("s3://mine//a", "is no prefix"),
        ("s3://mine/../b", "is no prefix"),
        ("s3://mine/a?versionId=1", "is no prefix"),
        ("s3://mine/a b", "is no prefix"),
        ("s3://mine/a\x1b[31m", "is no prefix"),
    ],
)
def test_what_is_no_address_is_told_with_its_form(url: str, words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)) as caught:
        s3_objects(url)
    assert caught.value.hint
    assert caught.value.message.isprintable()


def test_credentials_in_an_address_are_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError, match="holds credentials") as caught:
        s3_objects("s3://AKIAEXAMPLE:very-secret@mine/x")
    assert "very-secret" not in str(caught.value) + caught.value.hint


def test_the_client_is_fit_for_many_threads_and_repeats_by_itself(unused: None) -> None:
    config = s3_objects("s3://mine").client.meta.config
    assert config.max_pool_connections >= 32
    assert config.retries == {"mode": "standard", "total_max_attempts": 5}
    assert (config.connect_timeout, config.read_timeout) == (CONFIG.connect_timeout, CONFIG.read_timeout)


def test_the_region_is_that_of_aws_region_then_the_default_then_the_profiles(
    unused: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def region() -> str:
        return str(s3_objects("s3://mine").client.meta.region_name)

    assert region() == "us-east-1"
    (tmp_path / "config").write_text("[default]\nregion = sa-east-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    assert region() == "sa-east-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")
    assert region() == "eu-west-3"
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    assert region() == "us-west-2"


def test_without_credentials_it_is_said_before_anything_is_asked(unused: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(FarStoreError, match="there are no AWS credentials") as caught:
        s3_objects("s3://mine")
    assert "aws configure" in caught.value.hint


def test_a_profile_and_its_program_that_fail_are_told(
    unused: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_PROFILE", "own")
    with pytest.raises(FarStoreError, match="own"):
        s3_objects("s3://mine")
    (tmp_path / "config").write_text("[profile own]\ncredential_process = /nonexistent/helper\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with pytest.raises(FarStoreError, match=r"credential_process failed: .*No such file"):
        s3_objects("s3://mine")


def test_an_endpoint_that_is_no_address_is_told(unused: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "me:very-secret@localhost")
    with pytest.raises(UsageError, match="AWS_ENDPOINT_URL is no whole address") as caught:
        s3_objects("s3://mine", Config())
    assert "very-secret" not in str(caught.value)
    assert s3.CONFIG is CONFIG
