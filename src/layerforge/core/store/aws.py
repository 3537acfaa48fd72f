"""What boto3 raises, read once for all that talk to AWS: its code, its words, and what is wrong with credentials."""

from __future__ import annotations

import http.client
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3.session
from boto3.exceptions import Boto3Error
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

FAILURES = (boto.BotoCoreError, boto.ClientError, Boto3Error)
"""What boto3 and botocore raise."""

ODD = (
    ResponseParserError,
    LookupError,
    TypeError,
    AttributeError,
    ValueError,
    RecursionError,
    http.client.HTTPException,
)
"""What reading an answer ends in that has not the form that AWS documents, in botocore as in what reads its dicts."""

CONNECTION = (boto.HTTPClientError, boto.ConnectionError)
"""What they raise where the answer did not come, or not whole."""

_REQUEST = re.compile(r"The Canonical String|The String-to-Sign", re.IGNORECASE)
"""How AWS begins to repeat a request whose signature is wrong."""

_USER = re.compile(r"//[^/@\s'\"]*@")
"""A name and a password in an address, such as that of a proxy or an endpoint."""

_PROCESS = "custom-process"
"""What botocore calls a profile's ``credential_process``."""

_LOGIN = "`aws sts get-caller-identity` shows who you are; set AWS_PROFILE, or log in with `aws sso login`"
KEYS = "access-key variables, AWS_PROFILE, `aws configure` or `aws sso login` provide them"
"""Where credentials come from."""


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """What one kind of failure means. Its texts have places in braces for the words of one case."""

    message: str
    hint: str
    codes: tuple[str, ...] = ()
    """Of AWS's answer."""
    kinds: tuple[type[Exception], ...] = ()
    """Of botocore's own errors."""
    repeat: bool = False
    """Whether the same call may succeed a little later."""
    lost: bool = False
    """Whether AWS may have carried the call out, or may still be at it."""


CREDENTIALS: tuple[Trouble, ...] = (
    Trouble(
        message="there are no AWS credentials",
        hint=KEYS,
        kinds=(boto.NoCredentialsError, boto.PartialCredentialsError, boto.NoAuthTokenError),
    ),
    Trouble(
        message="the AWS session has ended or cannot be renewed: {said}",
        hint="log in again, for instance with `aws sso login`; then {again}",
        codes=("ExpiredToken", "ExpiredTokenException", "RequestExpired"),
        kinds=(boto.TokenRetrievalError, boto.SSOError, boto.RefreshWithMFAUnsupportedError),
    ),
    Trouble(
        message="the credentials cannot be had: {said}",
        hint=_LOGIN,
        kinds=(boto.CredentialRetrievalError, boto.MetadataRetrievalError),
    ),
    Trouble(message="{said}", hint="`aws configure list-profiles` lists them", kinds=(boto.ProfileNotFound,)),
    Trouble(
        message="AWS does not accept these credentials in {region}: {said}",
        hint=f"{_LOGIN}; a Region that is off by default has to be enabled for the account first",
        codes=(
            "UnrecognizedClientException",
            "InvalidClientTokenId",
            "InvalidAccessKeyId",
            "InvalidToken",
            "AuthFailure",
            "OptInRequired",
        ),
    ),
    Trouble(
        message="this machine's clock is wrong, and AWS refuses what it signs: {said}",
        hint="set the clock, for instance with `timedatectl set-ntp true`; then {again}",
        codes=("RequestTimeTooSkewed",),
    ),
    Trouble(
        message="AWS does not accept the signature in {region}: {said}",
        hint="the secret key is wrong, or this machine's clock is",
        codes=("SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature"),
    ),
)
"""What is wrong before anything is asked for. Texts hold ``{region}``, ``{said}`` and ``{again}``."""


def answer_of(error: BaseException) -> Mapping[str, Any]:
    """AWS's answer, as botocore read it; empty where none came."""
    return cause_of(error).response if isinstance(cause_of(error), boto.ClientError) else {}  # type: ignore[attr-defined]


def cause_of(error: BaseException) -> BaseException:
    """What botocore raised, where boto3 wrapped it."""
    return error.__context__ if isinstance(error, Boto3Error) and error.__context__ else error


def code_of(error: BaseException) -> str:
    """The code of AWS's answer; for one without a body its status; empty where none came."""
    return str(answer_of(error).get("Error", {}).get("Code", ""))


def status_of(error: BaseException) -> int:
    """The HTTP status of AWS's answer; 0 where none came."""
    return int(answer_of(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def call_of(error: BaseException) -> str:
    """The call that failed, as AWS names it."""
    return str(getattr(cause_of(error), "operation_name", "")) or "the request"


def said(error: BaseException) -> str:
    """AWS's own words, on one line, up to where they repeat the request, which holds the session's token."""
    text = str(answer_of(error).get("Error", {}).get("Message", "")) or str(cause_of(error))
    return _USER.sub("//", " ".join(_REQUEST.split(text)[0].split())).rstrip(".")


def trouble_of(error: BaseException, troubles: tuple[Trouble, ...]) -> Trouble | None:
    """The first of ``troubles`` that fits."""
    cause, code = cause_of(error), code_of(error)
    return next((one for one in troubles if code in one.codes or isinstance(cause, one.kinds)), None)


def process_failed(error: BaseException) -> tuple[str, str] | None:
    """Message and hint for what looking for credentials raised, where it was a profile's ``credential_process``.

    That is a program of the user's. That it does not start, or prints something else, comes from botocore as whatever
    Python made of it.
    """
    if isinstance(error, boto.CredentialRetrievalError):
        if error.kwargs.get("provider") != _PROCESS:
            return None
        words = " ".join(str(error.kwargs.get("error_msg", "")).split()) or "it said nothing"
    elif isinstance(error, FAILURES):
        return None
    elif isinstance(error, OSError):
        words = f"{error.filename or 'it'}: {error.strerror or error}"
    else:
        words = "it printed no JSON with the credentials"
    return (
        f"the profile's credential_process failed: {words}",
        "`aws configure get credential_process` shows the command, which you can run by hand",
    )


def new_session() -> Any:
    """boto3's session. Raises botocore's error for a profile that does not exist.

    Its Region is that of AWS_REGION, as with the AWS CLI and all SDKs but boto3, which does not read that variable;
    then AWS_DEFAULT_REGION and the profile count.
    """
    return boto3.session.Session(region_name=os.environ.get("AWS_REGION") or None)
