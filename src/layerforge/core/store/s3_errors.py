"""What can go wrong with a store in S3, as facts that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from botocore import exceptions as boto
from urllib3.exceptions import HTTPError

from layerforge.core.store.aws import (
    CONNECTION,
    CREDENTIALS,
    FAILURES,
    ODD,
    Trouble,
    answer_of,
    call_of,
    code_of,
    process_failed,
    said,
    status_of,
    trouble_of,
)
from layerforge.core.store.objects import FarReadOnlyError, FarStoreError

AGAIN = "run the command again, what is there already is not sent again"

CUT = (boto.IncompleteReadError, boto.FlexibleChecksumError, *CONNECTION, HTTPError)
"""What reading the bytes of an object ends in that came only in part, or damaged."""

_DENIED = ("AccessDenied", "403", "AllAccessDisabled", "MethodNotAllowed")
_WRITES = frozenset({"PutObject", "DeleteObjects"})
_ELSEWHERE = ("PermanentRedirect", "301", "307", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException")

TROUBLES: tuple[Trouble, ...] = (
    *CREDENTIALS,
    Trouble(
        message="{place} cannot be read, S3 denies {call}: {said}",
        hint="the role or user needs s3:GetObject and s3:ListBucket there; a bucket that everybody may read is named "
        "by its web address, such as https://{bucket}.s3.amazonaws.com",
        codes=_DENIED,
    ),
    Trouble(
        message="there is no bucket {bucket}",
        hint="correct the address of the store, or create the bucket first",
        codes=("NoSuchBucket", "404"),
    ),
    Trouble(
        message="the bucket {bucket} does not lie in {region}",
        hint="set AWS_REGION to {right}",
        codes=_ELSEWHERE,
    ),
    Trouble(
        message="{place} does not know how to create an object only where there is none",
        hint="use a service that knows conditional writes (If-None-Match), as S3 does, or a folder",
        codes=("NotImplemented", "501"),
    ),
    Trouble(
        message="S3 is asked for too much at once at {place}",
        hint="wait a little; then {again}",
        codes=("SlowDown", "TooManyRequestsException", "ThrottlingException", "Throttling", "RequestLimitExceeded"),
    ),
    Trouble(
        message="others write the same object of {place} at the same moment, again and again",
        hint="{again}",
        codes=("ConditionalRequestConflict", "OperationAborted", "409"),
    ),
    Trouble(
        message="what was sent to {place} was damaged on its way, again and again",
        hint="is a proxy between that changes what it passes on? {again}",
        codes=("BadDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch"),
    ),
    Trouble(
        message="the certificate of S3's endpoint is not trusted: {said}",
        hint="behind a proxy that opens connections, set AWS_CA_BUNDLE to its certificate",
        kinds=(boto.SSLError,),
    ),
    Trouble(
        message="{place} cannot be reached: {said}",
        hint="is there a network, and are HTTPS_PROXY, AWS_REGION and AWS_ENDPOINT_URL right? {again}",
        kinds=(boto.EndpointConnectionError, boto.ConnectTimeoutError, boto.ProxyConnectionError),
    ),
    Trouble(
        message="what comes from {place} is cut short or damaged, again and again: {said}",
        hint="is a proxy between that changes what it passes on? {again}",
        kinds=(boto.IncompleteReadError, boto.FlexibleChecksumError),
    ),
    Trouble(message="the connection to {place} breaks again and again: {said}", hint="{again}", kinds=CUT),
)
"""The first that fits counts. Texts may hold ``{place}``, ``{bucket}``, ``{region}``, ``{right}``, ``{call}``,
``{said}`` and ``{again}``."""

_UNWRITABLE = Trouble(
    message="nothing can be put into {place}, S3 denies {call}: {said}",
    hint="the role or user needs s3:PutObject there, and s3:DeleteObject to clear it; without, the store is only read",
)
_SERVER = Trouble(message="S3 fails again and again at {place}: {said}", hint="wait a little; then {again}")
_OTHER = Trouble(message="S3 refuses {call} at {place}: {said}", hint="the code below says why")


@dataclass(frozen=True, kw_only=True)
class Where:
    """What a call is about, for messages."""

    place: str
    """``s3://bucket/prefix``."""
    bucket: str
    region: str
    """Of the client; empty where none was named."""


def failure(error: BaseException, where: Where) -> FarStoreError:
    """What an error of boto3 or botocore means; ``FarReadOnlyError`` where only writing is refused."""
    code, status = code_of(error), status_of(error)
    unwritable = code in _DENIED and call_of(error) in _WRITES
    trouble = _UNWRITABLE if unwritable else trouble_of(error, TROUBLES)
    words = {
        "place": where.place,
        "bucket": where.bucket,
        "region": where.region or "the Region that S3 is asked in",
        "right": _region_of(error) or "the one that `aws s3api head-bucket` tells",
        "call": call_of(error),
        "said": said(error),
        "again": AGAIN,
    }
    trouble = trouble or (_SERVER if status >= 500 else _OTHER)
    kind = FarReadOnlyError if unwritable else FarStoreError
    return kind(trouble.message.format(**words), hint=trouble.hint.format(**words), details=_evidence(error))


def _evidence(error: BaseException) -> tuple[str, ...]:
    """The code and the number by which AWS finds the request."""
    answer = answer_of(error)
    if not answer:
        return ()
    request = str(answer.get("ResponseMetadata", {}).get("RequestId", ""))
    first = f"{call_of(error)} was answered with {status_of(error)} {code_of(error)}".rstrip()
    return (first, f"request {request}") if request else (first,)


def _region_of(error: BaseException) -> str:
    """Where the bucket lies, as S3 says it where it is asked in another Region."""
    answer = answer_of(error)
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return str(answer.get("Error", {}).get("Region") or headers.get("x-amz-bucket-region") or "")


@contextmanager
def told(where: Where) -> Iterator[None]:
    """Turns what boto3 raises, and what cannot be read of an answer, into a ``FarStoreError``."""
    try:
        yield
    except (*FAILURES, HTTPError) as error:
        raise failure(error, where) from error
    except ODD as error:
        raise odd(where, " ".join(str(error).split())[:200] or type(error).__name__) from error


@contextmanager
def credentials_told(where: Where) -> Iterator[None]:
    """Turns what looking for credentials raises into a ``FarStoreError``."""
    try:
        yield
    except (*FAILURES, OSError, *ODD) as error:
        process = process_failed(error)
        raise (FarStoreError(process[0], hint=process[1]) if process else failure(error, where)) from error


def odd(where: Where, what: str) -> FarStoreError:
    """What came back is no answer of S3's."""
    return FarStoreError(
        f"what came back from {where.place} is no answer of S3's: {what}",
        hint=f"is a proxy between that answers itself, or does AWS_ENDPOINT_URL name something else? {AGAIN}",
    )
