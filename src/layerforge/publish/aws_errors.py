"""What can go wrong with AWS, as facts that say what to do."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from boto3.exceptions import Boto3Error
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from layerforge.publish.cloud import AGAIN, LostError, OddError, UncertainError
from layerforge.publish.errors import PublishError

FAILURES = (boto.BotoCoreError, boto.ClientError, Boto3Error)
"""What boto3 and botocore raise."""

_CONNECTION = (boto.HTTPClientError, boto.ConnectionError)
"""What they raise where the answer did not come, or not whole."""

_ODD = (
    ResponseParserError,
    LookupError,
    TypeError,
    AttributeError,
    ValueError,
    RecursionError,
    http.client.HTTPException,
)
"""What reading an answer ends in that has not the form that AWS documents, in botocore as in ``answers``."""

_REQUEST = re.compile(r"The Canonical String|The String-to-Sign", re.IGNORECASE)
"""How AWS begins to repeat a request whose signature is wrong."""

_PROCESS = "custom-process"
"""What botocore calls a profile's ``credential_process``."""

_LOGIN = "`aws sts get-caller-identity` shows who you are; set AWS_PROFILE, or log in with `aws sso login`"
_KEYS = "access-key variables, AWS_PROFILE, `aws configure` or `aws sso login` provide them"


@dataclass(frozen=True, kw_only=True)
class CallPlace:
    """Where a call goes, for messages."""

    region: str
    bucket: str = ""


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """What one kind of failure means. Texts may hold ``{region}``, ``{bucket}``, ``{call}`` and ``{said}``."""

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


TROUBLES: tuple[Trouble, ...] = (
    Trouble(
        message="there are no AWS credentials",
        hint=_KEYS,
        kinds=(boto.NoCredentialsError, boto.PartialCredentialsError, boto.NoAuthTokenError),
    ),
    Trouble(
        message="the AWS session has ended or cannot be renewed: {said}",
        hint=f"log in again, for instance with `aws sso login`; then {AGAIN}",
        codes=("ExpiredToken", "ExpiredTokenException", "RequestExpired"),
        kinds=(
            boto.TokenRetrievalError,
            boto.SSOError,
            boto.RefreshWithMFAUnsupportedError,
        ),
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
            "AuthFailure",
            "OptInRequired",
        ),
    ),
    Trouble(
        message="AWS does not accept the signature in {region}: {said}",
        hint="the secret key is wrong, or this machine's clock is",
        codes=("SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature", "RequestTimeTooSkewed"),
    ),
    Trouble(
        message="AWS denies {call} in {region}: {said}",
        hint="the role or user needs that permission; docs/publishing.md lists all that are used",
        codes=("AccessDenied", "AccessDeniedException", "403", "AllAccessDisabled"),
    ),
    Trouble(
        message="{region} throttles {call}",
        hint=f"wait a little; then {AGAIN}",
        codes=("TooManyRequestsException", "ThrottlingException", "Throttling", "SlowDown"),
        repeat=True,
    ),
    Trouble(
        message="the account's code storage in {region} is full: {said}",
        hint="delete old versions (--keep), ask AWS for a higher quota, or use --storage reference",
        codes=("CodeStorageExceededException",),
    ),
    Trouble(
        message="Lambda refuses the layer in {region}: {said}",
        hint="`layerforge verify` and `--dry-run` show what was sent",
        codes=("InvalidParameterValueException", "ValidationException"),
    ),
    Trouble(
        message="the zip is too large for a direct upload in {region}",
        hint="name a bucket with --bucket",
        codes=("RequestEntityTooLargeException", "RequestTooLargeException", "413"),
    ),
    Trouble(
        message="the policy of this version is full in {region}",
        hint="each --account takes room in it: one --organization can stand for many accounts",
        codes=("PolicyLengthExceededException",),
    ),
    Trouble(
        message="there is no bucket {bucket}",
        hint="correct --bucket, or create the bucket in {region} first",
        codes=("NoSuchBucket", "404"),
    ),
    Trouble(
        message="the bucket {bucket} does not lie in {region}",
        hint="Lambda reads from buckets of its own Region: give each Region one, such as --bucket 'NAME-{{region}}'",
        codes=("PermanentRedirect", "301", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"),
    ),
    Trouble(
        message="the upload to {bucket} was damaged on its way",
        hint=AGAIN,
        codes=("BadDigest", "XAmzContentChecksumMismatch", "InvalidDigest"),
        repeat=True,
    ),
    Trouble(
        message="the certificate of AWS's endpoint in {region} is not trusted: {said}",
        hint="behind a proxy that opens connections, set AWS_CA_BUNDLE to its certificate",
        kinds=(boto.SSLError,),
    ),
    Trouble(
        message="AWS cannot be reached in {region}: {said}",
        hint=f"is there a network, and are HTTPS_PROXY and AWS_ENDPOINT_URL right? {AGAIN}",
        kinds=(boto.EndpointConnectionError, boto.ConnectTimeoutError, boto.ProxyConnectionError),
        repeat=True,
    ),
    Trouble(
        message="the connection to AWS in {region} broke: {said}",
        hint=AGAIN,
        kinds=_CONNECTION,
        repeat=True,
        lost=True,
    ),
)
"""The first that fits counts."""

_SERVER = Trouble(message="AWS failed in {region} at {call}: {said}", hint=AGAIN, repeat=True, lost=True)
_OTHER = Trouble(message="AWS refuses {call} in {region}: {said}", hint="")


def failure(error: BaseException, place: CallPlace) -> PublishError:
    """What an error of boto3 or botocore means; ``UncertainError`` where it may succeed when repeated."""
    cause = error.__context__ if isinstance(error, Boto3Error) and error.__context__ else error
    answer = cause.response if isinstance(cause, boto.ClientError) else {}
    code = str(answer.get("Error", {}).get("Code", ""))
    status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    trouble = next((one for one in TROUBLES if code in one.codes or isinstance(cause, one.kinds)), None)
    # A number is no code of AWS's: somebody between said it, and may have passed the call on before.
    trouble = trouble or (_SERVER if status >= 500 or (status and code in {"", str(status)}) else _OTHER)
    words = {"region": place.region, "bucket": place.bucket, "call": _call(cause), "said": _said(cause, answer)}
    kind = LostError if trouble.lost else UncertainError if trouble.repeat else PublishError
    return kind(trouble.message.format(**words), hint=trouble.hint.format(**words))


def _call(cause: BaseException) -> str:
    return str(getattr(cause, "operation_name", "")) or "the request"


def _said(cause: BaseException, answer: Mapping[str, Mapping[str, object]]) -> str:
    """AWS's own words, on one line, up to where they repeat the request, which holds the session's token."""
    text = str(answer.get("Error", {}).get("Message", "")) or str(cause)
    return " ".join(_REQUEST.split(text)[0].split()).rstrip(".")


@contextmanager
def credentials_told() -> Iterator[None]:
    """Turns what looking for credentials raises into a ``PublishError``.

    A ``credential_process`` is a program of the user's. That it does not start, or prints something else, comes from
    botocore as whatever Python made of it.
    """
    try:
        yield
    except boto.CredentialRetrievalError as error:
        if error.kwargs.get("provider") != _PROCESS:
            raise failure(error, CallPlace(region="")) from error
        raise _process_failed(str(error.kwargs.get("error_msg", ""))) from error
    except FAILURES as error:
        raise failure(error, CallPlace(region="")) from error
    except OSError as error:
        raise _process_failed(f"{error.filename or 'it'}: {error.strerror or error}") from error
    except _ODD as error:
        raise _process_failed("it printed no JSON with the credentials") from error


def _process_failed(said: str) -> PublishError:
    why = " ".join(said.split()) or "it said nothing"
    return PublishError(
        f"the profile's credential_process failed: {why}",
        hint="`aws configure get credential_process` shows the command, which you can run by hand",
    )


@contextmanager
def as_publish_error(place: CallPlace) -> Iterator[None]:
    """Turns what boto3 raises into a ``PublishError``, and what cannot be read of an answer into an ``OddError``."""
    try:
        yield
    except FAILURES as error:
        raise failure(error, place) from error
    except _ODD as error:
        what = " ".join(str(error).split())[:200] or type(error).__name__
        raise OddError(
            f"what came back from {place.region} is no answer of AWS's: {what}",
            hint=f"is a proxy between that answers itself? {AGAIN}",
        ) from error


def unexpected(error: BaseException) -> PublishError:
    """What is wrong with layerforge itself, for one Region: it is told as any failure there, and the others go on."""
    said = " ".join(str(error).split())[:200]
    return PublishError(
        f"an error in layerforge itself: {type(error).__name__}{f': {said}' if said else ''}",
        hint=f"please report it; {AGAIN}",
    )


def is_code(error: boto.ClientError, *codes: str) -> bool:
    """Whether AWS answered with one of these codes."""
    return str(error.response.get("Error", {}).get("Code", "")) in codes
