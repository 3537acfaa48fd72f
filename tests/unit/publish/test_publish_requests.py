from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError

from layerforge.core.errors import UsageError
from layerforge.publish.aws import require_reference
from layerforge.publish.aws_errors import TROUBLES, CallPlace, failure
from layerforge.publish.bucket_policy import lets_lambda_read
from layerforge.publish.cloud import LostError, UncertainError
from layerforge.publish.errors import PublishError
from layerforge.publish.upload_body import PIECE, Body, Content, digest

PLACE = CallPlace(region="eu-west-1", bucket="mine")


def an_answer(code: str, status: int = 400) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": "said AWS."}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "PublishLayerVersion")


# --- failures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [code for trouble in TROUBLES for code in trouble.codes])
def test_every_code_has_a_message_and_a_hint_without_gaps(code: str) -> None:
    error = failure(an_answer(code), PLACE)
    assert error.hint
    assert not re.search(r"\{(?!region\})", error.message + error.hint)


def test_no_code_stands_twice_in_the_table() -> None:
    codes = [code for trouble in TROUBLES for code in trouble.codes]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize(
    ("error", "uncertain"),
    [
        (an_answer("TooManyRequestsException", 429), True),
        (an_answer("ServiceException", 500), True),
        (an_answer("Unheard", 503), True),
        (ReadTimeoutError(endpoint_url="x"), True),
        (EndpointConnectionError(endpoint_url="x", error="y"), True),
        (an_answer("InvalidParameterValueException"), False),
        (an_answer("CodeStorageExceededException"), False),
        (an_answer("AccessDeniedException", 403), False),
        (NoCredentialsError(), False),
    ],
)
def test_only_what_may_have_been_done_or_may_succeed_later_is_uncertain(error: Exception, uncertain: bool) -> None:
    assert isinstance(failure(error, PLACE), UncertainError) is uncertain


def test_a_bucket_of_another_region_gets_a_placeholder_as_a_hint() -> None:
    error = failure(an_answer("PermanentRedirect", 301), PLACE)
    assert error.message == "the bucket mine does not lie in eu-west-1"
    assert "'NAME-{region}'" in error.hint


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (an_answer("TooManyRequestsException", 429), False),
        (EndpointConnectionError(endpoint_url="x", error="y"), False),
        (an_answer("ServiceException", 500), True),
        (ReadTimeoutError(endpoint_url="x"), True),
    ],
)
def test_only_what_reached_aws_can_be_lost(error: Exception, lost: bool) -> None:
    assert isinstance(failure(error, PLACE), LostError) is lost


def test_the_request_that_aws_repeats_with_the_sessions_token_is_not_shown() -> None:
    said = (
        "The request signature we calculated does not match the signature you provided.\n\n"
        "The Canonical String for this request should have been\n'POST\n/2018\nx-amz-security-token:TOKEN\n'\n\n"
        "The String-to-Sign should have been\n'AWS4-HMAC-SHA256'"
    )
    answer: Any = {"Error": {"Code": "InvalidSignatureException", "Message": said}}
    error = failure(ClientError(answer, "PublishLayerVersion"), PLACE)
    assert error.message.endswith("does not match the signature you provided")


# --- the streamed request --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 2, 3, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 2])
def test_a_body_is_the_json_with_the_zip_in_it(tmp_path: Path, size: int) -> None:
    import base64
    import hashlib

    data = bytes(number % 251 for number in range(size))
    (tmp_path / "x.zip").write_bytes(data)
    request = json.dumps({"Content": {"ZipFile": ""}, "Description": 'a "ZipFile": "" trap'}).encode()
    content = Content(request, tmp_path / "x.zip", size)
    counted: list[int] = []
    body = Body(content, counted.append)
    whole = b"".join(iter(lambda: body.read(16384), b""))
    assert len(body) == len(whole)
    assert json.loads(whole)["Content"]["ZipFile"] == base64.b64encode(data).decode()
    assert json.loads(whole)["Description"] == 'a "ZipFile": "" trap'
    assert digest(content) == hashlib.sha256(whole).hexdigest()
    assert sum(counted) == size


def test_a_body_notices_a_file_that_changed(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"12345")
    with pytest.raises(PublishError, match="was changed"):
        digest(Content(b'{"ZipFile": ""}', tmp_path / "x.zip", 4))


# --- running from the user's bucket ----------------------------------------------------------------------------------


def a_policy(**other: object) -> dict[str, object]:
    row = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": ["s3:GetObject", "s3:GetObjectVersion"],
        "Resource": "arn:aws:s3:::mine/layer/*",
    }
    return {"Statement": [{"Effect": "Deny"}, row | other]}


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"Principal": "*"},
        {"Principal": {"Service": ["ec2.amazonaws.com", "lambda.amazonaws.com"]}},
        {"Action": "s3:GetObject*"},
        {"Action": "s3:*"},
        {"Resource": "arn:aws:s3:::mine/*"},
        {"Resource": ["arn:aws:s3:::other/*", "arn:aws-cn:s3:::mine/layer/ab.zip"]},
    ],
)
def test_a_policy_that_lets_lambda_read_is_recognised(other: dict[str, object]) -> None:
    assert lets_lambda_read(a_policy(**other), "mine/layer/ab.zip")


@pytest.mark.parametrize(
    "other",
    [
        {"Effect": "Deny"},
        {"Principal": {"AWS": "123456789012"}},
        {"Principal": {"Service": "ec2.amazonaws.com"}},
        {"Action": "s3:GetObject"},
        {"Resource": "arn:aws:s3:::mine/other/*"},
    ],
)
def test_a_policy_that_does_not_is_recognised_too(other: dict[str, object]) -> None:
    assert not lets_lambda_read(a_policy(**other), "mine/layer/ab.zip")
    assert not lets_lambda_read({}, "mine/layer/ab.zip")


@pytest.mark.parametrize(("members", "known"), [({"ZipFile", "S3ObjectStorageMode"}, True), ({"ZipFile"}, False)])
def test_an_old_boto3_is_told_of(members: set[str], known: bool) -> None:
    model = SimpleNamespace(shape_for=lambda name: SimpleNamespace(members=members))
    client = SimpleNamespace(meta=SimpleNamespace(service_model=model))
    if known:
        require_reference(client)
        return
    with pytest.raises(UsageError, match="does not know --storage reference") as caught:
        require_reference(client)
    assert "boto3>=1.44" in caught.value.hint
