"""What can go wrong with AWS, as facts that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from botocore import exceptions as boto

from layerforge.core.store.aws import (
    CONNECTION,
    CREDENTIALS,
    FAILURES,
    ODD,
    Trouble,
    call_of,
    code_of,
    process_failed,
    said,
    status_of,
    trouble_of,
)
from layerforge.publish.cloud import AGAIN, LostError, OddError, UncertainError
from layerforge.publish.errors import PublishError


@dataclass(frozen=True, kw_only=True)
class CallPlace:
    """Where a call goes, for messages."""

    region: str
    bucket: str = ""


TROUBLES: tuple[Trouble, ...] = (
    *CREDENTIALS,
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
        kinds=CONNECTION,
        repeat=True,
        lost=True,
    ),
)
"""The first that fits counts. Texts may hold ``{region}``, ``{bucket}``, ``{call}``, ``{said}`` and ``{again}``."""

_SERVER = Trouble(message="AWS failed in {region} at {call}: {said}", hint=AGAIN, repeat=True, lost=True)
_OTHER = Trouble(message="AWS refuses {call} in {region}: {said}", hint="")


def failure(error: BaseException, place: CallPlace) -> PublishError:
    """What an error of boto3 or botocore means; ``UncertainError`` where it may succeed when repeated."""
    code, status = code_of(error), status_of(error)
    # A number is no code of AWS's: somebody between said it, and may have passed the call on before.
    server = status >= 500 or (status and code in {"", str(status)})
    trouble = trouble_of(error, TROUBLES) or (_SERVER if server else _OTHER)
    words = {"region": place.region, "bucket": place.bucket, "call": call_of(error), "said": said(error)}
    words["again"] = AGAIN
    kind = LostError if trouble.lost else UncertainError if trouble.repeat else PublishError
    return kind(trouble.message.format(**words), hint=trouble.hint.format(**words))


@contextmanager
def credentials_told() -> Iterator[None]:
    """Turns what looking for credentials raises into a ``PublishError``."""
    try:
        yield
    except (*FAILURES, OSError, *ODD) as error:
        told = process_failed(error)
        raise (PublishError(told[0], hint=told[1]) if told else failure(error, CallPlace(region=""))) from error


@contextmanager
def as_publish_error(place: CallPlace) -> Iterator[None]:
    """Turns what boto3 raises into a ``PublishError``, and what cannot be read of an answer into an ``OddError``."""
    try:
        yield
    except FAILURES as error:
        raise failure(error, place) from error
    except ODD as error:
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
    return code_of(error) in codes
